/* The constants of a TFLite file, and what reads them. Knows nothing of what is worth coding.
 *
 * The twin in Python is formats/constants.py, which says what is wrong with a file as well.
 */
#ifndef MIDSTREAM_CONSTANTS_H
#define MIDSTREAM_CONSTANTS_H

#include "flatbuffer.h"

#define CONSTANT_AXES 8

/* What operators of some kinds do with a tensor; bits. */
enum { CONVOLVED = 1, DEPTHWISE = 2, CONVOLVED_3D = 4, TRANSPOSED_3D = 8, IS_BIAS = 16 };

/* A tensor whose buffer is in the file: items of an int64 array. */
struct constant {
    int64_t buffer, start, size; /* the buffer's number and place */
    int64_t type;                /* of its numbers; -1 where they are none that are known */
    int64_t is_sparse, uses, name, name_size;
    int64_t axes, shape[CONSTANT_AXES];
};

struct constant_bounds {
    int64_t model_size, tensors, dimensions;
    uint64_t types; /* those that are known, a bit each */
};

struct constants {
    struct constant *constant;
    int64_t count, room;
};

/* Find all, in order of their tensors. False where the file is out of the ordinary, or there is
 * no memory; free them in any case. */
int find_constants(
    struct flatbuffer file, const struct constant_bounds *bounds, struct constants *found);

#endif
