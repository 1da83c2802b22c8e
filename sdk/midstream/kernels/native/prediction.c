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

/* Where a slice is: the next symbol, its lane, and the word it may take. */
struct cursor {
    int64_t here, lane;
    const uint16_t *word;
};

/* How many of so many symbols can be decoded without a look at the end of the words: each
 * takes one at most, and one more is looked at. */
static int64_t safe_run(const struct words *words, int64_t symbols)
{
    int64_t left = words->count - words->place - 1;
    return left < 0 ? 0 : left < symbols ? left : symbols;
}

/* The slot of a lane's next symbol; the lane is stepped on. No branch: whether a lane takes a
 * word cannot be foretold. */
static inline int64_t next_slot(const uint16_t *restrict frequency,
    const uint16_t *restrict offset, uint32_t *restrict state, const uint16_t **word, int64_t row)
{
    int64_t slot = row << TOTAL_BITS | (*state & (TOTAL - 1));
    uint32_t stepped = frequency[slot] * (*state >> TOTAL_BITS) + offset[slot];
    uint32_t refilled = stepped << 16 | **word, hungry = stepped < STATE_START;
    *word += hungry;
    *state = stepped ^ ((stepped ^ refilled) & -hungry);
    return slot;
}

static int rows_fit(const struct slice *slice, int64_t rows, int64_t choices)
{
    int64_t largest = 0;
    for (int64_t i = 0; i < slice->count; i++)
        largest = slice->rows[i] > largest ? slice->rows[i] : largest;
    return largest <= rows - choices;
}

static inline int32_t level_of(
    int64_t value, const struct grains *grains, int64_t at, struct escapes *escapes, int64_t halves)
{
    int64_t unit = (int64_t)1 << grains->shift[at];
    if (value == ESCAPED)
        value = take(escapes);
    value = value * unit + grains->low[at] - (unit >> 1) + (halves >> 1);
    return (int32_t)clamp(value, LEVEL_LIMIT);
}

/* So many levels of a segment, `count` of whose terms are looked at. */
static inline void run_levels(const struct slots *slots, struct slice *slice,
    const struct grains *grains, struct escapes *escapes, const struct segment *segment,
    const int count, int64_t run, struct cursor *cursor)
{
    const uint16_t *restrict frequency = slots->frequency, *restrict offset = slots->offset;
    const uint16_t *restrict rows = slice->rows, *word = cursor->word;
    const int8_t *restrict symbol = (const int8_t *)slots->symbol;
    uint32_t *restrict states = slice->states;
    int32_t *levels = slice->levels;
    int64_t lane = cursor->lane, lanes = slice->lanes, end = cursor->here + run;
    for (int64_t i = cursor->here; i < end; i++) {
        int64_t halves = count ? mean(segment, levels + i) : 0;
        int64_t slot = next_slot(frequency, offset, &states[lane], &word, rows[i] + (halves & 1));
        levels[i] = level_of(symbol[slot], grains, i, escapes, halves);
        lane = lane + 1 == lanes ? 0 : lane + 1;
    }
    cursor->here = end;
    cursor->lane = lane;
    cursor->word = word;
}

/* One level near the end of the words, or beyond it. */
static void last_level(const struct slots *slots, struct words *words, struct slice *slice,
    const struct grains *grains, struct escapes *escapes, const struct segment *segment,
    struct cursor *cursor)
{
    int64_t i = cursor->here++, halves = mean(segment, slice->levels + i);
    uint32_t *state = &slice->states[cursor->lane];
    int64_t slot = (slice->rows[i] + (halves & 1)) << TOTAL_BITS | (*state & (TOTAL - 1));
    *state = step(*state, slots->frequency[slot], slots->offset[slot], words);
    slice->levels[i] = level_of((int8_t)slots->symbol[slot], grains, i, escapes, halves);
    cursor->lane = cursor->lane + 1 == slice->lanes ? 0 : cursor->lane + 1;
}

int decode_levels_slice(const struct slots *slots, struct words *words, struct slice *slice,
    const struct grains *grains, struct escapes *escapes, struct terms *terms)
{
    struct segment segment;
    struct cursor cursor = { 0, 0, NULL };
    if (!rows_fit(slice, slots->rows, 2))
        return 0;
    while (cursor.here < slice->count) {
        if (!next_segment(terms, cursor.here, slice->count - cursor.here, &segment))
            return 0;
        int64_t end = cursor.here + segment.length, run;
        while ((run = safe_run(words, end - cursor.here)) > 0) {
            cursor.word = words->word + words->place;
            if (segment.count)
                run_levels(slots, slice, grains, escapes, &segment, 1, run, &cursor);
            else
                run_levels(slots, slice, grains, escapes, &segment, 0, run, &cursor);
            words->place = cursor.word - words->word;
        }
        while (cursor.here < end)
            last_level(slots, words, slice, grains, escapes, &segment, &cursor);
    }
    return 1;
}

/* So many children of a segment. */
static void run_digits(const struct slots *slots, struct slice *slice, const int32_t *parents,
    struct escapes *escapes, const struct segment *segment, int64_t run, struct cursor *cursor,
    struct words *words)
{
    const uint16_t *word = cursor->word;
    for (int64_t end = cursor->here + run; cursor->here < end; cursor->here++) {
        int64_t i = cursor->here, centre = 3 * (int64_t)parents[i];
        int64_t offset = 2 * centre - mean(segment, slice->levels + i);
        int64_t distance = offset < 0 ? -offset : offset;
        int64_t row = slice->rows[i] + class_of[distance < LAST_EDGE ? distance : LAST_EDGE];
        uint32_t *state = &slice->states[cursor->lane];
        int64_t slot = row << TOTAL_BITS | (*state & (TOTAL - 1));
        if (words)
            *state = step(*state, slots->frequency[slot], slots->offset[slot], words);
        else
            next_slot(slots->frequency, slots->offset, state, &word, row);
        int64_t outward = slots->symbol[slot] - 1, digit = offset < 0 ? -outward : outward;
        if (outward == 2)
            digit = take(escapes);
        slice->levels[i] = (int32_t)clamp(centre + digit, LEVEL_LIMIT);
        cursor->lane = cursor->lane + 1 == slice->lanes ? 0 : cursor->lane + 1;
    }
    cursor->word = word;
}

int decode_digits_slice(const struct slots *slots, struct words *words, struct slice *slice,
    const int32_t *parents, struct escapes *escapes, struct terms *terms)
{
    struct segment segment;
    struct cursor cursor = { 0, 0, NULL };
    if (!rows_fit(slice, slots->rows, CLASSES))
        return 0;
    while (cursor.here < slice->count) {
        if (!next_segment(terms, cursor.here, slice->count - cursor.here, &segment))
            return 0;
        int64_t end = cursor.here + segment.length, run;
        while ((run = safe_run(words, end - cursor.here)) > 0) {
            cursor.word = words->word + words->place;
            run_digits(slots, slice, parents, escapes, &segment, run, &cursor, NULL);
            words->place = cursor.word - words->word;
        }
        run_digits(slots, slice, parents, escapes, &segment, end - cursor.here, &cursor, words);
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
