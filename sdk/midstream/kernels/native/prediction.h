/* Decoding where each symbol's table depends on levels decoded before it.
 *
 * Knows nothing of tensors: which levels predict a weight comes in, segment after segment
 * (spec/coding.md, "Prediction").
 */
#ifndef MIDSTREAM_PREDICTION_H
#define MIDSTREAM_PREDICTION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "rans.h"

#define MAX_TERMS 10
#define MAX_GAIN (1 << 27)
#define MAX_SHIFT 28
#define MAX_ESCAPE ((int64_t)1 << 32)
#define ESCAPED 127
#define CLASSES 16

/* Segments of weights that all have the same terms; read one after the other. */
struct terms {
    const int32_t *length, *count; /* of each segment */
    const int32_t *distance;       /* of each term */
    const int64_t *gain;           /* at most MAX_GAIN from zero */
    int64_t segments, terms;       /* that are left */
};

/* Values of escapes; beyond the last, that one again and again. */
struct escapes {
    const int64_t *value;
    int64_t count; /* at least 1 */
    int64_t place; /* of the next one, counted on beyond the last */
};

/* One slice. */
struct slice {
    uint32_t *states;
    int64_t lanes, count;
    const uint16_t *rows; /* the first table of each symbol */
    int32_t *levels;     /* what comes out */
};

/* What levels are made from, beside their symbols. */
struct grains {
    const int32_t *low;
    const uint8_t *shift; /* at most MAX_SHIFT */
};

/* False where the segments are not those of the slice, or a table is not one of the rows. */
int decode_levels_slice(const struct slots *slots, struct words *words, struct slice *slice,
    const struct grains *grains, struct escapes *escapes, struct terms *terms);
int decode_digits_slice(const struct slots *slots, struct words *words, struct slice *slice,
    const int32_t *parents, struct escapes *escapes, struct terms *terms);
int predict_slice(const int32_t *levels, int64_t count, struct terms *terms, int64_t *halves);

/* The Python faces of these. */
PyObject *decode_levels(PyObject *module, PyObject *args);
PyObject *decode_digits(PyObject *module, PyObject *args);
PyObject *predict(PyObject *module, PyObject *args);

#endif
