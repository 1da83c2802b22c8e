/* How wide levels spread: the shape, width and log-scales of a tensor. Knows nothing of how they
 * are sent, only about how many bits that takes. All sums are whole numbers. */
#ifndef MIDSTREAM_FITTING_H
#define MIDSTREAM_FITTING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define FIT_SHAPES 3
#define FIT_CLASSES 128
#define FIT_WIDTHS 73
#define FIT_WINDOW 16 /* widths that are looked at together */
#define FIT_ROW (FIT_WIDTHS + 2 * FIT_WINDOW)
#define FIT_SPREADS 41
#define FIT_MARGIN 48 /* log-scales are at most so far from 0 */
#define FIT_DELTAS (2 * FIT_MARGIN + 1)
#define FIT_AXES 3
#define FIT_DIMS 8
#define FIT_SHIFTS (2 * FIT_AXES * FIT_MARGIN + 1)
#define FIT_MOST_THIN 3
#define FIT_STATES (3 + FIT_AXES) /* shape, width, bits, spread of each axis */

/* One dimension of a tensor: the axis it belongs to, and places from one to the next on that. */
struct fit_dim {
    int64_t size, axis, step;
};

struct fit_axis {
    int64_t size;
    int8_t *deltas;
    int64_t spread;
    int is_used;
};

/* Weights that are looked at are one of each 2^thin of a run; each stands for so many. */
struct fit {
    const uint8_t *classes; /* of those that are looked at */
    int64_t count, depth;   /* of all weights */
    int thin;
    const struct fit_dim *dims;
    int64_t dim_count;
    const uint16_t *costs; /* by shape, class and width, which begins FIT_WINDOW before 0 */
    const uint16_t *sent;  /* what log-scales cost, by spread */
    int64_t axis_cost;
    struct fit_axis axes[FIT_AXES];
    int64_t shape, width, bits;
    /* memory: of each place on an axis, and of each shift and class */
    int64_t *totals, *least;
    uint32_t *sums, *counts;
    int32_t *starts;
    uint8_t *is_open;
    int8_t *guesses;
};

/* Of the classes of all weights those that are looked at, in their place; how many these are. */
int64_t thin_out(const struct fit *fit, uint8_t *classes);

/* How many weights are looked at. */
int64_t count_seen(const struct fit *fit);

/* Find scales on those axes of so many that save bits; `is_used` says which are known already. What
 * is found by some of the weights is not adjusted once more. */
void fit_tensor(struct fit *fit, const uint8_t *tried, int64_t count);

/* Arguments from buffers; false and an error where they are not what is wanted. */

/* Whether dimensions, the last the fastest, are those of all weights; sizes of axes from them. */
int read_dims(struct fit *fit, const Py_buffer *buffer);

/* Log-scales of all axes, and what is known of them: spreads of -1 are not. */
int read_axes(struct fit *fit, const Py_buffer *deltas, const Py_buffer *state);

/* Of how many weights each that is looked at stands for; false and an error where that is too many. */
int read_thin(struct fit *fit, long long thin);

int read_memory(struct fit *fit, const Py_buffer *memory);

/* The Python face of this. */
PyObject *fit_scales(PyObject *module, PyObject *args);

#endif
