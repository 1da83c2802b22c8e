#include "prediction.h"

#define NEIGHBOUR_LIMIT (1 << 20)
#define GAIN_BITS 12
#define LEVEL_LIMIT ((1 << 30) + 1)
#define LAST_EDGE 90

/* The class of each distance between a cell's centre and the mean, in half steps. */
static const uint8_t class_of[LAST_EDGE + 1] = { 0, 1, 2, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9, 9, 9,
    9, 10, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 11, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 15 };

/* The terms of one segment. */
struct segment {
    int64_t length;
    int count;
    const int32_t *distance;
    const int64_t *gain;
};

static inline int64_t clamp(int64_t value, int64_t limit)
{
    return value < -limit ? -limit : value > limit ? limit : value;
}

/* The next segment, of at most `left` weights, `done` of the slice before it. False where it
 * is none: then nothing more is read. */
static int next_segment(struct terms *terms, int64_t done, int64_t left, struct segment *segment)
{
    if (!terms->segments)
        return 0;
    segment->length = *terms->length++;
    segment->count = *terms->count++;
    segment->distance = terms->distance;
    segment->gain = terms->gain;
    terms->segments--;
    if (segment->length < 1 || segment->length > left || segment->count < 0
        || segment->count > MAX_TERMS || segment->count > terms->terms)
        return 0;
    for (int t = 0; t < segment->count; t++)
        if (segment->distance[t] < 1 || segment->distance[t] > done
            || segment->gain[t] < -MAX_GAIN || segment->gain[t] > MAX_GAIN)
            return 0;
    terms->distance += segment->count;
    terms->gain += segment->count;
    terms->terms -= segment->count;
    return 1;
}

/* What is expected of the level at `here`, in half steps. */
static inline int64_t mean(const struct segment *segment, const int32_t *here)
{
    int64_t total = 1 << (GAIN_BITS - 1);
    for (int t = 0; t < segment->count; t++)
        total += segment->gain[t] * clamp(here[-(int64_t)segment->distance[t]], NEIGHBOUR_LIMIT);
    return total >> GAIN_BITS;
}

static inline int64_t take(struct escapes *escapes)
{
    int64_t last = escapes->count - 1, place = escapes->place++;
    return escapes->value[place < last ? place : last];
}

/* The slot of a lane's next symbol; the lane is stepped on. */
static inline int64_t next_slot(
    const struct slots *slots, struct words *words, uint32_t *state, int64_t row)
{
    int64_t slot = row << TOTAL_BITS | (*state & (TOTAL - 1));
    *state = step(*state, slots->frequency[slot], slots->offset[slot], words);
    return slot;
}

static int rows_fit(const struct slice *slice, int64_t rows, int64_t choices)
{
    int64_t largest = 0;
    for (int64_t i = 0; i < slice->count; i++)
        largest = slice->rows[i] > largest ? slice->rows[i] : largest;
    return largest <= rows - choices;
}

int decode_levels_slice(const struct slots *slots, struct words *words, struct slice *slice,
    const struct grains *grains, struct escapes *escapes, struct terms *terms)
{
    struct segment segment;
    int64_t lane = 0;
    if (!rows_fit(slice, slots->rows, 2))
        return 0;
    for (int64_t i = 0; i < slice->count;) {
        if (!next_segment(terms, i, slice->count - i, &segment))
            return 0;
        for (int64_t end = i + segment.length; i < end; i++) {
            int64_t halves = mean(&segment, slice->levels + i);
            int64_t row = slice->rows[i] + (halves & 1);
            int64_t slot = next_slot(slots, words, &slice->states[lane], row);
            int64_t value = (int8_t)slots->symbol[slot], unit = (int64_t)1 << grains->shift[i];
            if (value == ESCAPED)
                value = take(escapes);
            value = value * unit + grains->low[i] - (unit >> 1) + (halves >> 1);
            slice->levels[i] = (int32_t)clamp(value, LEVEL_LIMIT);
            lane = lane + 1 == slice->lanes ? 0 : lane + 1;
        }
    }
    return 1;
}

int decode_digits_slice(const struct slots *slots, struct words *words, struct slice *slice,
    const int32_t *parents, struct escapes *escapes, struct terms *terms)
{
    struct segment segment;
    int64_t lane = 0;
    if (!rows_fit(slice, slots->rows, CLASSES))
        return 0;
    for (int64_t i = 0; i < slice->count;) {
        if (!next_segment(terms, i, slice->count - i, &segment))
            return 0;
        for (int64_t end = i + segment.length; i < end; i++) {
            int64_t centre = 3 * (int64_t)parents[i];
            int64_t offset = 2 * centre - mean(&segment, slice->levels + i);
            int64_t distance = offset < 0 ? -offset : offset;
            int64_t row = slice->rows[i] + class_of[distance < LAST_EDGE ? distance : LAST_EDGE];
            int64_t slot = next_slot(slots, words, &slice->states[lane], row);
            int64_t outward = slots->symbol[slot] - 1, digit = offset < 0 ? -outward : outward;
            if (outward == 2)
                digit = take(escapes);
            slice->levels[i] = (int32_t)clamp(centre + digit, LEVEL_LIMIT);
            lane = lane + 1 == slice->lanes ? 0 : lane + 1;
        }
    }
    return 1;
}

int predict_slice(const int32_t *levels, int64_t count, struct terms *terms, int64_t *halves)
{
    struct segment segment;
    for (int64_t i = 0; i < count;) {
        if (!next_segment(terms, i, count - i, &segment))
            return 0;
        for (int64_t end = i + segment.length; i < end; i++)
            halves[i] = mean(&segment, levels + i);
    }
    return 1;
}
