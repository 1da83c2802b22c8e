/* Flags of eight lanes at a time, where the processor can. Same results as core.c. */
#include "core.h"
#include "eight.h"

#ifdef HAS_EIGHT

#define MOST_EIGHTS 4
#define WORDS_AHEAD 16 /* bytes that are loaded at once */

/* A flag of each of eight lanes, a byte for each. */
INLINE uint64_t eight_flags(uint32_t ones, __m256i *states, const uint8_t **word)
{
    const __m256i zeros = _mm256_set1_epi32((int32_t)(TOTAL - ones));
    const __m256i others = _mm256_set1_epi32((int32_t)(ones ^ (TOTAL - ones)));
    __m256i rest = _mm256_and_si256(*states, _mm256_set1_epi32(TOTAL - 1));
    __m256i zero = _mm256_cmpgt_epi32(zeros, rest);
    __m256i frequency = _mm256_xor_si256(zeros, _mm256_andnot_si256(zero, others));
    __m256i offset = _mm256_sub_epi32(rest, _mm256_andnot_si256(zero, zeros));
    __m256i scaled = _mm256_mullo_epi32(frequency, _mm256_srli_epi32(*states, TOTAL_BITS));
    *states = refill_eight(_mm256_add_epi32(scaled, offset), word);
    unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(zero));
    return _pdep_u64(~mask & 255, ONE_BYTES);
}

INLINE int64_t flag_rounds(uint32_t ones, const uint8_t **next, const uint8_t *end,
    uint32_t *states, uint8_t *core, int64_t count, const int eights)
{
    const int lanes = EIGHT * eights;
    const uint8_t *word = *next;
    __m256i state[MOST_EIGHTS];
    int64_t i = 0;
    for (int k = 0; k < eights; k++)
        state[k] = _mm256_loadu_si256((const void *)(states + EIGHT * k));
    for (; count - i >= lanes && end - word >= 2 * lanes + WORDS_AHEAD; i += lanes)
        for (int k = 0; k < eights; k++) {
            uint64_t flags = eight_flags(ones, &state[k], &word);
            memcpy(core + i + EIGHT * k, &flags, sizeof flags);
        }
    for (int k = 0; k < eights; k++)
        _mm256_storeu_si256((void *)(states + EIGHT * k), state[k]);
    *next = word;
    return i;
}

WIDE int64_t wide_flags(uint32_t ones, const uint8_t **next, const uint8_t *end, uint32_t *states,
    int64_t lanes, uint8_t *core, int64_t count)
{
    if (lanes == 32)
        return flag_rounds(ones, next, end, states, core, count, 4);
    if (lanes == 16)
        return flag_rounds(ones, next, end, states, core, count, 2);
    return lanes == 8 ? flag_rounds(ones, next, end, states, core, count, 1) : 0;
}

#else

int64_t wide_flags(uint32_t ones, const uint8_t **next, const uint8_t *end, uint32_t *states,
    int64_t lanes, uint8_t *core, int64_t count)
{
    (void)ones, (void)next, (void)end, (void)states, (void)lanes, (void)core, (void)count;
    return 0;
}

#endif
