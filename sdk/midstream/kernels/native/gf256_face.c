/* The Python face of gf256.c: parses arguments, checks their sizes, releases the GIL. */
#include "gf256.h"

#include "buffers.h"
#include "faces.h"

enum { MATRIX, ROWS, PICKS, OUT, BUFFERS };

/* Where rows begin, in and out. */
struct places {
    const uint8_t *rows[GF_MOST];
    uint8_t *out[GF_MOST];
};

/* Rows of so many bytes each; -1 and an error where there is a part of one. */
static Py_ssize_t rows_of(const Py_buffer *buffer, Py_ssize_t size)
{
    if (!size)
        return buffer->len ? refuse("rows of no bytes that have some") - 1 : GF_MOST;
    return buffer->len % size ? refuse("a part of a row") - 1 : buffer->len / size;
}

static int find_places(const Py_buffer *b, struct gf_product *product, struct places *places)
{
    const int64_t *picks = b[PICKS].buf;
    Py_ssize_t rows = rows_of(&b[ROWS], product->size), out = rows_of(&b[OUT], product->size);
    if (rows < 0 || out < 0)
        return 0;
    if (product->size && out != product->count)
        return refuse("rows that come out are not as many as the matrix has");
    for (int64_t j = 0; j < product->terms; j++) {
        if (picks[j] < 0 || picks[j] >= rows)
            return refuse("a row that there is not");
        places->rows[j] = (const uint8_t *)b[ROWS].buf + picks[j] * product->size;
    }
    for (int64_t i = 0; i < product->count; i++)
        places->out[i] = (uint8_t *)b[OUT].buf + i * product->size;
    product->rows = places->rows;
    product->out = places->out;
    return 1;
}

static int product_fits(const Py_buffer *b, struct gf_product *product, int way)
{
    product->matrix = b[MATRIX].buf;
    product->terms = items(&b[PICKS], 8);
    if (product->terms < 0)
        return 0;
    if (product->count < 0 || product->count > GF_MOST || product->terms > GF_MOST)
        return refuse("a matrix that is larger than a codeword");
    if (product->size < 0 || way < 0 || way >= GF_WAYS)
        return refuse("a size or a way that there is not");
    return has_items(&b[MATRIX], 1, (Py_ssize_t)(product->count * product->terms));
}

PyObject *combine_rows(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    struct gf_product product = { 0 };
    struct places places;
    long long count, size;
    int way;
    if (!PyArg_ParseTuple(args, "y*y*y*LLw*i", &b[MATRIX], &b[ROWS], &b[PICKS], &count, &size,
            &b[OUT], &way))
        return NULL;
    product.count = count;
    product.size = size;
    int fits = product_fits(b, &product, way) && find_places(b, &product, &places);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        gf_multiply(&product, (enum gf_way)way);
        Py_END_ALLOW_THREADS
    }
    release(b, BUFFERS);
    return fits ? Py_NewRef(Py_None) : NULL;
}
