/* What lies between the tensors of a model file (spec/bitstream.md, "Topology"). */
#ifndef MIDSTREAM_GAPS_H
#define MIDSTREAM_GAPS_H

#include "input.h"

/* What lies in a file where no object is. */
struct hole {
    int64_t start, size;
};

/* Read where so many tensors are. False where an entry is out of the ordinary. */
int read_holes_of(struct input *in, int64_t count, int64_t model_size, struct hole *hole);

#endif
