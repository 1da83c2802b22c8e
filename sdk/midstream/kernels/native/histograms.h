/* What levels are counted by before they are coded. Knows nothing of tables.
 *
 * The class of a magnitude is itself up to 15, then its quarter of an octave, up to 2^16.
 */
#ifndef MIDSTREAM_HISTOGRAMS_H
#define MIDSTREAM_HISTOGRAMS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define EXACT_CLASSES 16
#define LEVEL_CLASSES 64
#define MAX_MAGNITUDE 0xFFFF

/* Where weights are counted: (size, span, depth) counts. Weight i is at i / stride % size. */
struct histogram {
    int32_t *counts;
    int64_t stride, size;
    int64_t low, span; /* the shifts there are */
    int64_t depth;     /* the classes there are */
};

/* The class of each level; of its distance from `halves` half steps where that is not NULL, and
 * LEVEL_CLASSES more where that distance is odd. */
void classify_levels(uint8_t *classes, const int32_t *levels, const int64_t *halves, int64_t count);

/* Whether all of these can be counted. */
int can_count(
    const struct histogram *histogram, const uint8_t *classes, const int16_t *shifts, int64_t count);

/* Add one for each weight; its class and shift are in range. */
void count_weights(
    struct histogram *histogram, const uint8_t *classes, const int16_t *shifts, int64_t count);

/* Add up what all places counted, each moved by its shift from the least one, which there are
 * `spread` of. False where a shift is not one of them. */
int add_places(const struct histogram *histogram, const int16_t *shifts, int64_t spread,
    int32_t *sums);

/* The Python faces of these. */
PyObject *add_shifted(PyObject *module, PyObject *args);
PyObject *level_classes(PyObject *module, PyObject *args);
PyObject *count_classes(PyObject *module, PyObject *args);

#endif
