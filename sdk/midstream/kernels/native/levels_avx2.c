/* Eight symbols at a time, where the processor can. Same results as levels.c. */
#include "levels.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <string.h>

#define WIDE __attribute__((target("avx2,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline)) WIDE

/* Makes half steps times 2^12, which are less than 2^51 from zero, positive. */
#define BIAS ((int64_t)1 << 52)
#define ONE_BYTES UINT64_C(0x0101010101010101)
/* Shifts of 16 and more: with them a value may need more than 32 bits. */
#define WIDE_SHIFTS UINT64_C(0xF0F0F0F0F0F0F0F0)

/* What is expected of eight levels, in half steps. False where it needs more than 32 bits. */
INLINE int expect_eight(const struct segment *segment, const int32_t *here, __m256i *halves)
{
    __m256i even = _mm256_set1_epi64x(BIAS + (1 << (GAIN_BITS - 1))), odd = even;
    __m256i most = _mm256_set1_epi32(NEIGHBOUR_LIMIT), least = _mm256_set1_epi32(-NEIGHBOUR_LIMIT);
    for (int t = 0; t < segment->count; t++) {
        __m256i gain = _mm256_set1_epi64x(segment->gain[t]);
        __m256i near = _mm256_loadu_si256((const __m256i *)(here - segment->distance[t]));
        near = _mm256_max_epi32(_mm256_min_epi32(near, most), least);
        even = _mm256_add_epi64(even, _mm256_mul_epi32(near, gain));
        odd = _mm256_add_epi64(odd, _mm256_mul_epi32(_mm256_srli_epi64(near, 32), gain));
    }
    even = _mm256_srli_epi64(even, GAIN_BITS);
    odd = _mm256_srli_epi64(odd, GAIN_BITS);
    *halves = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    __m256i upper = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    __m256i wanted = _mm256_add_epi32(
        _mm256_set1_epi32((int)(BIAS >> (GAIN_BITS + 32))), _mm256_srai_epi32(*halves, 31));
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(upper, wanted)) == -1;
}

/* Step eight lanes on; those that fell below their bound take the next words in order. */
INLINE void advance_eight(
    uint32_t *states, __m256i frequency, __m256i offset, const uint8_t **word)
{
    __m256i state = _mm256_loadu_si256((const __m256i *)states);
    state = _mm256_mullo_epi32(frequency, _mm256_srli_epi32(state, TOTAL_BITS));
    state = _mm256_add_epi32(state, offset);
    __m256i hungry = _mm256_cmpeq_epi32(_mm256_srli_epi32(state, 16), _mm256_setzero_si256());
    unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(hungry));
    /* how many lanes before each one take a word, a byte for each */
    long long before = (long long)(_pdep_u64(mask, ONE_BYTES) * ONE_BYTES << 8);
    __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)*word));
    words = _mm256_permutevar8x32_epi32(words, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(before)));
    __m256i refilled = _mm256_or_si256(_mm256_slli_epi32(state, 16), words);
    _mm256_storeu_si256((__m256i *)states, _mm256_blendv_epi8(state, refilled, hungry));
    *word += 2 * _mm_popcnt_u32(mask);
}

/* The values of eight symbols; false, and nothing changed, where one of them is an escape. */
INLINE int read_eight_values(const struct level_slots *slots, const uint16_t *rows,
    uint32_t *states, __m256i halves, const uint8_t **word, __m256i *value)
{
    __m256i low = _mm256_set1_epi32(TOTAL - 1), one = _mm256_set1_epi32(1);
    __m256i phase = _mm256_cmpeq_epi32(_mm256_and_si256(halves, one), one);
    __m256i further = _mm256_and_si256(phase, _mm256_set1_epi32((int32_t)slots->next_phase));
    __m256i row = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)rows));
    row = _mm256_add_epi32(row, further);
    __m256i slot = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)states), low);
    __m256i place = _mm256_or_si256(_mm256_slli_epi32(row, TOTAL_BITS), slot);
    __m256i name = _mm256_i32gather_epi32((const int *)slots->name, place, 1);
    name = _mm256_and_si256(name, _mm256_set1_epi32(LAST_SYMBOL));
    place = _mm256_or_si256(_mm256_slli_epi32(row, SYMBOL_BITS), name);
    __m256i entry = _mm256_i32gather_epi32((const int *)slots->entry, place, 4);
    *value = _mm256_srai_epi32(entry, 24);
    if (_mm256_movemask_epi8(_mm256_cmpeq_epi32(*value, _mm256_set1_epi32(ESCAPED))))
        return 0;
    __m256i frequency = _mm256_add_epi32(_mm256_and_si256(entry, low), one);
    __m256i start = _mm256_and_si256(_mm256_srli_epi32(entry, TOTAL_BITS), low);
    advance_eight(states, frequency, _mm256_sub_epi32(slot, start), word);
    return 1;
}

/* The shifts of eight levels, a byte for each. */
static inline uint64_t eight_shifts(const struct low_bits *low, int64_t first)
{
    uint64_t shifts = 0;
    if (low->shift)
        memcpy(&shifts, low->shift + first, sizeof shifts);
    return shifts;
}

/* Eight values with their low bits. */
WIDE static __m256i add_low_bits(__m256i value, uint64_t shifts, struct low_bits *low)
{
    int32_t bits[8];
    for (int lane = 0; lane < 8; lane++)
        bits[lane] = (int32_t)take_low(low, (int)(shifts >> 8 * lane & 0xFF));
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

WIDE static struct place decode_levels_wide(const struct level_slots *slots,
    const struct segment *segment, struct stream *stream, struct slice *slice, struct low_bits *low,
    struct place place, int64_t count)
{
    const uint8_t *word = stream->data + 2 * stream->place;
    const uint8_t *last = stream->data + 2 * (stream->count - 8);
    struct place here = place;
    for (; here.first + 8 <= place.first + count && here.lane + 8 <= slice->lanes && word <= last;
         here = moved(here, 8, slice->lanes)) {
        __m256i value, halves = _mm256_setzero_si256();
        int32_t *levels = slice->levels + here.first;
        uint64_t shifts = eight_shifts(low, here.first);
        if ((segment->count && !expect_eight(segment, levels, &halves)) || shifts & WIDE_SHIFTS
            || !read_eight_values(slots, slice->rows + here.first, slice->states + here.lane,
                halves, &word, &value))
            break;
        if (shifts)
            value = add_low_bits(value, shifts, low);
        store_limited(levels, _mm256_add_epi32(value, _mm256_srai_epi32(halves, 1)));
    }
    stream->place = (word - stream->data) / 2;
    return here;
}

struct place decode_many_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place place,
    int64_t count)
{
    if (stream->count - stream->place < 8 || !__builtin_cpu_supports("avx2")
        || !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
        return place;
    return decode_levels_wide(slots, segment, stream, slice, low, place, count);
}

#else

struct place decode_many_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place place,
    int64_t count)
{
    (void)slots, (void)segment, (void)stream, (void)slice, (void)low,
        (void)count;
    return place;
}

#endif
