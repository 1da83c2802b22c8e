/* Sixteen levels of points at a time, where the processor has AVX-512. Same results as
 * expected_points.c.
 */
#include "points.h"
#include "expected_points_wider.h"
#include "sixteen.h"

#ifdef HAS_EIGHT

/* Means that are farther from zero may need more than 32 bits. */
#define FARTHEST_HALVES (1 << 26)
#define LAST (POINT - 1)

/* What is known of sixteen levels by steps of two, or of the last of their points by four. */
WIDER_INLINE __m512i sixteen_rests(
    const struct parities *parities, int place, int64_t first, __mmask16 chosen)
{
    if (place == LAST) {
        __m128i sums = _mm_maskz_loadu_epi8(chosen, parities->sum + first);
        __m512i negative = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_cvtepu8_epi32(sums));
        return _mm512_and_si512(negative, _mm512_set1_epi32(3));
    }
    __m512i odd = sixteen_rows(parities->odd + first, chosen);
    odd = _mm512_srl_epi32(odd, _mm_cvtsi32_si128(place));
    return _mm512_and_si512(odd, _mm512_set1_epi32(1));
}

WIDER_INLINE int are_near(__m512i halves)
{
    return !_mm512_cmpgt_epi32_mask(
        _mm512_abs_epi32(halves), _mm512_set1_epi32(FARTHEST_HALVES));
}

WIDER_INLINE __m512i sixteen_quarters(__m512i halves, __m512i rests, int place)
{
    __m512i twice = _mm512_add_epi32(rests, rests);
    return place == LAST ? _mm512_srai_epi32(_mm512_sub_epi32(halves, twice), 1)
                         : _mm512_add_epi32(halves, twice);
}

/* How far the tables of sixteen symbols are from their first ones. */
WIDER_INLINE __m512i further(const struct level_slots *slots, __m512i quarters)
{
    int next = (int32_t)slots->next_phase;
    __m512i phases = _mm512_set4_epi32(2 * next, next, 2 * next, 0);
    return _mm512_permutexvar_epi32(quarters, phases); /* by their lower four bits */
}

/* Levels of numbers beyond what is expected. */
WIDER_INLINE __m512i sixteen_levels(__m512i quarters, __m512i value, __m512i rests, int place)
{
    const __m512i three = _mm512_set1_epi32(3), one = _mm512_set1_epi32(1);
    __mmask16 mirrored = _mm512_cmpeq_epi32_mask(_mm512_and_si512(quarters, three), three);
    value = _mm512_mask_sub_epi32(value, mirrored, one, value);
    __m512i number = _mm512_add_epi32(_mm512_srai_epi32(quarters, 2), value);
    return place == LAST ? _mm512_add_epi32(_mm512_slli_epi32(number, 2), rests)
                         : _mm512_sub_epi32(_mm512_add_epi32(number, number), rests);
}

/* Add the chosen of sixteen levels to the sums of their points. */
WIDER_INLINE void add_sixteen(uint8_t *sums, __m512i levels, __mmask16 chosen)
{
    __m128i before = _mm_maskz_loadu_epi8(chosen, sums);
    _mm_mask_storeu_epi8(sums, chosen, _mm_add_epi8(before, _mm512_cvtepi32_epi8(levels)));
}

WIDER static struct place decode_points_wider(const struct level_slots *slots,
    const struct segment *segment, struct stream *stream, struct slice *slice,
    const struct parities *parities, struct low_bits *low, struct place here, int64_t stop)
{
    const uint8_t *word = next_words(stream), *last = last_sixteen(stream);
    const int64_t points = parities->points;
    const int place = (int)(here.first / points);
    while (word <= last) {
        const int64_t point = here.first - place * points;
        const int run = long_run_of(slice, here, stop - here.first);
        const __mmask16 chosen = first_of_sixteen(run);
        int32_t *levels = slice->levels + here.first;
        __m512i value, halves = _mm512_setzero_si512();
        __m128i shifts = sixteen_shifts(low, here.first, chosen);
        if (run < FEWEST || !are_narrow(shifts)
            || (segment->count && !expect_sixteen(segment, levels, chosen, &halves)) || !are_near(halves))
            break;
        __m512i rests = sixteen_rests(parities, place, point, chosen);
        __m512i quarters = sixteen_quarters(halves, rests, place);
        __m512i row = _mm512_add_epi32(
            sixteen_rows(slice->rows + here.first, chosen), further(slots, quarters));
        if (!read_sixteen_values(slots, row, slice->states + here.lane, chosen, &word, &value))
            break;
        if (!_mm_testz_si128(shifts, shifts))
            value = add_long_low_bits(value, shifts, low);
        value = sixteen_levels(quarters, value, rests, place);
        _mm512_mask_storeu_epi32(levels, chosen, value);
        add_sixteen(parities->sum + point, value, chosen);
        here = moved(here, run, slice->lanes);
    }
    stream->place = (word - stream->data) / 2;
    return here;
}

struct place decode_wider_points(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, const struct parities *parities,
    struct low_bits *low, struct place here, int64_t stop)
{
    if (!can_sixteen(slots, slice, stream))
        return here;
    return decode_points_wider(slots, segment, stream, slice, parities, low, here, stop);
}

#else

struct place decode_wider_points(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, const struct parities *parities,
    struct low_bits *low, struct place here, int64_t stop)
{
    (void)slots, (void)segment, (void)stream, (void)slice, (void)parities, (void)low, (void)stop;
    return here;
}

#endif
