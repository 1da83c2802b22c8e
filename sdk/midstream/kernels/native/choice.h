/* Which neighbours predict a tensor's levels, and how much they count: least squares over levels
 * that are divided by their spread. All sums are of whole numbers, so that their order does not
 * matter. Knows nothing of tables: whether a predictor pays is not known here.
 */
#ifndef MIDSTREAM_CHOICE_H
#define MIDSTREAM_CHOICE_H

#include <stdint.h>

#include "fitting.h"
#include "prediction.h"

#define CHOICE_SAMPLE (1 << 15) /* weights that are looked at, from the middle */
#define CHOICE_TERMS 6
#define CHOICE_SCALES 256 /* what levels are multiplied by, by how wide they spread */

/* A neighbour of some weights: so many places before them on its axis. */
struct neighbour {
    int64_t back, stride, size;
};

struct choice {
    int64_t count;
    int64_t index[CHOICE_TERMS], coefficient[CHOICE_TERMS]; /* rising indices */
};

/* What is looked at. */
struct candidates {
    const struct neighbour *neighbour;
    int64_t count;      /* at most MAX_TERMS */
    const float *scales; /* of each width that levels may have */
    int16_t *widths;    /* memory for those of CHOICE_SAMPLE weights */
};

/* Neighbours that promise to save enough, given how wide levels spread; none where none does. */
void choose_neighbours(
    const struct fit *fit, const struct candidates *from, const int32_t *levels, struct choice *choice);

/* How wide the levels of weights `start` to `stop` spread. */
void fitted_widths(const struct fit *fit, int64_t start, int64_t stop, int16_t *widths);

#endif
