/* The Python face of thrift.c: parses arguments, checks their sizes, releases the GIL. */
#include "thrift.h"

#include "buffers.h"

#define MAX_REACH 64
#define PHASES 2 /* of levels */
#define QUARTERS 4

/* Whether there is a price of all numbers for each row, in each phase. */
static int read_prices(
    struct prices *prices, const Py_buffer *buffer, int phases, long long reach, int more)
{
    Py_ssize_t found = items(buffer, sizeof(float));
    if (found < 0)
        return 0;
    if (reach < 0 || reach > MAX_REACH)
        return refuse("a reach out of range");
    prices->price = buffer->buf;
    prices->reach = reach;
    prices->numbers = 2 * reach + 1 + more;
    prices->rows = found / phases / prices->numbers;
    return found == phases * prices->rows * prices->numbers && prices->rows <= UINT8_MAX + 1
        ? 1
        : refuse("prices of other rows");
}

PyObject *thrifty_levels(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[7];
    struct weights weights = { 0 };
    struct prices prices;
    long long reach;
    int item;
    if (!PyArg_ParseTuple(args, "y*y*y*iy*y*y*Lw*", &b[0], &b[1], &b[2], &item, &b[3], &b[4], &b[5],
            &reach, &b[6]))
        return NULL;
    Py_ssize_t count = read_weights(&weights, &b[2], item, &b[3]);
    int fits = count >= 0 && has_items(&b[0], 4, count) && has_items(&b[4], 1, count)
        && (!b[1].len || has_items(&b[1], 8, count)) && has_items(&b[6], 4, count)
        && read_prices(&prices, &b[5], PHASES, reach, 0);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        move_levels(b[6].buf, b[0].buf, b[1].len ? b[1].buf : NULL, &weights, b[4].buf, count,
            &prices);
        Py_END_ALLOW_THREADS
    }
    release(b, 7);
    return fits ? Py_NewRef(Py_None) : NULL;
}

static int rows_fit(const Py_buffer *rows, const struct prices *prices)
{
    const uint8_t *row = rows->buf;
    uint8_t last = 0;
    for (Py_ssize_t i = 0; i < rows->len; i++)
        last = row[i] > last ? row[i] : last;
    return !rows->len || last < prices->rows ? 1 : refuse("a row without prices");
}

PyObject *thrifty_points(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[6];
    struct weights weights = { 0 };
    struct prices prices;
    long long reach;
    int item;
    if (!PyArg_ParseTuple(
            args, "y*iy*y*y*Ly*w*", &b[0], &item, &b[1], &b[2], &b[3], &reach, &b[4], &b[5]))
        return NULL;
    Py_ssize_t count = read_weights(&weights, &b[0], item, &b[1]);
    int fits = count >= 0 && has_items(&b[2], 1, count)
        && (!b[4].len || has_items(&b[4], 8, count)) && has_items(&b[5], 4, count)
        && read_prices(&prices, &b[3], QUARTERS, reach, 2) && rows_fit(&b[2], &prices);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        find_points(b[5].buf, &weights, b[2].buf, b[4].len ? b[4].buf : NULL, count, &prices);
        Py_END_ALLOW_THREADS
    }
    release(b, 6);
    return fits ? Py_NewRef(Py_None) : NULL;
}
