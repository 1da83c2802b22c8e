/* Slices from their payloads to the model, many in one go.
 *
 * Knows nothing of units (spec/coding.md, "Levels" and "Lattice").
 */
#ifndef MIDSTREAM_SLICES_H
#define MIDSTREAM_SLICES_H

#include "chains.h"
#include "tensors.h"

struct bytes {
    const uint8_t *data;
    int64_t size;
};

/* One slice. */
struct piece {
    const struct span *spans;
    int64_t span_count;
    int64_t weights;
    struct bytes payload; /* its levels */
    int32_t *levels;
    int is_folded; /* whether weights between its spans are left out: it has no neighbours then */
};

/* What predicts the weights of a slice. False where there is no room for it. */
int find_terms_of(const struct network *network, const struct piece *piece, struct room *room,
    struct terms *terms);

/* Decode the levels of some slices into their pieces. False where one of them is damaged, or
 * there is no room. */
int decode_levels_of(const struct network *network, const struct level_slots *slots,
    struct piece *pieces, int64_t count, struct room room);

#endif
