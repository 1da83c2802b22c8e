/* Slices of which weights that repeat others are left out (spec/coding.md, "Folded slices").
 *
 * Knows nothing of levels.
 */
#ifndef MIDSTREAM_FOLDS_H
#define MIDSTREAM_FOLDS_H

#include <stdint.h>

#include "repeats.h"
#include "room.h"
#include "slices.h"
#include "tensors.h"

/* What is left out of a slice; no repeats where nothing is. */
struct fold {
    struct repeat *repeats;
    int64_t count;
    const struct span *spans; /* all of the slice */
    int64_t span_count, weights;
};

/* Read what is left out of a piece, and set its spans and weights to the others. False where it is
 * malformed, or there is no room. */
int read_fold(struct bytes payload, struct room *room, struct fold *fold, struct piece *piece);

/* Once the others are in the model, give the weights that were left out their bits. False where
 * there is no room. */
int unfold(const struct network *network, const struct fold *fold, uint8_t *model, struct room room);

#endif
