/* The Python face of repeats.c and search.c: parses arguments, checks their sizes, releases the GIL. */
#include "buffers.h"
#include "faces.h"
#include "repeats.h"
#include "search.h"

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

PyObject *find_runs(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    int size;
    if (!PyArg_ParseTuple(args, "y*iw*w*", &b[0], &size, &b[1], &b[2]))
        return NULL;
    int64_t found = 0;
    int fits = size == 2 || size == 4 || refuse("values of neither two nor four bytes");
    Py_ssize_t count = fits ? items(&b[0], (size_t)size) : -1, slots = items(&b[1], 4);
    fits = fits && count >= 0 && slots >= 0
        && ((slots > count && slots <= UINT32_C(1) << 31 && slots > 1 && !(slots & (slots - 1)))
            || refuse("a table of no power of two, or of too few slots"))
        && has_items(&b[2], 8, count / SHORTEST_RUN * NUMBERS);
    if (fits) {
        int log = 1;
        while ((Py_ssize_t)1 << log < slots)
            log++;
        Py_BEGIN_ALLOW_THREADS
        found = find_repeats(b[0].buf, count, size, b[1].buf, log, b[2].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 3);
    return fits ? PyLong_FromLongLong(found) : NULL;
}

PyObject *may_repeat(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer values;
    int size, found = 0;
    if (!PyArg_ParseTuple(args, "y*i", &values, &size))
        return NULL;
    int fits = (size == 2 || size == 4 || refuse("values of neither two nor four bytes"))
        && items(&values, (size_t)size) >= 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        found = may_repeat_in(values.buf, values.len / size, size);
        Py_END_ALLOW_THREADS
    }
    release(&values, 1);
    return fits ? PyBool_FromLong(found) : NULL;
}
