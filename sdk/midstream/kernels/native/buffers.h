/* What the Python faces of the kernels share: sizes of buffers, and how they are refused. */
#ifndef MIDSTREAM_BUFFERS_H
#define MIDSTREAM_BUFFERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* Items of a buffer; -1 and an error where it is not a whole number of aligned ones. */
static inline Py_ssize_t items(const Py_buffer *buffer, size_t size)
{
    if (buffer->len % size == 0 && (uintptr_t)buffer->buf % size == 0)
        return buffer->len / (Py_ssize_t)size;
    PyErr_SetString(PyExc_ValueError, "a buffer is not an array of what is wanted");
    return -1;
}

static inline int has_items(const Py_buffer *buffer, size_t size, Py_ssize_t wanted)
{
    Py_ssize_t found = items(buffer, size);
    if (found < 0 || found == wanted)
        return found >= 0;
    PyErr_Format(PyExc_ValueError, "a buffer of %zd items, %zd wanted", found, wanted);
    return 0;
}

static inline void release(Py_buffer *buffers, int count)
{
    for (int i = 0; i < count; i++)
        PyBuffer_Release(&buffers[i]);
}

static inline int refuse(const char *reason)
{
    PyErr_SetString(PyExc_ValueError, reason);
    return 0;
}

/* Whether the slices' symbols and lanes are as many as there are. */
static inline int adds_up(const int64_t *counts, const int64_t *lanes, Py_ssize_t slices,
    Py_ssize_t symbols, Py_ssize_t states)
{
    for (Py_ssize_t i = 0; i < slices; i++) {
        if (counts[i] < 0 || counts[i] > symbols || lanes[i] < 1 || lanes[i] > states)
            return refuse("a slice has more symbols or lanes than there are");
        symbols -= counts[i];
        states -= lanes[i];
    }
    return symbols || states ? refuse("symbols or lanes are left that no slice has") : 1;
}

#endif
