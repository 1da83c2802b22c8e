/* What decoding sixteen levels at a time takes, where the processor has AVX-512.
 *
 * Lanes that are not chosen are neither read nor written, in memory nor in their states.
 */
#ifndef MIDSTREAM_SIXTEEN_H
#define MIDSTREAM_SIXTEEN_H

#include "eight_levels.h"

#ifdef HAS_EIGHT

#define WIDER __attribute__((target("avx2,bmi2,popcnt,avx512f,avx512bw,avx512vl")))
#define WIDER_INLINE static inline __attribute__((always_inline)) WIDER
#define SIXTEEN 16

/* How many of the next sixteen symbols are on lanes after each other. */
static inline int long_run_of(const struct slice *slice, struct place here, int64_t left)
{
    int64_t lanes = slice->lanes - here.lane, most = left < lanes ? left : lanes;
    return most < SIXTEEN ? (int)most : SIXTEEN;
}

/* As expect_eight, of the chosen of sixteen levels. */
WIDER_INLINE int expect_sixteen(
    const struct segment *segment, const int32_t *here, __mmask16 chosen, __m512i *halves)
{
    __m512i even = _mm512_set1_epi64(BIAS + (1 << (GAIN_BITS - 1))), odd = even;
    const __m512i most = _mm512_set1_epi32(NEIGHBOUR_LIMIT), least = _mm512_set1_epi32(-NEIGHBOUR_LIMIT);
    for (int t = 0; t < segment->count; t++) {
        __m512i gain = _mm512_set1_epi64(segment->gain[t]);
        __m512i near = _mm512_maskz_loadu_epi32(chosen, here - segment->distance[t]);
        near = _mm512_max_epi32(_mm512_min_epi32(near, most), least);
        even = _mm512_add_epi64(even, _mm512_mul_epi32(near, gain));
        odd = _mm512_add_epi64(odd, _mm512_mul_epi32(_mm512_srli_epi64(near, 32), gain));
    }
    even = _mm512_srli_epi64(even, GAIN_BITS);
    odd = _mm512_srli_epi64(odd, GAIN_BITS);
    *halves = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
    __m512i upper = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
    __m512i wanted = _mm512_add_epi32(
        _mm512_set1_epi32((int)(BIAS >> (GAIN_BITS + 32))), _mm512_srai_epi32(*halves, 31));
    return _mm512_cmpneq_epi32_mask(upper, wanted) == 0;
}

/* Step the chosen of sixteen lanes past their symbols; a word for each of them is ahead. */
WIDER_INLINE void advance_sixteen(uint32_t *states, __mmask16 chosen, __m512i before,
    __m512i frequency, __m512i offset, const uint8_t **word)
{
    __m512i state = _mm512_add_epi32(
        _mm512_mullo_epi32(frequency, _mm512_srli_epi32(before, TOTAL_BITS)), offset);
    __mmask16 hungry
        = _mm512_mask_cmplt_epu32_mask(chosen, state, _mm512_set1_epi32(STATE_START));
    /* the first word for the first hungry lane, and so on */
    __m512i words = _mm512_maskz_expand_epi32(
        hungry, _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)*word)));
    *word += 2 * _mm_popcnt_u32(hungry);
    state = _mm512_mask_or_epi32(state, hungry, _mm512_slli_epi32(state, 16), words);
    _mm512_mask_storeu_epi32(states, chosen, state);
}

/* The values of the chosen of sixteen symbols, each in a table; false, and nothing changed, where
 * one of them is an escape. */
WIDER_INLINE int read_sixteen_values(const struct level_slots *slots, __m512i row,
    uint32_t *states, __mmask16 chosen, const uint8_t **word, __m512i *value)
{
    const __m512i low = _mm512_set1_epi32(TOTAL - 1);
    __m512i before = _mm512_maskz_loadu_epi32(chosen, states), slot = _mm512_and_si512(before, low);
    __m512i place
        = _mm512_or_si512(_mm512_slli_epi32(row, LEVEL_SLOT_BITS), _mm512_srli_epi32(slot, 1));
    __m512i entry = _mm512_mask_i32gather_epi32(
        _mm512_setzero_si512(), chosen, place, slots->slot, 4);
    *value = _mm512_srai_epi32(entry, 24);
    if (_mm512_cmpeq_epi32_mask(*value, _mm512_set1_epi32(ESCAPED)))
        return 0;
    __m512i frequency = _mm512_and_si512(entry, low);
    __m512i start = _mm512_and_si512(_mm512_srli_epi32(entry, TOTAL_BITS), low);
    advance_sixteen(states, chosen, before, frequency, _mm512_sub_epi32(slot, start), word);
    return 1;
}

/* Sixteen values with their low bits. */
WIDER_INLINE __m512i add_long_low_bits(__m512i value, __m128i shifts, struct low_bits *low)
{
    __m256i lower = add_low_bits(
        _mm512_castsi512_si256(value), (uint64_t)_mm_cvtsi128_si64(shifts), low);
    __m256i upper = add_low_bits(_mm512_extracti64x4_epi64(value, 1),
        (uint64_t)_mm_extract_epi64(shifts, 1), low);
    return _mm512_inserti64x4(_mm512_castsi256_si512(lower), upper, 1);
}

/* The tables of sixteen symbols, the first ones. */
WIDER_INLINE __m512i sixteen_rows(const uint16_t *rows, __mmask16 chosen)
{
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(chosen, rows));
}

static inline __mmask16 first_of_sixteen(int count)
{
    return (__mmask16)((1 << count) - 1);
}

/* The last place from which sixteen words may be read. */
static inline const uint8_t *last_sixteen(const struct stream *stream)
{
    return stream->data + 2 * (stream->count - SIXTEEN);
}

static inline int can_sixteen(
    const struct level_slots *slots, const struct slice *slice, const struct stream *stream)
{
    return slots->widest > 1 && slice->lanes >= SIXTEEN && stream->count - stream->place >= SIXTEEN;
}

/* Whether no shift is so wide that a value may need more than 32 bits. */
WIDER_INLINE int are_narrow(__m128i shifts)
{
    return _mm_testz_si128(shifts, _mm_set1_epi8((char)0xF0));
}

/* The shifts of the chosen of sixteen levels, a byte for each; 0 of the others. */
WIDER_INLINE __m128i sixteen_shifts(const struct low_bits *low, int64_t first, __mmask16 chosen)
{
    return low->shift ? _mm_maskz_loadu_epi8(chosen, low->shift + first) : _mm_setzero_si128();
}

#endif
#endif
