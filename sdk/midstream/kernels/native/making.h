/* Thrifty levels of a tensor, coded in a way that is known, and that way as it suits them.
 *
 * Knows nothing of how fine levels must be.
 */
#ifndef MIDSTREAM_MAKING_H
#define MIDSTREAM_MAKING_H

#include "thrift.h"
#include "ways.h"

/* Weights that are coded apart from others: nothing before the first predicts them. */
struct part {
    int64_t start, stop;
};

struct making {
    struct ways ways; /* the best way is the known one */
    int32_t *levels;  /* those of the ways, to be written */
    struct weights weights; /* all with the same step */
    const struct part *parts;
    int64_t count, longest; /* parts, and weights of the longest */
    int is_lattice;
    struct prices prices, free; /* of numbers or of moves, and none at all */
    /* memory for the longest part */
    int64_t *halves;
    int16_t *widths;
    uint8_t *rows;
};

/* Make levels and fit the way to them; the sum of their squared errors, part by part. */
double make_levels(struct making *making);

#endif
