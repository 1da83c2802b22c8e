/* The Python face of histograms.c: parses arguments, checks their sizes, releases the GIL. */
#include "histograms.h"

#include "buffers.h"

PyObject *level_classes(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    if (!PyArg_ParseTuple(args, "y*y*w*", &b[0], &b[1], &b[2]))
        return NULL;
    Py_ssize_t count = items(&b[0], 4);
    int fits = count >= 0 && has_items(&b[2], 1, count)
        && (!b[1].len || has_items(&b[1], 8, count));
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        classify_levels(b[2].buf, b[0].buf, b[1].len ? b[1].buf : NULL, count);
        Py_END_ALLOW_THREADS
    }
    release(b, 3);
    return fits ? Py_NewRef(Py_None) : NULL;
}
