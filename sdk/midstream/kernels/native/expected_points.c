#include "expected_points.h"

#include "lanes.h"
#include "points.h"

#define BLOCK 32
#define LAST (POINT - 1)

/* Weights after each other, on lanes after each other, that have the same place in their points. */
struct block {
    struct place at;
    int count, place;       /* POINT after the last point */
    int64_t first;          /* point */
    int64_t halves[BLOCK];  /* what is expected of levels */
};

/* What is known of a level's rest by a step of two, or of the last of a point by four. */
static inline int64_t rest_of(const struct parities *parities, const struct block *block, int k)
{
    int64_t point = block->first + k;
    if (block->place == POINT)
        return 0;
    return block->place == LAST ? -parities->sum[point] & 3 : parities->odd[point] >> block->place & 1;
}

/* What is expected of numbers, in quarters. */
static inline int64_t quarters_of(const struct block *block, int k, int64_t rest)
{
    return block->place == LAST ? (block->halves[k] - 2 * rest) >> 1 : block->halves[k] + 2 * rest;
}

static int64_t read_number(const struct level_slots *slots, struct slice *slice, int64_t i,
    int64_t lane, int64_t quarters, struct stream *stream, struct low_bits *low,
    struct escapes *escapes)
{
    static const uint8_t phases[] = { 0, 2, 1, 2 };
    size_t row = slice->rows[i] + (size_t)(phases[quarters & 3] * slots->next_phase);
    uint32_t slot = slice->states[lane] & (TOTAL - 1);
    uint32_t symbol = slots->name[row << TOTAL_BITS | slot] & LAST_SYMBOL;
    uint32_t entry = slots->entry[row << SYMBOL_BITS | symbol];
    advance(&slice->states[lane], (entry & (TOTAL - 1)) + 1, slot - (entry >> 12 & (TOTAL - 1)),
        stream, 1);
    int64_t value = (int8_t)(uint8_t)(entry >> 24);
    int shift = low->shift ? low->shift[i] : 0;
    value = value == ESCAPED ? take_escape(escapes) : value;
    if (shift)
        value = value * ((int64_t)1 << shift) - ((int64_t)1 << shift >> 1) + take_low(low, shift);
    /* the table of three quarters is the mirror image of that of one */
    return (quarters >> 2) + ((quarters & 3) == 3 ? 1 - value : value);
}

static void decode_block(const struct level_slots *slots, struct slice *slice,
    const struct parities *parities, const struct block *block, struct stream *stream,
    struct low_bits *low, struct escapes *escapes)
{
    for (int k = 0; k < block->count; k++) {
        int64_t i = block->at.first + k, rest = rest_of(parities, block, k);
        int64_t number = read_number(slots, slice, i, block->at.lane + k,
            quarters_of(block, k, rest), stream, low, escapes);
        int64_t level = block->place == LAST ? 4 * number + rest : 2 * number - rest;
        slice->levels[i] = (int32_t)clamp(level, LEVEL_LIMIT);
        if (block->place < POINT)
            parities->sum[block->first + k] += (uint8_t)level;
    }
}

/* The next block of at most `left` weights of a segment. */
static void next_block(const struct slice *slice, const struct parities *parities,
    const struct segment *segment, struct place at, int64_t left, struct block *block)
{
    int64_t lanes = slice->lanes - at.lane, count = left < lanes ? left : lanes;
    int64_t points = parities->points, place = points ? at.first / points : POINT;
    block->at = at;
    block->place = place < POINT ? (int)place : POINT;
    block->first = at.first - block->place * points;
    if (block->place < POINT && count > points - block->first)
        count = points - block->first;
    block->count = count < BLOCK ? (int)count : BLOCK;
    expect(segment, slice->levels + at.first, block->count, block->halves);
}

static int decode_all(const struct level_slots *slots, struct stream *stream, struct slice *slice,
    const struct parities *parities, struct low_bits *low, struct escapes *escapes,
    struct terms *terms)
{
    struct walk walk = { .terms = terms };
    struct segment segment;
    struct place at = { 0, 0 };
    struct block block;
    while (at.first < slice->count) {
        if (!next_segment(&walk, slice->count - at.first, slice->lanes, &segment))
            return 0;
        for (int64_t end = at.first + segment.length; at.first < end;) {
            next_block(slice, parities, &segment, at, end - at.first, &block);
            decode_block(slots, slice, parities, &block, stream, low, escapes);
            at = moved(at, block.count, slice->lanes);
        }
    }
    return 1;
}

int64_t decode_expected_points(const struct level_slots *slots, const uint8_t *data, int64_t size,
    struct slice *slice, const struct parities *parities, struct low_bits *low,
    struct escapes *escapes, struct terms *terms)
{
    struct stream stream;
    if (!read_states(data, size, slice, &stream))
        return BROKEN_STREAM;
    for (int64_t i = 0; i < slice->count; i++)
        if (slice->rows[i] >= slots->rows - 2 * slots->next_phase)
            return UNFIT_ARGUMENTS;
    if (!decode_all(slots, &stream, slice, parities, low, escapes, terms))
        return UNFIT_ARGUMENTS;
    return bytes_taken(slice, &stream, escapes);
}
