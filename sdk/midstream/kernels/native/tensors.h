/* Tensors and their parameters: what these say of each weight.
 *
 * Knows nothing of how levels are coded (spec/coding.md, "Tensor parameters").
 */
#ifndef MIDSTREAM_TENSORS_H
#define MIDSTREAM_TENSORS_H

#include <stdint.h>

#include "prediction.h"
#include "room.h"

#define MAX_AXES 8
#define NEIGHBOURS 10
#define NO_AXIS (-1)
#define NO_VECTOR (-1)

/* What each vector of a tensor is of. */
enum { ROW_SCALES, COLUMN_SCALES, TAP_SCALES, ROW_STEPS, COLUMN_STEPS, VECTORS };

/* The numbers of data types are those of the bitstream. */
enum { TYPE_FLOAT32 = 1, TYPE_FLOAT16, TYPE_BFLOAT16, TYPE_INT32, TYPE_INT8, TYPE_UINT8, TYPE_INT4 };

/* Items of an int64 array, laid out as kernels/tensors.py says. */
struct tensor {
    int64_t offset;          /* its first byte in the model */
    int64_t type, weights;
    int64_t row_axis, column_axis, axes, size[MAX_AXES];
    int64_t step, zero;      /* step index or trit exponent; the value of level 0 */
    int64_t shape, width, is_lattice;
    int64_t vector[VECTORS]; /* the first item of each in the network's, or NO_VECTOR */
    int64_t coefficient[NEIGHBOURS]; /* 0 where a neighbour does not count */
};

struct network {
    const struct tensor *tensor;
    int64_t tensors;
    const int8_t *vector;
    int64_t vector_items;
};

/* Weights of one tensor that follow each other: items of an int64 array. */
struct span {
    int64_t tensor, start, stop;
};

static inline int is_float(const struct tensor *tensor)
{
    return tensor->type <= TYPE_BFLOAT16;
}

/* Bits of one weight in the model. */
int bits_of(int64_t type);

/* Whether a tensor's numbers are in their ranges, its vectors there, its weights in a model of
 * so many bytes. */
int is_tensor(const struct network *network, const struct tensor *tensor, int64_t model_size);

/* Items of a vector of a tensor, which has its axis. */
int64_t items_of(const struct tensor *tensor, int vector);

/* Widths of the weights of a span, in quarter octaves, not clamped. */
void find_widths(const struct network *network, const struct span *span, int16_t *widths);

/* Whether all weights of a tensor have the same step. */
static inline int is_even(const struct tensor *tensor)
{
    return tensor->vector[ROW_STEPS] == NO_VECTOR && tensor->vector[COLUMN_STEPS] == NO_VECTOR;
}

/* Step indices of the weights of a span. */
void find_steps(const struct network *network, const struct span *span, int16_t *steps);

/* Quarter octaves of sigma of the weights of a span, where they have no levels. */
void find_quarters(const struct network *network, const struct span *span, int16_t *quarters);

/* What predicts the weights of spans. False where there is no room for it. */
int find_terms(const struct network *network, const struct span *spans, int64_t count,
    struct room *room, struct terms *terms);

/* The least distance from a weight to one that predicts it; 0 where none does. */
int64_t nearest_of(const struct terms *terms);

#endif
