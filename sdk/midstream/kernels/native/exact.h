/* The very values of slices that have levels. Knows nothing of units (spec/coding.md, "Exact"). */
#ifndef MIDSTREAM_EXACT_H
#define MIDSTREAM_EXACT_H

#include "slices.h"

/* Write the floats of a slice into the model, given its levels after so many refinements, and the
 * size of every step before them. False where its payload is damaged, or there is no room. */
int decode_exact_of(const struct network *network, const struct piece *piece, int64_t trits,
    const double *sizes, uint8_t *model, struct room room);

#endif
