/* What decoding eight levels at a time takes besides. Knows nothing of what they mean. */
#ifndef MIDSTREAM_EIGHT_LEVELS_H
#define MIDSTREAM_EIGHT_LEVELS_H

#include "eight.h"

#ifdef HAS_EIGHT

/* Shifts of 16 and more: with them a value may need more than 32 bits. */
#define WIDE_SHIFTS UINT64_C(0xF0F0F0F0F0F0F0F0)
/* Of eight and more: not all of them are in one word. */
#define LONG_SHIFTS UINT64_C(0xF8F8F8F8F8F8F8F8)

INLINE __m256i eight_rows(const uint16_t *rows)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)rows));
}

/* What there is of the symbols of eight lanes, each in a table. */
INLINE __m256i eight_entries(const struct level_slots *slots, __m256i row, __m256i slot)
{
    __m256i place
        = _mm256_or_si256(_mm256_slli_epi32(row, LEVEL_SLOT_BITS), _mm256_srli_epi32(slot, 1));
    return _mm256_i32gather_epi32((const int *)slots->slot, place, 4);
}

INLINE __m256i slots_of(const uint32_t *states)
{
    return _mm256_and_si256(
        _mm256_loadu_si256((const __m256i *)states), _mm256_set1_epi32(TOTAL - 1));
}

INLINE __m256i are_escapes(__m256i entry)
{
    return _mm256_cmpeq_epi32(_mm256_srai_epi32(entry, 24), _mm256_set1_epi32(ESCAPED));
}

/* Step the chosen of eight lanes past their symbols. */
INLINE void leave_entries(uint32_t *states, __m256i chosen, __m256i entry, __m256i slot,
    const uint8_t **word)
{
    __m256i low = _mm256_set1_epi32(TOTAL - 1);
    __m256i frequency = _mm256_and_si256(entry, low);
    __m256i start = _mm256_and_si256(_mm256_srli_epi32(entry, TOTAL_BITS), low);
    advance_eight(states, chosen, frequency, _mm256_sub_epi32(slot, start), word);
}

/* The values of the chosen of eight symbols, each in a table; false, and nothing changed, where
 * one of them is an escape. */
INLINE int read_eight_values(const struct level_slots *slots, __m256i row, uint32_t *states,
    __m256i chosen, const uint8_t **word, __m256i *value)
{
    __m256i slot = slots_of(states), entry = eight_entries(slots, row, slot);
    if (!_mm256_testz_si256(are_escapes(entry), chosen))
        return 0;
    *value = _mm256_srai_epi32(entry, 24);
    leave_entries(states, chosen, entry, slot, word);
    return 1;
}

/* The same of two times eight lanes, which do not wait for each other. */
INLINE int read_two_eights(const struct level_slots *slots, const __m256i *row,
    uint32_t *states, const uint8_t **word, __m256i *value)
{
    const __m256i all = _mm256_set1_epi32(-1);
    __m256i slot[2], entry[2];
    for (int k = 0; k < 2; k++) {
        slot[k] = slots_of(states + EIGHT * k);
        entry[k] = eight_entries(slots, row[k], slot[k]);
        value[k] = _mm256_srai_epi32(entry[k], 24);
    }
    if (!_mm256_testz_si256(_mm256_or_si256(are_escapes(entry[0]), are_escapes(entry[1])), all))
        return 0;
    for (int k = 0; k < 2; k++)
        leave_entries(states + EIGHT * k, all, entry[k], slot[k], word);
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

/* The low bits of eight levels, each at most seven, that are read at once. */
INLINE __m256i eight_low_bits(struct low_bits *low, uint64_t shifts)
{
    const __m128i ones = _mm_setr_epi8(0, 1, 3, 7, 15, 31, 63, 127, 0, 0, 0, 0, 0, 0, 0, 0);
    __m128i each = _mm_shuffle_epi8(ones, _mm_cvtsi64_si128((long long)shifts));
    uint64_t window, mask = (uint64_t)_mm_cvtsi128_si64(each);
    memcpy(&window, low->data + (low->place >> 3), sizeof window);
    uint64_t bits = _pdep_u64(window >> (low->place & 7), mask);
    low->place += __builtin_popcountll(mask);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bits));
}

INLINE __m256i any_low_bits(struct low_bits *low, uint64_t shifts)
{
    int32_t bits[8];
    for (int lane = 0; lane < 8; lane++)
        bits[lane] = (int32_t)take_low_at_once(low, (int)(shifts >> 8 * lane & 0xFF));
    return _mm256_loadu_si256((const __m256i *)bits);
}

/* Eight values with their low bits. */
INLINE __m256i add_low_bits(__m256i value, uint64_t shifts, struct low_bits *low)
{
    int is_near = !(shifts & LONG_SHIFTS) && (low->place >> 3) + 8 <= low->size;
    __m256i bits = is_near ? eight_low_bits(low, shifts) : any_low_bits(low, shifts);
    __m256i shift = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)shifts));
    __m256i half = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), shift), 1);
    value = _mm256_sub_epi32(_mm256_sllv_epi32(value, shift), half);
    return _mm256_add_epi32(value, bits);
}

INLINE void store_limited(int32_t *levels, __m256i value)
{
    value = _mm256_min_epi32(value, _mm256_set1_epi32(LEVEL_LIMIT));
    value = _mm256_max_epi32(value, _mm256_set1_epi32(-LEVEL_LIMIT));
    _mm256_storeu_si256((__m256i *)levels, value);
}

#endif
#endif
