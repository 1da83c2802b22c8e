/* How a tensor's levels are coded: scales as fitting.h finds them, and neighbours that predict.
 *
 * Knows nothing of how levels were made.
 */
#ifndef MIDSTREAM_WAYS_H
#define MIDSTREAM_WAYS_H

#include "choice.h"

#define WAYS_PIECE 4096 /* levels whose means are known at once */

/* One way: scales and a predictor; the log-scales of all axes are behind each other. */
struct way {
    int64_t shape, width, bits, spread[FIT_AXES]; /* a spread of -1 is of an axis without scales */
    int8_t *deltas;
    struct choice choice;
};

struct ways {
    struct fit fit;
    struct candidates candidates;
    const int32_t *levels;
    uint8_t *classes;
    int64_t *halves; /* of WAYS_PIECE levels */
    const uint8_t *tried;
    int64_t tried_count;
    int64_t places;    /* on all axes */
    int64_t term_cost; /* of naming a neighbour */
    struct way best, unpredicted;
};

/* What a choice says of all levels: one run, and so many terms as there is room for. */
struct terms terms_of(
    const struct ways *ways, const struct choice *choice, struct run *run, struct term *terms);

/* Take the scales of the best way for those that levels are coded with. */
void begin_way(struct ways *ways);

/* The shortest way, and the shortest without a predictor. */
void find_ways(struct ways *ways);

/* The best way as it suits these levels, which are much like those that it was found for. */
void refit_way(struct ways *ways);

#endif
