/* The Python face of rans.c: parses arguments, checks their sizes, releases the GIL. */
#include "faces.h"

#include <string.h>

#include "buffers.h"
#include "rans.h"

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

PyObject *rans_decode(PyObject *module, PyObject *args)
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

PyObject *rans_encode(PyObject *module, PyObject *args)
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
