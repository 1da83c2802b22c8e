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

/* The class of each level; of its distance from `halves` half steps where that is not NULL, and
 * LEVEL_CLASSES more where that distance is odd. */
void classify_levels(uint8_t *classes, const int32_t *levels, const int64_t *halves, int64_t count);

/* The Python face of this. */
PyObject *level_classes(PyObject *module, PyObject *args);

#endif
