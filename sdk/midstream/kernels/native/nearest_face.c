/* The Python face of nearest.c: parses arguments, checks their sizes, releases the GIL. */
#include "nearest.h"

#include "buffers.h"

Py_ssize_t read_weights(
    struct weights *weights, const Py_buffer *numbers, int item, const Py_buffer *sizes)
{
    if (item != 4 && item != 8)
        return refuse("a number of a size that is unknown") - 1;
    Py_ssize_t count = items(numbers, (size_t)item), found = items(sizes, 8);
    if (count < 0 || found < 0)
        return -1;
    if (found != 1 && found != count)
        return refuse("sizes of other weights") - 1;
    weights->single = item == 4 ? numbers->buf : NULL;
    weights->numbers = item == 8 ? numbers->buf : NULL;
    weights->sizes = sizes->buf;
    weights->each = found != 1;
    return count;
}

PyObject *nearest_levels(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    struct weights weights;
    int item;
    if (!PyArg_ParseTuple(args, "y*iy*dw*", &b[0], &item, &b[1], &weights.offset, &b[2]))
        return NULL;
    Py_ssize_t count = read_weights(&weights, &b[0], item, &b[1]);
    int fits = count >= 0 && has_items(&b[2], 4, count);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        find_nearest(b[2].buf, &weights, count);
        Py_END_ALLOW_THREADS
    }
    release(b, 3);
    return fits ? Py_NewRef(Py_None) : NULL;
}

PyObject *squared_error(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    struct weights weights;
    double total = 0;
    int item;
    if (!PyArg_ParseTuple(args, "y*iy*dy*", &b[0], &item, &b[1], &weights.offset, &b[2]))
        return NULL;
    Py_ssize_t count = read_weights(&weights, &b[0], item, &b[1]);
    int fits = count >= 0 && (!b[2].len || has_items(&b[2], 4, count));
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        total = sum_squares(b[2].len ? b[2].buf : NULL, &weights, count);
        Py_END_ALLOW_THREADS
    }
    release(b, 3);
    return fits ? PyFloat_FromDouble(total) : NULL;
}

PyObject *squared_distance(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    double total = 0;
    if (!PyArg_ParseTuple(args, "y*y*", &b[0], &b[1]))
        return NULL;
    Py_ssize_t count = items(&b[0], sizeof(float));
    int fits = count >= 0 && has_items(&b[1], sizeof(float), count);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        total = sum_distances(b[0].buf, b[1].buf, count);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return fits ? PyFloat_FromDouble(total) : NULL;
}

/* Whether tensors stop one after the other, the last where all weights do. */
static int are_stops(const int64_t *stops, Py_ssize_t tensors, Py_ssize_t count)
{
    int64_t before = 0;
    for (Py_ssize_t i = 0; i < tensors; i++) {
        if (stops[i] < before || stops[i] > count)
            return refuse("tensors that do not follow each other");
        before = stops[i];
    }
    return before == count || refuse("weights of no tensor");
}

static void sum_each(const struct weights *all, const int32_t *levels, const int64_t *stops,
    Py_ssize_t tensors, double *errors)
{
    int64_t start = 0;
    for (Py_ssize_t i = 0; i < tensors; start = stops[i++]) {
        struct weights own = *all;
        own.single = all->single ? all->single + start : NULL;
        own.numbers = all->numbers ? all->numbers + start : NULL;
        errors[i] = sum_squares(levels + start, &own, stops[i] - start);
    }
}

PyObject *squared_errors(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[5];
    struct weights weights = { .offset = 0 };
    int item;
    if (!PyArg_ParseTuple(args, "y*iy*y*y*w*", &b[0], &item, &b[1], &b[2], &b[3], &b[4]))
        return NULL;
    Py_ssize_t count = read_weights(&weights, &b[0], item, &b[1]), tensors = items(&b[3], 8);
    int fits = count >= 0 && tensors >= 0 && has_items(&b[1], 8, 1) && has_items(&b[2], 4, count)
        && has_items(&b[4], 8, tensors) && are_stops(b[3].buf, tensors, count);
    if (fits) {
        weights.each = 0;
        Py_BEGIN_ALLOW_THREADS
        sum_each(&weights, b[2].buf, b[3].buf, tensors, b[4].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 5);
    return fits ? Py_NewRef(Py_None) : NULL;
}
