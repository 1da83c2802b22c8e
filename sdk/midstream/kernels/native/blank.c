#define _DEFAULT_SOURCE /* for madvise */
#include "blank.h"

#include <stdint.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#define LARGE ((Py_ssize_t)1 << 24)
#define HUGE_PAGE ((uintptr_t)1 << 21)

/* Ask for huge pages: to be given small ones takes longer than to decode into them. */
static void prefer_huge_pages(char *data, Py_ssize_t size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t start = ((uintptr_t)data + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uintptr_t end = ((uintptr_t)data + (uintptr_t)size) / HUGE_PAGE * HUGE_PAGE;
    /* a system without them says no, and that is no harm */
    if (start < end)
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
    (void)data, (void)size;
#endif
}

PyObject *blank(PyObject *module, PyObject *number)
{
    (void)module;
    Py_ssize_t size = PyLong_AsSsize_t(number);
    if (size == -1 && PyErr_Occurred())
        return NULL;
    if (size < 0) {
        PyErr_SetString(PyExc_ValueError, "negative count");
        return NULL;
    }
    PyObject *array = PyByteArray_FromStringAndSize(NULL, size);
    if (!array)
        return NULL;
    char *data = PyByteArray_AsString(array);
    Py_BEGIN_ALLOW_THREADS
    if (size >= LARGE)
        prefer_huge_pages(data, size);
    memset(data, 0, (size_t)size);
    Py_END_ALLOW_THREADS
    return array;
}
