/* Levels of slices as the weights of a model. Knows nothing of payloads (spec/coding.md, "Grid"). */
#ifndef MIDSTREAM_HOLES_H
#define MIDSTREAM_HOLES_H

#include "slices.h"

#define MOST_TRITS 24
#define MOST_STEP_INDEX 2560
#define STEP_SIZES (2 * MOST_STEP_INDEX + 1)

/* The size of a step after so many refinements, cut into so many half steps of the lattice or one,
 * given those of all steps before them. */
double size_of(int64_t step, int64_t trits, int64_t ratio, const double *sizes);

/* Write what the levels of a span stand for after so many refinements and one to so many half
 * steps, 1 where there is none, given the size of every step before them. False where there is no room. */
int fill_span(const struct network *network, const struct span *span, const int32_t *levels,
    int64_t trits, int64_t ratio, const double *sizes, uint8_t *model, struct room room);

/* Where the weights of a span go. */
uint8_t *hole_of(const struct network *network, const struct span *span, uint8_t *model);

/* Write the weights of a slice, floats that follow each other, into its holes. */
void copy_to_holes(
    const struct network *network, const struct piece *piece, const uint8_t *weights, uint8_t *model);

#endif
