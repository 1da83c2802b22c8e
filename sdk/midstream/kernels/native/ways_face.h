/* What Python faces of ways share: arguments from buffers, and results into them. */
#ifndef MIDSTREAM_WAYS_FACE_H
#define MIDSTREAM_WAYS_FACE_H

#include "buffers.h"
#include "ways.h"

enum {
    LEVELS,
    DIMS,
    TRIED,
    NEIGHBOURS,
    SCALES,
    COSTS,
    SENT,
    DELTAS,      /* memory for log-scales, those of the best way, those of the unpredicted one */
    BEST,        /* as fit_scales has it */
    UNPREDICTED, /* the same; nothing where a known way is to be fitted again */
    PREDICTOR,   /* index and coefficient of each neighbour that counts */
    MEMORY,
    ROOM,
    WAYS_BUFFERS
};

/* Whether all of them fit each other; false and an error where they do not. */
int read_ways(struct ways *ways, const Py_buffer *buffers, int64_t terms);

/* The best way, and the unpredicted one where that is asked for. */
void write_ways(const Py_buffer *buffers, const struct ways *ways);

#endif
