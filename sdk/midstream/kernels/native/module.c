/* The Python face of the kernels: parses arguments, checks their sizes, releases the GIL.
 *
 * Arrays come and go as buffers; results are written into arrays of the caller's.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "bits.h"
#include "blank.h"
#include "buffers.h"
#include "cells.h"
#include "floats.h"
#include "grid.h"
#include "faces.h"
#include "gf256.h"
#include "histograms.h"
#include "nearest.h"
#include "rans.h"
#include "symbols.h"
#include "thrift.h"

/* --- rANS ---------------------------------------------------------------------------- */

enum { D_WORDS, D_ENDS, D_STATES, D_COUNTS, D_LANES, D_TABLES, D_FREQUENCY, D_OFFSET, D_NAME,
    D_SYMBOLS, D_BUFFERS };

static int decode_fits(Py_buffer *b)
{
    Py_ssize_t slices = items(&b[D_COUNTS], 8), symbols = items(&b[D_TABLES], 2);
    Py_ssize_t states = items(&b[D_STATES], 4), names = b[D_NAME].len;
    if (slices < 0 || symbols < 0 || states < 0 || items(&b[D_WORDS], 2) < 0)
        return 0;
    if (!b[D_WORDS].len || names % TOTAL)
        return refuse("no words, or a part of a table");
    return has_items(&b[D_ENDS], 8, slices) && has_items(&b[D_LANES], 8, slices)
        && has_items(&b[D_FREQUENCY], 2, names) && has_items(&b[D_OFFSET], 2, names)
        && has_items(&b[D_SYMBOLS], 1, symbols)
        && adds_up(b[D_COUNTS].buf, b[D_LANES].buf, slices, symbols, states);
}

static int decode_all(Py_buffer *b)
{
    struct slots slots
        = { b[D_FREQUENCY].buf, b[D_OFFSET].buf, b[D_NAME].buf, b[D_NAME].len >> TOTAL_BITS };
    struct words words = { b[D_WORDS].buf, b[D_WORDS].len / 2, 0 };
    const int64_t *counts = b[D_COUNTS].buf, *lanes = b[D_LANES].buf;
    const uint16_t *tables = b[D_TABLES].buf;
    int64_t *ends = b[D_ENDS].buf, slices = b[D_COUNTS].len / 8;
    uint32_t *states = b[D_STATES].buf;
    uint8_t *symbols = b[D_SYMBOLS].buf;
    for (int64_t i = 0; i < slices; i++) {
        words.place = ends[i];
        if (words.place < 0
            || !rans_decode_slice(&slots, &words, states, lanes[i], tables, counts[i], symbols))
            return 0;
        ends[i] = words.place;
        states += lanes[i];
        tables += counts[i];
        symbols += counts[i];
    }
    return 1;
}

static PyObject *rans_decode(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[D_BUFFERS];
    int done = 0;
    if (!PyArg_ParseTuple(args, "y*w*w*y*y*y*y*y*y*w*", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
            &b[6], &b[7], &b[8], &b[9]))
        return NULL;
    if (decode_fits(b)) {
        Py_BEGIN_ALLOW_THREADS
        done = decode_all(b);
        Py_END_ALLOW_THREADS
        if (!done)
            refuse("a first word or a table is out of range");
    }
    release(b, D_BUFFERS);
    return done ? Py_NewRef(Py_None) : NULL;
}

enum { E_SYMBOLS, E_FREQUENCIES, E_STARTS, E_COUNTS, E_LANES, E_STATES, E_WORDS, E_TAKEN,
    E_BUFFERS };

static int encode_fits(Py_buffer *b)
{
    Py_ssize_t slices = items(&b[E_COUNTS], 8), symbols = items(&b[E_SYMBOLS], 4);
    Py_ssize_t states = items(&b[E_STATES], 4), entries = items(&b[E_FREQUENCIES], 2);
    return slices >= 0 && symbols >= 0 && states >= 0 && entries >= 0
        && has_items(&b[E_STARTS], 2, entries)
        && has_items(&b[E_LANES], 8, slices) && has_items(&b[E_TAKEN], 8, slices)
        && has_items(&b[E_WORDS], 2, symbols)
        && adds_up(b[E_COUNTS].buf, b[E_LANES].buf, slices, symbols, states);
}

/* The number of words, which stand at the front of their array; -1 for a bad symbol. */
static int64_t encode_all(Py_buffer *b)
{
    struct entries entries
        = { b[E_FREQUENCIES].buf, b[E_STARTS].buf, b[E_FREQUENCIES].len / 2 };
    const int32_t *symbols = b[E_SYMBOLS].buf;
    const int64_t *counts = b[E_COUNTS].buf, *lanes = b[E_LANES].buf;
    int64_t *taken = b[E_TAKEN].buf, slices = b[E_COUNTS].len / 8;
    uint32_t *states = b[E_STATES].buf;
    uint16_t *first = b[E_WORDS].buf, *room = first;
    if (!are_entries(&entries))
        return -1;
    for (int64_t i = 0; i < slices; i++) {
        room += counts[i];
        taken[i] = rans_encode_slice(&entries, symbols, counts[i], states, lanes[i], room);
        if (taken[i] < 0)
            return -1;
        memmove(first, room - taken[i], 2 * (size_t)taken[i]);
        first += taken[i];
        states += lanes[i];
        symbols += counts[i];
    }
    return first - (uint16_t *)b[E_WORDS].buf;
}

static PyObject *rans_encode(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[E_BUFFERS];
    int64_t size = -1;
    if (!PyArg_ParseTuple(
            args, "y*y*y*y*y*w*w*w*", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6], &b[7]))
        return NULL;
    if (encode_fits(b)) {
        Py_BEGIN_ALLOW_THREADS
        size = encode_all(b);
        Py_END_ALLOW_THREADS
        if (size < 0)
            refuse("a symbol or a frequency is out of range");
    }
    release(b, E_BUFFERS);
    return size < 0 ? NULL : PyLong_FromLongLong(size);
}

/* --- bit fields ---------------------------------------------------------------------- */

/* Bytes of the fields; -1 and an error where there are not as many values or one is too wide. */
static int64_t field_bytes(const Py_buffer *values, const Py_buffer *widths)
{
    Py_ssize_t count = items(widths, 8);
    if (count < 0 || !has_items(values, 8, count))
        return -1;
    int64_t bits = total_bits(widths->buf, count);
    if (bits < 0)
        refuse("a field is wider than 57 bits");
    return bits < 0 ? -1 : (bits + 7) / 8;
}

static PyObject *pack_bits(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*y*", &b[0], &b[1]))
        return NULL;
    int64_t size = field_bytes(&b[0], &b[1]);
    if (size >= 0)
        result = PyBytes_FromStringAndSize(NULL, size);
    if (result) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(result);
        Py_BEGIN_ALLOW_THREADS
        pack_fields(b[0].buf, b[1].buf, b[1].len / 8, out);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return result;
}

static PyObject *unpack_bits(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    if (!PyArg_ParseTuple(args, "y*y*w*", &b[0], &b[1], &b[2]))
        return NULL;
    int64_t size = field_bytes(&b[2], &b[1]);
    int fits = size >= 0 && size <= b[0].len;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        unpack_fields(b[0].buf, b[1].buf, b[1].len / 8, b[2].buf);
        Py_END_ALLOW_THREADS
    } else if (size >= 0) {
        refuse("fields end early");
    }
    release(b, 3);
    return fits ? Py_NewRef(Py_None) : NULL;
}

/* --- varints ------------------------------------------------------------------------- */

static PyObject *write_varints(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    int64_t size = -1;
    if (!PyArg_ParseTuple(args, "y*w*", &b[0], &b[1]))
        return NULL;
    Py_ssize_t count = items(&b[0], 8);
    if (count >= 0 && has_items(&b[1], 1, count * VARINT_BYTES)) {
        Py_BEGIN_ALLOW_THREADS
        size = write_leb128(b[0].buf, count, b[1].buf);
        Py_END_ALLOW_THREADS
        if (size < 0)
            refuse("a varint of more than 35 bits");
    }
    release(b, 2);
    return size < 0 ? NULL : PyLong_FromLongLong(size);
}

static PyObject *read_varints(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    int64_t size = -1;
    if (!PyArg_ParseTuple(args, "y*w*", &b[0], &b[1]))
        return NULL;
    Py_ssize_t count = items(&b[1], 8);
    if (count >= 0) {
        Py_BEGIN_ALLOW_THREADS
        size = read_leb128(b[0].buf, b[0].len, count, b[1].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return count < 0 ? NULL : PyLong_FromLongLong(size);
}

/* --- grid ---------------------------------------------------------------------------- */

static PyObject *add_along(PyObject *module, PyObject *args)
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

static PyObject *scale_floats(PyObject *module, PyObject *args)
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

static PyObject *scale_integers(PyObject *module, PyObject *args)
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

/* --- the module ---------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    { "add_along", add_along, METH_VARARGS,
        "add_along(totals, deltas, stride, start, factor)" },
    { "add_shifted", add_shifted, METH_VARARGS,
        "add_shifted(counts, shifts, low, spread, span, depth, sums)" },
    { "blank", blank, METH_O, "blank(size) -> bytearray of zeros" },
    { "combine_rows", combine_rows, METH_VARARGS,
        "combine_rows(matrix, rows, picks, count, size, out, way)" },
    { "count_classes", count_classes, METH_VARARGS,
        "count_classes(classes, shifts, stride, size, low, span, depth, counts)" },
    { "decode_digits", decode_digits, METH_VARARGS,
        "decode_digits(stream, lanes, rows, starts, parents, escapes, runs, terms, steps, levels) -> "
        "bytes, -1 or -2" },
    { "decode_floats", decode_floats, METH_VARARGS,
        "decode_floats(payload, quarters, stops, splits, narrow, wide, frequencies, places, moves, "
        "widths, memory, out, at, lanes, bits, mantissa, trailing, whole, "
        "is wide) -> bytes, -1 or -2" },
    { "decode_levels", decode_levels, METH_VARARGS,
        "decode_levels(stream, lanes, rows, names, entries, next phase, low bits, shifts or nothing, "
        "escapes, runs, terms, steps, levels) -> bytes, -1 or -2" },
    { "digit_symbols", digit_symbols, METH_VARARGS,
        "digit_symbols(parents, children, halves or nothing, tables, classes, symbols or nothing, "
        "counts, moved) -> escapes written" },
    { "fold_widths", fold_widths, METH_VARARGS,
        "fold_widths(widths, widest, unshifted, most, folded, shifts)" },
    { "level_classes", level_classes, METH_VARARGS,
        "level_classes(levels, halves or nothing, classes)" },
    { "level_symbols", level_symbols, METH_VARARGS,
        "level_symbols(levels, halves or nothing, tables, shifts, lowest, sizes, firsts, "
        "next phase, symbols or nothing, low, counts, places, escapes) -> escapes written" },
    { "nearest_levels", nearest_levels, METH_VARARGS,
        "nearest_levels(numbers, item size, sizes, offset, levels)" },
    { "pack_bits", pack_bits, METH_VARARGS, "pack_bits(values, widths) -> bytes" },
    { "predict", predict, METH_VARARGS,
        "predict(levels, runs, terms, steps, halves)" },
    { "rans_decode", rans_decode, METH_VARARGS,
        "rans_decode(words, ends, states, counts, lanes, tables, frequencies, offsets, names, "
        "symbols); ends and states go in as starts and come out as what is left" },
    { "rans_encode", rans_encode, METH_VARARGS,
        "rans_encode(symbols, frequencies, starts, counts, lanes, states, words, taken) -> words "
        "written" },
    { "read_cells", read_cells, METH_VARARGS,
        "read_cells(data, levels, steps, memory, out, mode, table, bits, mantissa) -> bytes, -1 "
        "or -2" },
    { "read_varints", read_varints, METH_VARARGS, "read_varints(data, values) -> bytes, or -1" },
    { "scale_floats", scale_floats, METH_VARARGS,
        "scale_floats(levels, steps, sizes, first, precision, out)" },
    { "scale_integers", scale_integers, METH_VARARGS,
        "scale_integers(levels, steps, powers, offsets, low, high, item size, out)" },
    { "squared_error", squared_error, METH_VARARGS,
        "squared_error(numbers, item size, sizes, offset, levels or nothing) -> sum" },
    { "table_rows", table_rows, METH_VARARGS,
        "table_rows(shapes, widths, phases or nothing, last width, each width, each shape, each "
        "phase, rows)" },
    { "thrifty_levels", thrifty_levels, METH_VARARGS,
        "thrifty_levels(levels, halves or nothing, numbers, item size, sizes, rows, savings, "
        "reach, moved)" },
    { "thrifty_points", thrifty_points, METH_VARARGS,
        "thrifty_points(numbers, item size, sizes, rows, prices, reach, levels)" },
    { "unpack_bits", unpack_bits, METH_VARARGS, "unpack_bits(data, widths, values)" },
    { "write_varints", write_varints, METH_VARARGS, "write_varints(values, out) -> bytes" },
    { NULL, NULL, 0, NULL },
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The hot loops in C. Knows nothing of NumPy, only of buffers.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__native(void);

PyMODINIT_FUNC PyInit__native(void)
{
    gf_prepare();
    return PyModuleDef_Init(&definition);
}
