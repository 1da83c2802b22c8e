/* The Python face of repeats.c: parses arguments, checks their sizes, releases the GIL. */
#include "buffers.h"
#include "faces.h"
#include "repeats.h"

#define NUMBERS 4 /* of a run */

PyObject *copy_runs(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    int size;
    if (!PyArg_ParseTuple(args, "y*w*i", &b[0], &b[1], &size))
        return NULL;
    Py_ssize_t runs = items(&b[0], 8) / NUMBERS;
    int fits = runs >= 0 && has_items(&b[0], 8, runs * NUMBERS)
        && (size == 2 || size == 4 || refuse("values of neither two nor four bytes"))
        && items(&b[1], (size_t)size) >= 0
        && (are_repeats(b[0].buf, runs, b[1].len / size) || refuse("runs from nowhere"));
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        copy_repeats(b[0].buf, runs, size, b[1].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return fits ? Py_BuildValue("") : NULL;
}
