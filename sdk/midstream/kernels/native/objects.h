/* Objects of a flatbuffer put back to their places (spec/objects.md). Knows nothing of tensors. */
#ifndef MIDSTREAM_OBJECTS_H
#define MIDSTREAM_OBJECTS_H

#include "columns.h"
#include "gaps.h"

/* A file of which only what lies between holes is written. */
struct between {
    const struct hole *hole;
    int64_t holes, model_size;
    uint8_t *out; /* zeros */
};

/* Write all objects. False where they do not fit the file. */
int write_objects(struct columns *columns, const struct between *between);

#endif
