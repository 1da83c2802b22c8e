/* Lists of integers after each other in one payload of levels, each of its own width.
 *
 * Knows nothing of what they say (spec/coding.md, "Tensor parameters").
 */
#ifndef MIDSTREAM_LISTS_H
#define MIDSTREAM_LISTS_H

#include "levels.h"
#include "room.h"

struct lists {
    const uint8_t *width; /* of each, in quarter octaves */
    const int64_t *size;  /* of each */
    int64_t count, items; /* lists, and integers of all of them, at least one */
};

/* Decode lists from the start of some data. Gives how many bytes they took, or -1 where they are
 * damaged or there is no room. */
int64_t decode_lists_of(const struct level_slots *slots, const struct lists *lists,
    const uint8_t *data, int64_t size, struct room room, int32_t *out);

#endif
