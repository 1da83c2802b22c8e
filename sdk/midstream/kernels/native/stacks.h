/* Whole stacks: every slice from its payloads to its weights, group by group.
 *
 * Knows nothing of units.
 */
#ifndef MIDSTREAM_STACKS_H
#define MIDSTREAM_STACKS_H

#include "refined_points.h"
#include "slices.h"
#include "values.h"

/* What is done to a slice; the numbers are those of the bitstream. */
enum { LEVELS, DIGITS, EXACT, RAW, VALUES, REPEATS = 7, POINTS };

/* One slice: items of an int64 array. */
struct entry {
    int64_t first_span, spans, first_record, records;
};

struct stack {
    struct network network;
    struct level_slots levels;
    const uint16_t *digit_starts; /* four of each table */
    int64_t digit_tables;
    const uint16_t *point_starts; /* the same of refined points */
    int64_t point_tables;
    const codeword_table *codewords; /* of each share */
    const uint16_t *frequencies; /* of tables of values */
    int64_t value_tables;
    const double *sizes; /* of steps before any refinement */
    const struct span *span;
    int64_t spans;
    const struct entry *entry;
    int64_t entries;
    const int64_t *operation; /* of each record */
    const struct bytes *payload;
    int64_t records;
    const int64_t *group; /* how many slices are decoded together */
    int64_t groups;
    uint8_t *model;
    int64_t model_size;
};

/* Whether all numbers are in range, and whatever they point at is there. */
int is_stack(const struct stack *stack);

/* Decode all slices but raw ones into the model. False where one is damaged, or there is no
 * room. */
int decode_stack(const struct stack *stack, struct room room);

#endif
