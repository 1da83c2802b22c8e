/* What decoding eight levels at a time takes besides. Knows nothing of what they mean. */
#ifndef MIDSTREAM_EIGHT_LEVELS_H
#define MIDSTREAM_EIGHT_LEVELS_H

#include "eight.h"

#ifdef HAS_EIGHT

/* Shifts of 16 and more: with them a value may need more than 32 bits. */
#define WIDE_SHIFTS UINT64_C(0xF0F0F0F0F0F0F0F0)

INLINE __m256i eight_rows(const uint16_t *rows)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)rows));
}

/* The values of the chosen of eight symbols, each in a table; false, and nothing changed, where
 * one of them is an escape. */
INLINE int read_eight_values(const struct level_slots *slots, __m256i row, uint32_t *states,
    __m256i chosen, const uint8_t **word, __m256i *value)
{
    __m256i low = _mm256_set1_epi32(TOTAL - 1), one = _mm256_set1_epi32(1);
    __m256i slot = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)states), low);
    __m256i place = _mm256_or_si256(_mm256_slli_epi32(row, TOTAL_BITS), slot);
    __m256i name = _mm256_i32gather_epi32((const int *)slots->name, place, 1);
    name = _mm256_and_si256(name, _mm256_set1_epi32(LAST_SYMBOL));
    place = _mm256_or_si256(_mm256_slli_epi32(row, SYMBOL_BITS), name);
    __m256i entry = _mm256_i32gather_epi32((const int *)slots->entry, place, 4);
    *value = _mm256_srai_epi32(entry, 24);
    __m256i escaped = _mm256_cmpeq_epi32(*value, _mm256_set1_epi32(ESCAPED));
    if (_mm256_movemask_epi8(_mm256_and_si256(escaped, chosen)))
        return 0;
    __m256i frequency = _mm256_add_epi32(_mm256_and_si256(entry, low), one);
    __m256i start = _mm256_and_si256(_mm256_srli_epi32(entry, TOTAL_BITS), low);
    advance_eight(states, chosen, frequency, _mm256_sub_epi32(slot, start), word);
    return 1;
}

/* The shifts of the first so many of eight levels, a byte for each; 0 of the others. */
static inline uint64_t eight_shifts(const struct low_bits *low, int64_t first, int count)
{
    uint64_t shifts = 0;
    if (!low->shift || count < 1)
        return 0;
    memcpy(&shifts, low->shift + first, sizeof shifts);
    return shifts << 8 * (EIGHT - count) >> 8 * (EIGHT - count);
}

/* Eight values with their low bits. */
INLINE __m256i add_low_bits(__m256i value, uint64_t shifts, struct low_bits *low)
{
    int32_t bits[8];
    for (int lane = 0; lane < 8; lane++)
        bits[lane] = (int32_t)take_low_at_once(low, (int)(shifts >> 8 * lane & 0xFF));
    __m256i shift = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)shifts));
    __m256i half = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), shift), 1);
    value = _mm256_sub_epi32(_mm256_sllv_epi32(value, shift), half);
    return _mm256_add_epi32(value, _mm256_loadu_si256((const __m256i *)bits));
}

INLINE void store_limited(int32_t *levels, __m256i value)
{
    value = _mm256_min_epi32(value, _mm256_set1_epi32(LEVEL_LIMIT));
    value = _mm256_max_epi32(value, _mm256_set1_epi32(-LEVEL_LIMIT));
    _mm256_storeu_si256((__m256i *)levels, value);
}

#endif
#endif
