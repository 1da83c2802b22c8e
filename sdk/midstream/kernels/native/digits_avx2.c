/* Eight digits at a time, where the processor can. Same results as levels.c. */
#include "eight.h"

#ifdef HAS_EIGHT

/* Parents and means that leave room in 32 bits for what is computed of them. */
#define MAX_PARENT (1 << 26)
#define MAX_HALVES (1 << 28)

INLINE int are_within(__m256i values, int limit)
{
    __m256i beyond = _mm256_cmpgt_epi32(_mm256_abs_epi32(values), _mm256_set1_epi32(limit));
    return _mm256_testz_si256(beyond, beyond);
}

/* The first of the tables of each distance. */
INLINE __m256i tables_of(const uint16_t *rows, __m256i offset)
{
    __m256i distance = _mm256_min_epi32(_mm256_abs_epi32(offset), _mm256_set1_epi32(LAST_EDGE));
    __m256i class = _mm256_i32gather_epi32((const int *)class_of, distance, 1);
    class = _mm256_and_si256(class, _mm256_set1_epi32(0xFF));
    return _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)rows)), class);
}

/* Eight children of centres that are so far from what is expected; false, and nothing changed,
 * where one of the chosen digits is an escape. */
INLINE int decode_eight_digits(const uint16_t *starts, __m256i table, __m256i offset,
    __m256i centre, uint32_t *states, __m256i chosen, const uint8_t **word, int32_t *levels)
{
    const int *pairs = (const int *)starts;
    __m256i place = _mm256_slli_epi32(table, 1), upper = _mm256_set1_epi32(0xFFFF);
    __m256i lower_pair = _mm256_i32gather_epi32(pairs, place, 4);
    __m256i upper_pair = _mm256_i32gather_epi32(pairs + 1, place, 4);
    __m256i first = _mm256_srli_epi32(lower_pair, 16);
    __m256i second = _mm256_and_si256(upper_pair, upper);
    __m256i third = _mm256_srli_epi32(upper_pair, 16);
    __m256i slot = _mm256_and_si256(
        _mm256_loadu_si256((const __m256i *)states), _mm256_set1_epi32(TOTAL - 1));
    __m256i toward = _mm256_cmpgt_epi32(first, slot), inward = _mm256_cmpgt_epi32(second, slot);
    __m256i escaped = _mm256_andnot_si256(_mm256_cmpgt_epi32(third, slot), chosen);
    if (!_mm256_testz_si256(escaped, escaped))
        return 0;
    __m256i start = _mm256_andnot_si256(toward, _mm256_blendv_epi8(second, first, inward));
    __m256i end = _mm256_blendv_epi8(_mm256_blendv_epi8(third, second, inward), first, toward);
    advance_eight(states, chosen, _mm256_sub_epi32(end, start), _mm256_sub_epi32(slot, start), word);
    /* toward the mean -1, the same 0, away from it 1; the other way below it */
    __m256i outward = _mm256_add_epi32(_mm256_add_epi32(toward, inward), _mm256_set1_epi32(1));
    __m256i sign = _mm256_srai_epi32(offset, 31);
    __m256i digit = _mm256_sub_epi32(_mm256_xor_si256(outward, sign), sign);
    _mm256_storeu_si256((__m256i *)levels, _mm256_add_epi32(centre, digit));
    return 1;
}

WIDE static struct place decode_digits_wide(const uint16_t *starts, const struct segment *segment,
    struct stream *stream, struct slice *slice, const int32_t *parents, struct place place,
    int64_t count)
{
    const uint8_t *word = next_words(stream), *last = last_words(stream);
    struct place here = place;
    int fewest = fewest_lanes(slice, segment);
    while (here.first + EIGHT <= slice->count && word <= last) {
        int run = run_of(slice, here, place.first + count - here.first);
        __m256i halves = _mm256_setzero_si256();
        int32_t *levels = slice->levels + here.first;
        __m256i parent = _mm256_loadu_si256((const __m256i *)(parents + here.first));
        if (run < fewest || !are_within(parent, MAX_PARENT)
            || (segment->count && !expect_eight(segment, levels, &halves))
            || !are_within(halves, MAX_HALVES))
            break;
        __m256i centre = _mm256_add_epi32(parent, _mm256_slli_epi32(parent, 1));
        __m256i offset = _mm256_sub_epi32(_mm256_slli_epi32(centre, 1), halves);
        __m256i table = tables_of(slice->rows + here.first, offset);
        if (!decode_eight_digits(starts, table, offset, centre, slice->states + here.lane,
                first_lanes(run), &word, levels))
            break;
        here = moved(here, run, slice->lanes);
    }
    stream->place = (word - stream->data) / 2;
    return here;
}

struct place decode_many_digits(const uint16_t *starts, const struct segment *segment,
    struct stream *stream, struct slice *slice, const int32_t *parents, struct place place,
    int64_t count)
{
    if (stream->count - stream->place < EIGHT || !has_eight())
        return place;
    return decode_digits_wide(starts, segment, stream, slice, parents, place, count);
}

#else

struct place decode_many_digits(const uint16_t *starts, const struct segment *segment,
    struct stream *stream, struct slice *slice, const int32_t *parents, struct place place,
    int64_t count)
{
    (void)starts, (void)segment, (void)stream, (void)slice, (void)parents, (void)count;
    return place;
}

#endif
