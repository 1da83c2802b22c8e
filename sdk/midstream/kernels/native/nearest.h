/* From weights to their nearest levels, and how far off these are. Knows nothing of tensors. */
#ifndef MIDSTREAM_NEAREST_H
#define MIDSTREAM_NEAREST_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define MAX_NEAREST (1 << 30)

/* Weights as numbers, and the size of a step: one for each weight, or one for all. */
struct weights {
    const float *single;     /* NULL where they are doubles */
    const double *numbers;   /* NULL where they are not */
    const double *sizes;
    int64_t each; /* 1 where each weight has a size, else 0 */
    double offset;
};

/* The nearest level of each weight, ties to even, at most MAX_NEAREST from zero. */
void find_nearest(int32_t *levels, const struct weights *weights, int64_t count);

/* The sum of squared differences between weights and levels, or their nearest ones where these
 * are NULL: eight sums of every eighth weight, then the sum of those. */
double sum_squares(const int32_t *levels, const struct weights *weights, int64_t count);

/* The Python faces of these. */
PyObject *nearest_levels(PyObject *module, PyObject *args);
PyObject *squared_error(PyObject *module, PyObject *args);

#endif
