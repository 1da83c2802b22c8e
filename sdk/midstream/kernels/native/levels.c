#include "lanes.h"

#include <stddef.h>

#include "clones.h"

#define BLOCK 32
#define ESCAPED_DIGIT 2

const uint8_t class_of[LAST_EDGE + 4] = { 0, 1, 2, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9, 9, 9,
    9, 10, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 11, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 15 };

int read_states(const uint8_t *data, int64_t size, struct slice *slice, struct stream *stream)
{
    if (size < 4 * slice->lanes)
        return 0;
    for (int64_t lane = 0; lane < slice->lanes; lane++, data += 4) {
        slice->states[lane] = word_at(data) | word_at(data + 2) << 16;
        if (slice->states[lane] < STATE_START)
            return 0;
    }
    for (int64_t lane = slice->lanes; lane < MAX_LANES + EIGHT; lane++)
        slice->states[lane] = STATE_START;
    *stream = (struct stream){ data, size / 2 - 2 * slice->lanes, 0 };
    return 1;
}

/* How far from zero levels are at most. */
FOR_EVERY_WIDTH static int32_t reach_of(const int32_t *levels, int64_t count)
{
    int32_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t size = levels[i] < 0 ? -levels[i] : levels[i];
        most = size > most ? size : most;
    }
    return most;
}

int64_t bytes_taken(
    const struct slice *slice, const struct stream *stream, const struct escapes *escapes)
{
    int is_whole = stream->place <= stream->count && escapes->place == escapes->count;
    for (int64_t lane = 0; lane < slice->lanes; lane++)
        is_whole &= slice->states[lane] == STATE_START;
    if (!is_whole)
        return BROKEN_STREAM;
    return reach_of(slice->levels, slice->count) >= LEVEL_LIMIT ? LEVEL_BEYOND : 4 * slice->lanes + 2 * stream->place;
}

FOR_EVERY_WIDTH static int64_t largest_row(const struct slice *slice)
{
    uint16_t largest = 0;
    for (int64_t i = 0; i < slice->count; i++)
        largest = slice->rows[i] > largest ? slice->rows[i] : largest;
    return largest;
}

/* Symbols on lanes after each other. */
struct block {
    struct place at;
    int count;
};

/* A block's symbols as what they stand for; how many of them are escapes. */
static inline int read_values(const struct level_slots *slots, struct slice *slice,
    const struct block *block, const int64_t *halves, struct stream *stream, const int is_last,
    int8_t *values)
{
    struct stream here = *stream;
    const uint16_t *rows = slice->rows + block->at.first;
    uint32_t *restrict states = slice->states + block->at.lane;
    int escaped = 0;
    for (int k = 0; k < block->count; k++) {
        size_t row = rows[k] + (halves ? (size_t)((halves[k] & 1) * slots->next_phase) : 0);
        uint32_t slot = level_slot_of(slots, row, states[k]);
        advance_past(&states[k], slot, &here, is_last);
        values[k] = level_value(slot);
        escaped += values[k] == ESCAPED;
    }
    *stream = here;
    return escaped;
}

static void put_levels(struct slice *slice, const struct block *block, const int8_t *values,
    const int64_t *halves, int has_escapes, struct low_bits *low, struct escapes *escapes)
{
    int32_t *levels = slice->levels + block->at.first;
    if (!halves && !has_escapes && !low->shift)
        for (int k = 0; k < block->count; k++)
            levels[k] = values[k];
    else if (!has_escapes && !low->shift)
        for (int k = 0; k < block->count; k++)
            levels[k] = (int32_t)clamp(values[k] + (halves[k] >> 1), LEVEL_LIMIT);
    else
        for (int k = 0; k < block->count; k++) {
            int shift = low->shift ? low->shift[block->at.first + k] : 0;
            int64_t value = values[k] == ESCAPED ? take_escape(escapes) : values[k];
            value = value * ((int64_t)1 << shift) - ((int64_t)1 << shift >> 1);
            value += (shift ? take_low(low, shift) : 0) + (halves ? halves[k] >> 1 : 0);
            levels[k] = (int32_t)clamp(value, LEVEL_LIMIT);
        }
}

/* The next block of at most `left` symbols: it ends before the first lane comes again. */
static struct block next_block(const struct slice *slice, struct place at, int64_t left)
{
    int64_t lanes = slice->lanes - at.lane, count = left < lanes ? left : lanes;
    return (struct block){ at, count < BLOCK ? (int)count : BLOCK };
}

/* Whether a block may be read without a look at the end of the words: each symbol takes one
 * at most, and one more is looked at. */
static inline int is_safe(const struct stream *stream, int count)
{
    return stream->count - stream->place > count;
}

/* One block of levels of a segment. */
static void decode_block(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, const struct block *block, struct low_bits *low,
    struct escapes *escapes)
{
    int64_t halves[BLOCK], *means = segment->count ? halves : NULL;
    int8_t values[BLOCK];
    if (means)
        expect(segment, slice->levels + block->at.first, block->count, means);
    int escaped = is_safe(stream, block->count)
        ? read_values(slots, slice, block, means, stream, 0, values)
        : read_values(slots, slice, block, means, stream, 1, values);
    put_levels(slice, block, values, means, escaped, low, escapes);
}

/* --- few lanes --------------------------------------------------------------------------- */

/* The next levels of a segment one by one, while words are left and none is an escape: where
 * there are few lanes, to lay out a block takes longer than to decode it. */
static struct place decode_few_levels(const struct level_slots *slots,
    const struct segment *segment, struct stream *stream, struct slice *slice, struct low_bits *low,
    struct place at, int64_t count)
{
    struct stream here = *stream;
    const int64_t end = at.first + count;
    while (at.first < end && here.count - here.place > 1) {
        int64_t mean = expect_one(segment, slice->levels + at.first);
        size_t row = slice->rows[at.first] + (size_t)((mean & 1) * slots->next_phase);
        uint32_t *state = &slice->states[at.lane], slot = level_slot_of(slots, row, *state);
        int64_t value = level_value(slot);
        if (value == ESCAPED)
            break;
        advance_past(state, slot, &here, 0);
        int shift = low->shift ? low->shift[at.first] : 0;
        if (shift)
            value = value * ((int64_t)1 << shift) - ((int64_t)1 << shift >> 1)
                + take_low_at_once(low, shift);
        slice->levels[at.first] = (int32_t)clamp(value + (mean >> 1), LEVEL_LIMIT);
        at = moved(at, 1, slice->lanes);
    }
    *stream = here;
    return at;
}

static int decode_all_levels(const struct level_slots *slots, struct stream *stream,
    struct slice *slice, struct low_bits *low, struct escapes *escapes, struct terms *terms)
{
    struct walk walk = { .terms = terms };
    struct segment segment;
    struct place at = { 0, 0 };
    int64_t largest = largest_row(slice);
    while (at.first < slice->count) {
        if (!next_segment(&walk, slice->count - at.first, slice->lanes, &segment)
            || largest >= slots->rows - (segment.count ? slots->next_phase : 0))
            return 0;
        for (int64_t end = at.first + segment.length; at.first < end;) {
            at = (slice->lanes < EIGHT ? decode_few_levels : decode_many_levels)(
                slots, &segment, stream, slice, low, at, end - at.first);
            struct block block = next_block(slice, at, end - at.first);
            if (block.count)
                decode_block(slots, &segment, stream, slice, &block, low, escapes);
            at = moved(at, block.count, slice->lanes);
        }
    }
    return 1;
}

int64_t decode_levels_slice(const struct level_slots *slots, const uint8_t *data, int64_t size,
    struct slice *slice, struct low_bits *low, struct escapes *escapes, struct terms *terms)
{
    struct stream stream;
    if (!read_states(data, size, slice, &stream))
        return BROKEN_STREAM;
    if (!decode_all_levels(slots, &stream, slice, low, escapes, terms))
        return UNFIT_ARGUMENTS;
    return bytes_taken(slice, &stream, escapes);
}

/* A block's symbols as children; `halves` are all 0 where nothing is expected. */
static inline void read_children(const uint16_t *starts, struct slice *slice,
    const struct block *block, const int32_t *parents, const int64_t *halves, struct stream *stream,
    const int is_last, struct escapes *escapes)
{
    struct stream here = *stream;
    for (int k = 0; k < block->count; k++) {
        int64_t i = block->at.first + k, centre = 3 * (int64_t)parents[i];
        int64_t offset = 2 * centre - halves[k], distance = offset < 0 ? -offset : offset;
        int64_t row = slice->rows[i] + class_of[distance < LAST_EDGE ? distance : LAST_EDGE];
        const uint16_t *start = starts + 4 * row;
        uint32_t *state = slice->states + block->at.lane + k, slot = *state & (TOTAL - 1);
        int symbol = (slot >= start[1]) + (slot >= start[2]) + (slot >= start[3]);
        uint32_t end = symbol < 3 ? start[symbol + 1] : TOTAL;
        advance(state, end - start[symbol], slot - start[symbol], &here, is_last);
        int64_t outward = symbol - 1, digit = offset < 0 ? -outward : outward;
        if (outward == ESCAPED_DIGIT)
            digit = take_escape(escapes);
        slice->levels[i] = (int32_t)clamp(centre + digit, LEVEL_LIMIT);
    }
    *stream = here;
}

static int decode_all_digits(const uint16_t *starts, struct stream *stream, struct slice *slice,
    const int32_t *parents, struct escapes *escapes, struct terms *terms)
{
    struct walk walk = { .terms = terms };
    struct segment segment;
    struct place at = { 0, 0 };
    int64_t halves[BLOCK];
    while (at.first < slice->count) {
        if (!next_segment(&walk, slice->count - at.first, slice->lanes, &segment))
            return 0;
        for (int64_t end = at.first + segment.length; at.first < end;) {
            at = decode_many_digits(starts, &segment, stream, slice, parents, at, end - at.first);
            struct block block = next_block(slice, at, end - at.first);
            expect(&segment, slice->levels + at.first, block.count, halves);
            if (is_safe(stream, block.count))
                read_children(starts, slice, &block, parents, halves, stream, 0, escapes);
            else
                read_children(starts, slice, &block, parents, halves, stream, 1, escapes);
            at = moved(at, block.count, slice->lanes);
        }
    }
    return 1;
}

int64_t decode_digits_slice(const uint16_t *starts, int64_t tables, const uint8_t *data,
    int64_t size, struct slice *slice, const int32_t *parents, struct escapes *escapes,
    struct terms *terms)
{
    struct stream stream;
    if (!read_states(data, size, slice, &stream))
        return BROKEN_STREAM;
    if (largest_row(slice) > tables - CLASSES
        || !decode_all_digits(starts, &stream, slice, parents, escapes, terms))
        return UNFIT_ARGUMENTS;
    return bytes_taken(slice, &stream, escapes);
}

void find_rows(const struct choices *choices, const int8_t *shapes, const int16_t *widths,
    const int8_t *phases, int64_t count, uint16_t *restrict rows)
{
    struct choices all = *choices;
    for (int64_t i = 0; i < count; i++) {
        int16_t width = widths[i] < all.last_width ? widths[i] : all.last_width;
        uint16_t row = (uint16_t)((width > 0 ? width : 0) * all.each_width);
        rows[i] = (uint16_t)(row + (uint16_t)shapes[i] * all.each_shape);
    }
    for (int64_t i = 0; phases && i < count; i++)
        rows[i] = (uint16_t)(rows[i] + (uint16_t)phases[i] * all.each_phase);
}

static inline int16_t octaves_beyond(int16_t width, int16_t widest)
{
    int16_t over = width > widest ? (int16_t)(width - widest) : 0;
    return (int16_t)((over + 3) >> 2);
}

void fold_widths_of(const struct folds *folds, const int16_t *widths, int64_t count,
    int16_t *restrict folded, uint8_t *restrict shifts)
{
    struct folds all = *folds;
    for (int64_t i = 0; i < count; i++) {
        int16_t width = widths[i] < all.most ? widths[i] : all.most;
        shifts[i] = (uint8_t)octaves_beyond(width, all.unshifted);
        folded[i] = (int16_t)(width - 4 * octaves_beyond(width, all.widest));
    }
}
