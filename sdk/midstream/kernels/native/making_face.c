/* The Python face of making.c: parses arguments, checks their sizes, releases the GIL. */
#include "making.h"

#include <stdlib.h>

#include "faces.h"
#include "ways_face.h"

enum { NUMBERS = WAYS_BUFFERS, SIZE, PARTS, PRICES, FREE, BUFFERS };
#define MAX_REACH 64
#define EACH_MEMORY ((int64_t)(sizeof(int64_t) + sizeof(int16_t) + sizeof(uint8_t)))

/* Whether parts are all weights, one after the other. */
static int read_parts(struct making *making, const Py_buffer *buffer)
{
    Py_ssize_t found = items(buffer, sizeof(int64_t));
    int64_t next = 0;
    if (found < 0)
        return 0;
    making->parts = buffer->buf;
    making->count = found / 2;
    for (int64_t p = 0; p < making->count; p++) {
        struct part part = making->parts[p];
        if (part.start != next || part.stop <= next || part.stop > making->ways.fit.count)
            return refuse("parts that are not next to each other");
        int64_t length = part.stop - part.start;
        making->longest = length > making->longest ? length : making->longest;
        next = part.stop;
    }
    return found % 2 || next != making->ways.fit.count ? refuse("parts of other weights") : 1;
}

static int read_prices(
    struct prices *prices, const Py_buffer *buffer, long long reach, int is_lattice)
{
    Py_ssize_t found = items(buffer, sizeof(float));
    int phases = is_lattice ? 4 : 2;
    if (found < 0)
        return 0;
    if (reach < 0 || reach > MAX_REACH)
        return refuse("a reach out of range");
    *prices = (struct prices){ buffer->buf, 0, reach, 2 * reach + 1 + (is_lattice ? 2 : 0) };
    prices->rows = found / phases / prices->numbers;
    if (found != phases * prices->rows * prices->numbers || prices->rows % FIT_SHAPES
        || !prices->rows || prices->rows > UINT8_MAX)
        return refuse("prices of other rows");
    return 1;
}

static int read_making(struct making *making, const Py_buffer *b, int item, long long reach)
{
    Py_ssize_t count = read_weights(&making->weights, &b[NUMBERS], item, &b[SIZE]);
    if (count < 0 || !has_items(&b[SIZE], sizeof(double), 1))
        return 0;
    if (count != making->ways.fit.count)
        return refuse("weights that are not as many as levels");
    making->levels = b[LEVELS].buf;
    return read_parts(making, &b[PARTS])
        && read_prices(&making->prices, &b[PRICES], reach, making->is_lattice)
        && read_prices(&making->free, &b[FREE], reach, making->is_lattice)
        && (making->free.rows == making->prices.rows || refuse("prices of other rows"));
}

/* Memory for the longest part, to be freed; NULL and an error where there is none. */
static void *take_memory(struct making *making)
{
    making->halves = malloc((size_t)(EACH_MEMORY * making->longest));
    if (!making->halves)
        return PyErr_NoMemory();
    making->widths = (int16_t *)(making->halves + making->longest);
    making->rows = (uint8_t *)(making->widths + making->longest);
    return making->halves;
}

PyObject *make_way(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    struct making making = { 0 };
    long long reach, axis_cost, term_cost, terms;
    double error = 0;
    int item;
    if (!PyArg_ParseTuple(args, "w*y*y*y*y*y*y*w*w*y*w*w*w*y*iy*y*y*Ly*pLLL", &b[0], &b[1], &b[2],
            &b[3], &b[4], &b[5], &b[6], &b[7], &b[8], &b[9], &b[10], &b[11], &b[12], &b[NUMBERS],
            &item, &b[SIZE], &b[PARTS], &b[PRICES], &reach, &b[FREE], &making.is_lattice,
            &axis_cost, &term_cost, &terms))
        return NULL;
    int fits = read_ways(&making.ways, b, terms) && read_making(&making, b, item, reach)
        && take_memory(&making);
    if (fits) {
        making.ways.fit.axis_cost = axis_cost;
        making.ways.term_cost = term_cost;
        Py_BEGIN_ALLOW_THREADS
        error = make_levels(&making);
        Py_END_ALLOW_THREADS
        write_ways(b, &making.ways);
        free(making.halves);
    }
    release(b, BUFFERS);
    return fits ? Py_BuildValue("Ld", (long long)making.ways.best.choice.count, error) : NULL;
}
