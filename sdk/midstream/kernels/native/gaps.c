#include "gaps.h"

#include "tensors.h"

#define MOST_DIMENSION ((int64_t)1 << 31)

/* Bytes of a tensor, which are in a file of so many; 0 where they are not. */
static int64_t read_size(struct input *in, int64_t model_size)
{
    int64_t type, axes, rank, dimension, weights = 1;
    if (!read_byte(in, &type) || !read_byte(in, &axes) || !read_byte(in, &rank) || rank > MAX_AXES
        || type < TYPE_FLOAT32 || type > TYPE_INT4)
        return 0;
    for (; rank; rank--) {
        if (!read_varint(in, MOST_DIMENSION, &dimension) || !dimension
            || weights > 2 * model_size / dimension)
            return 0;
        weights *= dimension;
    }
    return (weights * bits_of(type) + 7) / 8;
}

int read_holes_of(struct input *in, int64_t count, int64_t model_size, struct hole *hole)
{
    int64_t end = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t gap;
        if (!read_varint(in, model_size, &gap))
            return 0;
        hole[i].size = read_size(in, model_size);
        hole[i].start = end + gap;
        end = hole[i].start + hole[i].size;
        if (!hole[i].size || end > model_size)
            return 0;
    }
    return 1;
}
