/* Refinements of slices. Knows nothing of units (spec/coding.md, "Digits"). */
#ifndef MIDSTREAM_DIGITS_H
#define MIDSTREAM_DIGITS_H

#include "slices.h"
#include "stacks.h"

/* Children in place of the levels of a slice, whose payload is a refinement after `trits` others;
 * `starts` are four of each of so many tables. False where it is damaged, or there is no room. */
int decode_digits_of(const struct network *network, const struct level_slots *slots,
    const uint16_t *starts, int64_t tables, struct piece *piece, int64_t trits, struct room room);

/* Points in place of the levels of a slice, whose payload refines them after `trits` digits; how
 * many half steps a cell is cut into comes back. False where it is damaged, or there is no room. */
int decode_refined_points_of(const struct stack *stack, struct piece *piece, int64_t trits,
    struct room room, int64_t *ratio);

#endif
