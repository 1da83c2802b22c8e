/* The Python face of histograms.c: parses arguments, checks their sizes, releases the GIL. */
#include "histograms.h"

#include "buffers.h"

#define MAX_SHIFTS (1 << 16)
#define MAX_DEPTH (1 << 8)

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

/* Whether there is a count for each place, shift and class. */
static int counts_fit(const Py_buffer *counts, const struct histogram *histogram)
{
    Py_ssize_t found = items(counts, 4);
    if (found < 0)
        return 0;
    if (histogram->stride < 1 || histogram->size < 1 || histogram->span < 1
        || histogram->span > MAX_SHIFTS || histogram->depth < 1 || histogram->depth > MAX_DEPTH
        || histogram->low < INT16_MIN || histogram->low > INT16_MAX)
        return refuse("an axis, shifts or classes of nothing, or too many");
    int64_t room = histogram->span * histogram->depth;
    return found % room == 0 && found / room == histogram->size
        ? 1
        : refuse("counts of other places, shifts or classes");
}

PyObject *count_classes(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    long long stride, size, low, span, depth;
    int done = 0;
    if (!PyArg_ParseTuple(args, "y*y*LLLLLw*", &b[0], &b[1], &stride, &size, &low, &span, &depth,
            &b[2]))
        return NULL;
    struct histogram histogram = { b[2].buf, stride, size, low, span, depth };
    if (counts_fit(&b[2], &histogram) && has_items(&b[1], 2, b[0].len)) {
        Py_BEGIN_ALLOW_THREADS
        done = can_count(&histogram, b[0].buf, b[1].buf, b[0].len);
        if (done)
            count_weights(&histogram, b[0].buf, b[1].buf, b[0].len);
        Py_END_ALLOW_THREADS
        if (!done)
            refuse("a class or a shift is out of range");
    }
    release(b, 3);
    return done ? Py_NewRef(Py_None) : NULL;
}

PyObject *add_shifted(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    long long low, spread, span, depth;
    int done = 0;
    if (!PyArg_ParseTuple(
            args, "y*y*LLLLw*", &b[0], &b[1], &low, &spread, &span, &depth, &b[2]))
        return NULL;
    struct histogram histogram = { b[0].buf, 1, items(&b[1], 2), low, span, depth };
    if (counts_fit(&b[0], &histogram) && ((spread >= 1 && spread <= MAX_SHIFTS)
            || refuse("shifts of nothing, or too many"))
        && has_items(&b[2], 4, (spread + span - 1) * depth)) {
        Py_BEGIN_ALLOW_THREADS
        done = add_places(&histogram, b[1].buf, spread, b[2].buf);
        Py_END_ALLOW_THREADS
        if (!done)
            refuse("a shift is out of range");
    }
    release(b, 3);
    return done ? Py_NewRef(Py_None) : NULL;
}
