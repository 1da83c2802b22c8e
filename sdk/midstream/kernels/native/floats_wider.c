/* Symbols of sixteen lanes at a time, where the processor has AVX-512. Same results as floats_wide.c. */
#include "floats_wider.h"

#if defined(__GNUC__) && defined(__x86_64__)

#include <immintrin.h>

#include "rans.h"

#define WIDER __attribute__((target("avx512f,popcnt")))
#define SIXTEEN 16
#define WORDS_AHEAD 32 /* bytes that are loaded at once */

int has_wider(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("popcnt");
}

/* A symbol of each of sixteen lanes. */
WIDER static inline __m128i sixteen_symbols(
    const uint32_t *slots, const uint8_t **next, __m512i *states, const uint8_t *rows)
{
    const __m512i low = _mm512_set1_epi32(TOTAL - 1);
    __m512i row = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)rows));
    __m512i rest = _mm512_and_si512(*states, low);
    __m512i place = _mm512_or_si512(_mm512_slli_epi32(row, SLOT_BITS),
        _mm512_srli_epi32(rest, TOTAL_BITS - SLOT_BITS));
    __m512i slot = _mm512_i32gather_epi32(place, slots, 4);
    __m512i start = _mm512_and_si512(_mm512_srli_epi32(slot, 12), low);
    __m512i scaled = _mm512_mullo_epi32(
        _mm512_and_si512(slot, low), _mm512_srli_epi32(*states, TOTAL_BITS));
    __m512i state = _mm512_add_epi32(scaled, _mm512_sub_epi32(rest, start));
    __mmask16 hungry = _mm512_cmplt_epu32_mask(state, _mm512_set1_epi32(STATE_START));
    /* the first word for the first hungry lane, and so on */
    __m512i words = _mm512_maskz_expand_epi32(
        hungry, _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)*next)));
    *next += 2 * __builtin_popcount(hungry);
    *states = _mm512_mask_or_epi32(state, hungry, _mm512_slli_epi32(state, 16), words);
    return _mm512_cvtepi32_epi8(_mm512_srli_epi32(slot, 24));
}

/* Rounds of so many times sixteen lanes. */
WIDER static inline int64_t rounds(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, uint8_t *rows, int64_t count, const int sixteens)
{
    const int lanes = SIXTEEN * sixteens;
    const uint8_t *word = *next;
    __m512i state[2];
    int64_t i = 0;
    for (int k = 0; k < sixteens; k++)
        state[k] = _mm512_loadu_si512(states + SIXTEEN * k);
    for (; count - i >= lanes && end - word >= 2 * lanes + WORDS_AHEAD; i += lanes)
        for (int k = 0; k < sixteens; k++) {
            uint8_t *here = rows + i + SIXTEEN * k;
            _mm_storeu_si128((void *)here, sixteen_symbols(slots, &word, &state[k], here));
        }
    for (int k = 0; k < sixteens; k++)
        _mm512_storeu_si512(states + SIXTEEN * k, state[k]);
    *next = word;
    return i;
}

WIDER int64_t wider_symbols(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, int64_t lanes, uint8_t *rows, int64_t count)
{
    if (lanes == 2 * SIXTEEN)
        return rounds(slots, next, end, states, rows, count, 2);
    return lanes == SIXTEEN ? rounds(slots, next, end, states, rows, count, 1) : 0;
}

#else

int has_wider(void)
{
    return 0;
}

int64_t wider_symbols(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, int64_t lanes, uint8_t *rows, int64_t count)
{
    (void)slots, (void)next, (void)end, (void)states, (void)lanes, (void)rows, (void)count;
    return 0;
}

#endif
