/* What decoding eight symbols at a time takes, where the processor can: AVX2 and BMI2.
 *
 * Knows nothing of what symbols mean.
 */
#ifndef MIDSTREAM_EIGHT_H
#define MIDSTREAM_EIGHT_H

#include "levels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_EIGHT

#include <immintrin.h>
#include <string.h>

#define WIDE __attribute__((target("avx2,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline)) WIDE

/* Makes half steps times 2^12, which are less than 2^51 from zero, positive. */
#define BIAS ((int64_t)1 << 52)
#define ONE_BYTES UINT64_C(0x0101010101010101)
/* Lanes that are worth it. */
#define FEWEST 4

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

/* States of which those that fell below their bound took the next words in order. */
INLINE __m256i refill_eight(__m256i state, const uint8_t **word)
{
    __m256i hungry = _mm256_cmpeq_epi32(_mm256_srli_epi32(state, 16), _mm256_setzero_si256());
    unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(hungry));
    /* how many lanes before each one take a word, a byte for each */
    long long taken = (long long)(_pdep_u64(mask, ONE_BYTES) * ONE_BYTES << 8);
    __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)*word));
    words = _mm256_permutevar8x32_epi32(words, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(taken)));
    __m256i refilled = _mm256_or_si256(_mm256_slli_epi32(state, 16), words);
    *word += 2 * _mm_popcnt_u32(mask);
    return _mm256_blendv_epi8(state, refilled, hungry);
}

/* Step some of eight lanes on. */
INLINE void advance_eight(uint32_t *states, __m256i chosen, __m256i frequency, __m256i offset,
    const uint8_t **word)
{
    __m256i before = _mm256_loadu_si256((const __m256i *)states);
    __m256i state = _mm256_mullo_epi32(frequency, _mm256_srli_epi32(before, TOTAL_BITS));
    state = _mm256_blendv_epi8(before, _mm256_add_epi32(state, offset), chosen);
    _mm256_storeu_si256((__m256i *)states, refill_eight(state, word));
}

/* How many of the next eight symbols are on lanes after each other. */
static inline int run_of(const struct slice *slice, struct place here, int64_t left)
{
    int64_t lanes = slice->lanes - here.lane, most = left < lanes ? left : lanes;
    return most < EIGHT ? (int)most : EIGHT;
}

/* Lanes that one step must have to be worth it. */
static inline int fewest_lanes(const struct slice *slice, const struct segment *segment)
{
    return slice->lanes < EIGHT && !segment->count ? EIGHT : FEWEST;
}

static inline const uint8_t *next_words(const struct stream *stream)
{
    return stream->data + 2 * stream->place;
}

/* The last place from which eight words may be read. */
static inline const uint8_t *last_words(const struct stream *stream)
{
    return stream->data + 2 * (stream->count - EIGHT);
}

static inline int has_eight(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")
        && __builtin_cpu_supports("popcnt");
}

#endif
#endif
