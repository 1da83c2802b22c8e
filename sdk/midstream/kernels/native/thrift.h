/* Levels that give up a little accuracy for fewer bits. Knows nothing of tables. */
#ifndef MIDSTREAM_THRIFT_H
#define MIDSTREAM_THRIFT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "nearest.h"

#define BLOCK 16 /* weights of one point */
#define MOST_STEPS (1 << 28)

/* What numbers from -reach to reach and so many more cost in each row: (phases, rows, numbers). */
struct prices {
    const float *price;
    int64_t rows, reach, numbers;
};

/* Move levels by one toward what is expected where that saves more than it costs. Rows that
 * have no prices stay; `halves` may be NULL. */
void move_levels(int32_t *moved, const int32_t *levels, const int64_t *halves,
    const struct weights *weights, const uint8_t *rows, int64_t count,
    const struct prices *prices);

/* The cheapest points of the lattice, in half steps. Rows are in range; `halves` may be NULL. */
void find_points(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    const int64_t *halves, int64_t count, const struct prices *prices);

/* The Python faces of these. */
PyObject *thrifty_levels(PyObject *module, PyObject *args);
PyObject *thrifty_points(PyObject *module, PyObject *args);

#endif
