/* Sixteen symbols at a time, where the processor has AVX-512. Same results as levels.c. */
#include "levels_wider.h"

#include "sixteen.h"

#ifdef HAS_EIGHT

WIDER static struct place decode_levels_wider(const struct level_slots *slots,
    const struct segment *segment, struct stream *stream, struct slice *slice, struct low_bits *low,
    struct place here, int64_t stop)
{
    const __m512i one = _mm512_set1_epi32(1), next = _mm512_set1_epi32((int)slots->next_phase);
    const __m512i most = _mm512_set1_epi32(LEVEL_LIMIT), least = _mm512_set1_epi32(-LEVEL_LIMIT);
    const uint8_t *word = next_words(stream), *last = last_sixteen(stream);
    while (word <= last) {
        const int run = long_run_of(slice, here, stop - here.first);
        const __mmask16 chosen = first_of_sixteen(run);
        __m512i value, halves = _mm512_setzero_si512();
        __m128i shifts = sixteen_shifts(low, here.first, chosen);
        int32_t *levels = slice->levels + here.first;
        __m512i row = sixteen_rows(slice->rows + here.first, chosen);
        if (run < FEWEST || !are_narrow(shifts)
            || (segment->count && !expect_sixteen(segment, levels, chosen, &halves)))
            break;
        row = _mm512_mask_add_epi32(row, _mm512_test_epi32_mask(halves, one), row, next);
        if (!read_sixteen_values(
                slots, row, slice->states + here.lane, chosen, &word, &value))
            break;
        if (!_mm_testz_si128(shifts, shifts))
            value = add_long_low_bits(value, shifts, low);
        value = _mm512_add_epi32(value, _mm512_srai_epi32(halves, 1));
        value = _mm512_max_epi32(_mm512_min_epi32(value, most), least);
        _mm512_mask_storeu_epi32(levels, chosen, value);
        here = moved(here, run, slice->lanes);
    }
    stream->place = (word - stream->data) / 2;
    return here;
}

struct place decode_wider_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place here,
    int64_t stop)
{
    if (!can_sixteen(slots, slice, stream))
        return here;
    return decode_levels_wider(slots, segment, stream, slice, low, here, stop);
}

#else

struct place decode_wider_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place here,
    int64_t stop)
{
    (void)slots, (void)segment, (void)stream, (void)slice, (void)low, (void)stop;
    return here;
}

#endif
