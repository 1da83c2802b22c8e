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
/* Lanes that are worth it. */
#define FEWEST 4
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

/* Which of eight lanes are among the first so many. */
INLINE __m256i first_lanes(int count)
{
    return _mm256_cmpgt_epi32(
        _mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Step some of eight lanes on; those that fell below their bound take the next words in order. */
INLINE void advance_eight(uint32_t *states, __m256i chosen, __m256i frequency, __m256i offset,
    const uint8_t **word)
{
    __m256i before = _mm256_loadu_si256((const __m256i *)states);
    __m256i state = _mm256_mullo_epi32(frequency, _mm256_srli_epi32(before, TOTAL_BITS));
    state = _mm256_blendv_epi8(before, _mm256_add_epi32(state, offset), chosen);
    __m256i hungry = _mm256_cmpeq_epi32(_mm256_srli_epi32(state, 16), _mm256_setzero_si256());
    unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(hungry));
    /* how many lanes before each one take a word, a byte for each */
    long long taken = (long long)(_pdep_u64(mask, ONE_BYTES) * ONE_BYTES << 8);
    __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)*word));
    words = _mm256_permutevar8x32_epi32(words, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(taken)));
    __m256i refilled = _mm256_or_si256(_mm256_slli_epi32(state, 16), words);
    _mm256_storeu_si256((__m256i *)states, _mm256_blendv_epi8(state, refilled, hungry));
    *word += 2 * _mm_popcnt_u32(mask);
}

/* The values of the chosen of eight symbols; false, and nothing changed, where one of them is
 * an escape. */
INLINE int read_eight_values(const struct level_slots *slots, const uint16_t *rows,
    uint32_t *states, __m256i chosen, __m256i halves, const uint8_t **word, __m256i *value)
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

/* How many of the next eight symbols are on lanes after each other. */
static inline int run_of(const struct slice *slice, struct place here, int64_t left)
{
    int64_t lanes = slice->lanes - here.lane, most = left < lanes ? left : lanes;
    return most < EIGHT ? (int)most : EIGHT;
}

/* As take_low, at most 57 bits. */
static inline int64_t take_low_at_once(struct low_bits *low, int shift)
{
    uint64_t bits;
    if ((low->place >> 3) + (int64_t)sizeof bits > low->size)
        return take_low(low, shift);
    memcpy(&bits, low->data + (low->place >> 3), sizeof bits);
    bits >>= low->place & 7;
    low->place += shift;
    return (int64_t)(bits & ((UINT64_C(1) << shift) - 1));
}

/* Eight values with their low bits. */
WIDE static __m256i add_low_bits(__m256i value, uint64_t shifts, struct low_bits *low)
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

WIDE static struct place decode_levels_wide(const struct level_slots *slots,
    const struct segment *segment, struct stream *stream, struct slice *slice, struct low_bits *low,
    struct place place, int64_t count)
{
    const uint8_t *word = stream->data + 2 * stream->place;
    const uint8_t *last = stream->data + 2 * (stream->count - EIGHT);
    struct place here = place;
    int fewest = slice->lanes < EIGHT && !segment->count ? EIGHT : FEWEST;
    while (here.first + EIGHT <= slice->count && word <= last) {
        int run = run_of(slice, here, place.first + count - here.first);
        __m256i value, halves = _mm256_setzero_si256();
        int32_t *levels = slice->levels + here.first;
        uint64_t shifts = eight_shifts(low, here.first, run);
        if (run < fewest || (segment->count && !expect_eight(segment, levels, &halves))
            || shifts & WIDE_SHIFTS
            || !read_eight_values(slots, slice->rows + here.first, slice->states + here.lane,
                first_lanes(run), halves, &word, &value))
            break;
        if (shifts)
            value = add_low_bits(value, shifts, low);
        /* those beyond the run are read anew */
        store_limited(levels, _mm256_add_epi32(value, _mm256_srai_epi32(halves, 1)));
        here = moved(here, run, slice->lanes);
    }
    stream->place = (word - stream->data) / 2;
    return here;
}

struct place decode_many_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place place,
    int64_t count)
{
    if (stream->count - stream->place < EIGHT || !__builtin_cpu_supports("avx2")
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
