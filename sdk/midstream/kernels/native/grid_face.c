/* The Python face of grid.c: parses arguments, checks their sizes, releases the GIL. */
#include "faces.h"

#include "buffers.h"
#include "grid.h"

PyObject *add_along(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    long long stride, start;
    int factor;
    if (!PyArg_ParseTuple(args, "w*y*LLi", &b[0], &b[1], &stride, &start, &factor))
        return NULL;
    struct axis axis = { b[1].buf, b[1].len, stride, factor };
    Py_ssize_t count = items(&b[0], 2);
    if (count >= 0 && (!axis.size || stride < 1 || start < 0)) {
        refuse("an axis of nothing, or a place before its start");
        count = -1;
    }
    if (count >= 0) {
        Py_BEGIN_ALLOW_THREADS
        add_to_weights(b[0].buf, count, start, &axis);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return count >= 0 ? Py_NewRef(Py_None) : NULL;
}

/* Whether there is one step or one for each of the levels, and a size for each step. */
static int scale_fits(const Py_buffer *levels, const Py_buffer *steps, const Py_buffer *sizes,
    Py_ssize_t bytes, Py_ssize_t item, int64_t first)
{
    Py_ssize_t weights = items(levels, 4), count = items(sizes, 8), given = items(steps, 4);
    if (weights < 0 || count < 0 || given < 0)
        return 0;
    if (bytes != weights * item || (given != 1 && given != weights))
        return refuse("levels, steps and weights differ in number");
    return steps_in_range(steps->buf, given, first, count) ? 1 : refuse("a step without a size");
}

PyObject *scale_floats(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[4];
    long long first;
    int precision;
    if (!PyArg_ParseTuple(
            args, "y*y*y*Liw*", &b[0], &b[1], &b[2], &first, &precision, &b[3]))
        return NULL;
    int known = precision == FLOAT32 || precision == FLOAT16 || precision == BFLOAT16
        || refuse("a precision that is unknown");
    int item = precision == FLOAT32 ? 4 : 2;
    int fits = known && scale_fits(&b[0], &b[1], &b[2], b[3].len, item, first);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        scale_floats_to(b[3].buf, precision, b[0].buf, b[0].len / 4, b[1].buf, b[1].len / 4, first,
            b[2].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 4);
    return fits ? Py_NewRef(Py_None) : NULL;
}

static int powers_fit(const Py_buffer *buffer)
{
    const int64_t *powers = buffer->buf;
    for (Py_ssize_t i = 0; i < buffer->len / 8; i++)
        if (powers[i] < 0 || powers[i] > MAX_POWER)
            return refuse("a power is out of range");
    return 1;
}

PyObject *scale_integers(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[5];
    long long low, high;
    Py_ssize_t item;
    if (!PyArg_ParseTuple(args, "y*y*y*y*LLnw*", &b[0], &b[1], &b[2], &b[3], &low, &high, &item,
            &b[4]))
        return NULL;
    int64_t range[2] = { low, high };
    int fits = (item == 1 || item == 4 || refuse("an item of a size that is unknown"))
        && scale_fits(&b[0], &b[1], &b[2], b[4].len, item, 0) && powers_fit(&b[2])
        && has_items(&b[1], 4, b[0].len / 4) && has_items(&b[3], 4, b[0].len / 4)
        && has_items(&b[4], (size_t)item, b[0].len / 4);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        scale_integers_to(
            b[4].buf, item, b[0].buf, b[1].buf, b[0].len / 4, 0, b[2].buf, b[3].buf, range);
        Py_END_ALLOW_THREADS
    }
    release(b, 5);
    return fits ? Py_NewRef(Py_None) : NULL;
}
