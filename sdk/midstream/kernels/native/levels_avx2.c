/* Eight symbols at a time, where the processor can. Same results as levels.c. */
#include "eight_levels.h"
#include "levels_wider.h"

#ifdef HAS_EIGHT

int widest_levels(void)
{
    if (!has_eight())
        return 0;
    return 1
        + (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512vl"));
}

#define SIXTEEN (2 * EIGHT)

/* How far the tables of eight symbols are from their first ones. */
INLINE __m256i further(const struct level_slots *slots, __m256i halves)
{
    __m256i one = _mm256_set1_epi32(1);
    __m256i phase = _mm256_cmpeq_epi32(_mm256_and_si256(halves, one), one);
    return _mm256_and_si256(phase, _mm256_set1_epi32((int32_t)slots->next_phase));
}

/* The next sixteen levels of a segment, on as many lanes after each other; false, and nothing
 * changed, where they are not for that. There are more words than they take. */
INLINE int decode_sixteen(const struct level_slots *slots, const struct segment *segment,
    const uint8_t **word, struct slice *slice, struct low_bits *low, struct place here)
{
    int32_t *levels = slice->levels + here.first;
    const uint16_t *rows = slice->rows + here.first;
    __m256i row[2], value[2], halves[2];
    uint64_t shifts[2];
    for (int k = 0; k < 2; k++) {
        halves[k] = _mm256_setzero_si256();
        shifts[k] = eight_shifts(low, here.first + EIGHT * k, EIGHT);
        if ((segment->count && !expect_eight(segment, levels + EIGHT * k, &halves[k]))
            || shifts[k] & WIDE_SHIFTS)
            return 0;
        row[k] = _mm256_add_epi32(eight_rows(rows + EIGHT * k), further(slots, halves[k]));
    }
    if (!read_two_eights(slots, row, slice->states + here.lane, word, value))
        return 0;
    for (int k = 0; k < 2; k++) {
        if (shifts[k])
            value[k] = add_low_bits(value[k], shifts[k], low);
        store_limited(levels + EIGHT * k,
            _mm256_add_epi32(value[k], _mm256_srai_epi32(halves[k], 1)));
    }
    return 1;
}

/* As many times sixteen as there are words for. */
INLINE struct place decode_sixteens(const struct level_slots *slots, const struct segment *segment,
    const uint8_t **word, const uint8_t *last, struct slice *slice, struct low_bits *low,
    struct place here, int64_t end)
{
    while (end - here.first >= SIXTEEN && slice->lanes - here.lane >= SIXTEEN
        && last - *word >= 2 * EIGHT && decode_sixteen(slots, segment, word, slice, low, here))
        here = moved(here, SIXTEEN, slice->lanes);
    return here;
}

WIDE static struct place decode_levels_wide(const struct level_slots *slots,
    const struct segment *segment, struct stream *stream, struct slice *slice, struct low_bits *low,
    struct place place, int64_t count)
{
    const uint8_t *word = next_words(stream), *last = last_words(stream);
    struct place here = place;
    int fewest = fewest_lanes(slice, segment);
    here = decode_sixteens(
        slots, segment, &word, last, slice, low, here, place.first + count);
    while (here.first + EIGHT <= slice->count && word <= last) {
        int run = run_of(slice, here, place.first + count - here.first);
        __m256i value, halves = _mm256_setzero_si256();
        int32_t *levels = slice->levels + here.first;
        uint64_t shifts = eight_shifts(low, here.first, run);
        if (run < fewest || (segment->count && !expect_eight(segment, levels, &halves))
            || shifts & WIDE_SHIFTS
            || !read_eight_values(slots,
                _mm256_add_epi32(eight_rows(slice->rows + here.first), further(slots, halves)),
                slice->states + here.lane, first_lanes(run), &word, &value))
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
    const int64_t stop = place.first + count;
    place = decode_wider_levels(slots, segment, stream, slice, low, place, stop);
    if (place.first == stop || !slots->widest || stream->count - stream->place < EIGHT)
        return place;
    return decode_levels_wide(slots, segment, stream, slice, low, place, stop - place.first);
}

#else

int widest_levels(void)
{
    return 0;
}

struct place decode_many_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place place,
    int64_t count)
{
    (void)slots, (void)segment, (void)stream, (void)slice, (void)low,
        (void)count;
    return place;
}

#endif
