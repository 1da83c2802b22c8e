/* From weights to their nearest levels, and how far off these are. Knows nothing of tensors. */
#ifndef MIDSTREAM_NEAREST_H
#define MIDSTREAM_NEAREST_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
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

/* The nearest integer, ties to even, of a number far below 2^51. */
static inline double nearest_integer(double number)
{
#if FLT_EVAL_METHOD == 0
    const double shift = 0x1.8p52;
    return (number + shift) - shift;
#else
    return rint(number);
#endif
}

/* The nearest level of each weight, ties to even, at most MAX_NEAREST from zero. */
void find_nearest(int32_t *levels, const struct weights *weights, int64_t count);

/* The sum of squared differences between weights and levels, or their nearest ones where these
 * are NULL: eight sums of every eighth weight, then the sum of those. */
double sum_squares(const int32_t *levels, const struct weights *weights, int64_t count);

/* The sum of squared differences between two lists of numbers, in the same order. */
double sum_distances(const float *one, const float *other, int64_t count);

/* How many weights of so many bytes there are; -1 and an error where there is no size for each. */
Py_ssize_t read_weights(
    struct weights *weights, const Py_buffer *numbers, int item, const Py_buffer *sizes);

/* The Python faces of these. */
PyObject *nearest_levels(PyObject *module, PyObject *args);
PyObject *squared_error(PyObject *module, PyObject *args);
PyObject *squared_distance(PyObject *module, PyObject *args);
PyObject *squared_errors(PyObject *module, PyObject *args);

#endif
