/* Where in its level's cell each float lies.
 *
 * (spec/coding.md, "Exact". Knows nothing of exceptions.)
 */
#ifndef MIDSTREAM_CELLS_H
#define MIDSTREAM_CELLS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

enum { CELLS_SHORT = -1, CELLS_MALFORMED = -2, CELLS_UNKNOWN = -3 };

/* The cells of a slice, one for each weight. */
struct cells {
    const int32_t *levels;
    const double *steps;  /* of all weights; or one, if it is that of all of them */
    int is_even;          /* whether that is so, and they are EVEN_WEIGHTS at least */
    int64_t count, zeros; /* weights, and how many of them have level 0 */
    int mode;             /* of the core, 0 to 3 */
    int table;            /* binary table of the flags of the core, 0 to 31 */
    int bits;             /* of a float, 16 or 32 */
    int mantissa;         /* of these, those of the mantissa */
    int32_t *first;       /* for the use of read_ordinals: least ordinals */
    uint32_t *ordinals;   /* how many there are */
    int32_t *zero_at;     /* where levels 0 are */
    uint8_t *core;        /* for each level 0, whether it is core */
};

/* The bits of each float, from the stream of the core and the sections of parts, signs, octaves
 * and places; gives the bytes taken, or what is wrong: CELLS_UNKNOWN where one step will not do. */
int64_t read_ordinals(const struct cells *cells, const uint8_t *data, int64_t size, void *out);

/* The Python face of it. */
PyObject *read_cells(PyObject *module, PyObject *args);

#endif
