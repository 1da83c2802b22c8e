/* Refinements of slices. Knows nothing of units (spec/coding.md, "Digits"). */
#ifndef MIDSTREAM_DIGITS_H
#define MIDSTREAM_DIGITS_H

#include "slices.h"

/* Children in place of the levels of a slice, whose payload is a refinement after `trits` others;
 * `starts` are four of each of so many tables. False where it is damaged, or there is no room. */
int decode_digits_of(const struct network *network, const struct level_slots *slots,
    const uint16_t *starts, int64_t tables, struct piece *piece, int64_t trits, struct room room);

#endif
