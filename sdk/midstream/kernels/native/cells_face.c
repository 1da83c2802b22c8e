/* The Python face of cells.c: parses arguments, checks their sizes, releases the GIL. */
#include "cells.h"

#include <string.h>

#include "buffers.h"
#include "counts.h"

enum { DATA, LEVELS, STEPS, MEMORY, OUT, BUFFERS };
#define WEIGHT_MEMORY 13 /* bytes: two ordinals, a place and a flag */

static int cells_fit(const Py_buffer *b, struct cells *cells)
{
    cells->count = items(&b[LEVELS], 4);
    if (cells->count < 0 || !has_items(&b[STEPS], 8, cells->count)
        || !has_items(&b[MEMORY], 1, WEIGHT_MEMORY * cells->count))
        return 0;
    if ((cells->bits != 16 && cells->bits != 32) || cells->mantissa < 1
        || cells->mantissa > cells->bits - 3 || cells->mode < 0 || cells->mode > 3
        || cells->table < 0 || cells->table > 31)
        return refuse("a float, a core or a table that there is not");
    if ((uintptr_t)b[MEMORY].buf % sizeof(int32_t))
        return refuse("memory that is not aligned");
    cells->levels = b[LEVELS].buf;
    cells->steps = b[STEPS].buf;
    cells->first = b[MEMORY].buf;
    cells->ordinals = (uint32_t *)(cells->first + cells->count);
    cells->zero_at = (int32_t *)(cells->ordinals + cells->count);
    cells->core = (uint8_t *)(cells->zero_at + cells->count);
    memset(cells->core, 0, (size_t)cells->count);
    cells->zeros = zero_levels(cells->levels, cells->count);
    return has_items(&b[OUT], (size_t)cells->bits / 8, cells->count);
}

PyObject *read_cells(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    struct cells cells = { 0 };
    int64_t size = CELLS_UNKNOWN;
    if (!PyArg_ParseTuple(args, "y*y*y*w*w*iiii", &b[0], &b[1], &b[2], &b[3], &b[4], &cells.mode,
            &cells.table, &cells.bits, &cells.mantissa))
        return NULL;
    if (cells_fit(b, &cells)) {
        Py_BEGIN_ALLOW_THREADS
        size = read_ordinals(&cells, b[DATA].buf, b[DATA].len, b[OUT].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, BUFFERS);
    return size == CELLS_UNKNOWN ? NULL : PyLong_FromLongLong(size);
}
