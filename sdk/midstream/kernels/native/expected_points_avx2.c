/* Eight levels of points at a time, where the processor can. Same results as expected_points.c. */
#include "eight_levels.h"
#include "expected_points.h"
#include "expected_points_wider.h"
#include "points.h"

#ifdef HAS_EIGHT

/* Means that are farther from zero may need more than 32 bits. */
#define FARTHEST_HALVES (1 << 26)
#define LAST (POINT - 1)

INLINE int are_near(__m256i halves)
{
    __m256i most = _mm256_set1_epi32(FARTHEST_HALVES), least = _mm256_set1_epi32(-FARTHEST_HALVES);
    __m256i far = _mm256_or_si256(
        _mm256_cmpgt_epi32(halves, most), _mm256_cmpgt_epi32(least, halves));
    return _mm256_testz_si256(far, far);
}

/* As rest_of in expected_points.c, of eight points. */
INLINE __m256i eight_rests(const struct parities *parities, int place, int64_t first)
{
    if (place == LAST) {
        __m128i sums = _mm_loadl_epi64((const __m128i *)(parities->sum + first));
        __m256i negative = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_cvtepu8_epi32(sums));
        return _mm256_and_si256(negative, _mm256_set1_epi32(3));
    }
    __m256i odd = eight_rows(parities->odd + first);
    odd = _mm256_srl_epi32(odd, _mm_cvtsi32_si128(place));
    return _mm256_and_si256(odd, _mm256_set1_epi32(1));
}

/* Add the chosen of eight levels to the sums of their points. */
INLINE void add_eight(uint8_t *sums, __m256i levels, __m256i chosen)
{
    const __m256i lowest = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
    __m256i bytes = _mm256_shuffle_epi8(_mm256_and_si256(levels, chosen), lowest);
    __m128i added = _mm_or_si128(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    __m128i before = _mm_loadl_epi64((const __m128i *)sums);
    _mm_storel_epi64((__m128i *)sums, _mm_add_epi8(before, added));
}

/* Levels of numbers beyond what is expected. */
INLINE __m256i eight_levels(__m256i quarters, __m256i value, __m256i rests, int place)
{
    __m256i three = _mm256_set1_epi32(3);
    __m256i mirrored = _mm256_cmpeq_epi32(_mm256_and_si256(quarters, three), three);
    /* 1 - value is -value + 1 */
    value = _mm256_sub_epi32(_mm256_xor_si256(value, mirrored), mirrored);
    value = _mm256_sub_epi32(value, mirrored);
    __m256i number = _mm256_add_epi32(_mm256_srai_epi32(quarters, 2), value);
    return place == LAST ? _mm256_add_epi32(_mm256_slli_epi32(number, 2), rests)
                         : _mm256_sub_epi32(_mm256_add_epi32(number, number), rests);
}

INLINE __m256i eight_quarters(__m256i halves, __m256i rests, int place)
{
    __m256i twice = _mm256_add_epi32(rests, rests);
    return place == LAST ? _mm256_srai_epi32(_mm256_sub_epi32(halves, twice), 1)
                         : _mm256_add_epi32(halves, twice);
}

/* How far the tables of eight symbols are from their first ones. */
INLINE __m256i further(const struct level_slots *slots, __m256i quarters)
{
    int next = (int32_t)slots->next_phase;
    __m256i phases = _mm256_setr_epi32(0, 2 * next, next, 2 * next, 0, 2 * next, next, 2 * next);
    return _mm256_permutevar8x32_epi32(phases, quarters); /* by their lower three bits */
}

WIDE static struct place decode_points_wide(const struct level_slots *slots,
    const struct segment *segment, struct stream *stream, struct slice *slice,
    const struct parities *parities, struct low_bits *low, struct place here, int64_t stop)
{
    const uint8_t *word = next_words(stream), *last = last_words(stream);
    const int64_t points = parities->points, place = here.first / points;
    const int fewest = fewest_lanes(slice, segment);
    while (here.first + EIGHT <= slice->count && word <= last) {
        int64_t point = here.first - place * points;
        int run = run_of(slice, here, stop - here.first);
        int32_t *levels = slice->levels + here.first;
        __m256i value, halves = _mm256_setzero_si256();
        uint64_t shifts = eight_shifts(low, here.first, run);
        if (run < fewest || point + EIGHT > points || shifts & WIDE_SHIFTS
            || (segment->count && !expect_eight(segment, levels, &halves)) || !are_near(halves))
            break;
        __m256i rests = eight_rests(parities, (int)place, point), chosen = first_lanes(run);
        __m256i quarters = eight_quarters(halves, rests, (int)place);
        __m256i row = _mm256_add_epi32(
            eight_rows(slice->rows + here.first), further(slots, quarters));
        if (!read_eight_values(slots, row, slice->states + here.lane, chosen, &word, &value))
            break;
        if (shifts)
            value = add_low_bits(value, shifts, low);
        value = eight_levels(quarters, value, rests, (int)place);
        /* those beyond the run are read anew */
        _mm256_storeu_si256((__m256i *)levels, value);
        add_eight(parities->sum + point, value, chosen);
        here = moved(here, run, slice->lanes);
    }
    stream->place = (word - stream->data) / 2;
    return here;
}

struct place decode_many_points(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, const struct parities *parities,
    struct low_bits *low, struct place here, int64_t stop)
{
    here = decode_wider_points(slots, segment, stream, slice, parities, low, here, stop);
    if (here.first == stop || !slots->widest || stream->count - stream->place < EIGHT)
        return here;
    return decode_points_wide(slots, segment, stream, slice, parities, low, here, stop);
}

#else

struct place decode_many_points(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, const struct parities *parities,
    struct low_bits *low, struct place here, int64_t stop)
{
    (void)slots, (void)segment, (void)stream, (void)slice, (void)parities, (void)low, (void)stop;
    return here;
}

#endif
