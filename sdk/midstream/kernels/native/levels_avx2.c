/* Eight symbols at a time, where the processor can. Same results as levels.c. */
#include "eight.h"

#ifdef HAS_EIGHT

/* Shifts of 16 and more: with them a value may need more than 32 bits. */
#define WIDE_SHIFTS UINT64_C(0xF0F0F0F0F0F0F0F0)

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
    const uint8_t *word = next_words(stream), *last = last_words(stream);
    struct place here = place;
    int fewest = fewest_lanes(slice, segment);
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
    if (!can_eight(stream))
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
