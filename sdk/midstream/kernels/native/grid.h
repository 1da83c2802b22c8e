/* Levels and steps to weights. Knows nothing of tensors.
 *
 * (spec/coding.md, "Grid".)
 */
#ifndef MIDSTREAM_GRID_H
#define MIDSTREAM_GRID_H

#include <stdint.h>

/* Bits of the significand, which tell the float types apart. */
enum { FLOAT32 = 24, FLOAT16 = 11, BFLOAT16 = 8 };

/* 3^20, the largest step of an integer type: no product with a level overflows. */
#define MAX_POWER INT64_C(3486784401)

/* What an axis says of each weight: the index of weight i is i / stride % size. */
struct axis {
    const int8_t *deltas;
    int64_t size;
    int64_t stride;
    int32_t factor;
};

/* Add to each weight, of which the first is number `start`, factor times its delta. */
void add_to_weights(int16_t *totals, int64_t count, int64_t start, const struct axis *axis);

/* Whether every step is one of `count` from `first` on. */
int steps_in_range(const int32_t *steps, int64_t weights, int64_t first, int64_t count);

/* Levels times their steps' sizes, rounded, wherever in memory; one step for all of them or as
 * many as there are, in range of the table. */
void scale_floats_to(uint8_t *out, int precision, const int32_t *levels, int64_t weights,
    const int32_t *steps, int64_t step_count, int64_t first, const double *sizes);

/* Levels of one step. */
void scale_run(uint8_t *out, int precision, const int32_t *levels, int64_t count, double size);

/* Levels times powers plus offsets, clipped; `item` is the size of a weight, 1 or 4. */
void scale_integers_to(void *out, int64_t item, const int32_t *levels, const int32_t *steps,
    int64_t weights, int64_t first, const int64_t *powers, const int32_t *offsets,
    const int64_t range[2]);

#endif
