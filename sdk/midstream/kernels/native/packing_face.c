/* The Python face of packing.c: parses arguments, checks their sizes, releases the GIL. */
#include "packing.h"

#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "faces.h"

enum { LEVELS, SHAPES, WIDTHS, RUNS, TERMS, STEPS, LOWEST, SIZES, FIRSTS, FREQUENCIES, STARTS,
    BUFFERS };

static int read_tables(struct packing *packing, const Py_buffer *b, int64_t next_phase)
{
    Py_ssize_t tables = items(&b[LOWEST], 4), entries = items(&b[FREQUENCIES], 2);
    if (tables < 0 || entries < 0 || !has_items(&b[SIZES], 4, tables)
        || !has_items(&b[FIRSTS], 4, tables) || !has_items(&b[STARTS], 2, entries))
        return 0;
    packing->alphabets = (struct alphabets){ b[LOWEST].buf, b[SIZES].buf, b[FIRSTS].buf, tables,
        next_phase, entries };
    packing->entries = (struct entries){ b[FREQUENCIES].buf, b[STARTS].buf, entries };
    return are_entries(&packing->entries) || refuse("a frequency is out of range");
}

static int read_terms(struct terms *terms, const Py_buffer *b)
{
    Py_ssize_t runs = items(&b[RUNS], 8), rows = items(&b[TERMS], 8);
    if (runs < 0 || rows < 0)
        return 0;
    *terms = (struct terms){ b[RUNS].buf, runs / 4, b[TERMS].buf, rows / 5, b[STEPS].buf,
        b[STEPS].len };
    return (runs % 4 == 0 && rows % 5 == 0) || refuse("runs or terms that are not whole");
}

static int are_lanes(int64_t lanes, int64_t count)
{
    return lanes >= !!count && lanes <= MAX_LANES;
}

static int read_given(struct packed_levels *given, const struct packing *packing,
    const Py_buffer *b, struct terms *terms, int is_lattice)
{
    given->count = items(&b[LEVELS], 4);
    given->levels = b[LEVELS].buf;
    given->shapes = b[SHAPES].buf;
    given->widths = b[WIDTHS].buf;
    given->terms = b[RUNS].len ? terms : NULL;
    if (given->count < 0 || !has_items(&b[SHAPES], 1, given->count)
        || !has_items(&b[WIDTHS], 2, given->count) || !read_terms(terms, b))
        return 0;
    return (are_lanes(packing->lanes, given->count)
               && are_lanes(packing->last_lanes, is_lattice && !given->terms ? given->count / 16 : 0))
        || refuse("no lanes, or too many");
}

/* Memory for all weights, to be freed; NULL and an error where there is none. */
static void *take_memory(struct packing *packing, int64_t count)
{
    size_t each = (size_t)count, entries = (size_t)packing->entries.count;
    void *memory = malloc(PACKING_MEMORY * each + sizeof(int64_t) * entries + 8);
    if (!memory)
        return PyErr_NoMemory();
    packing->counts = memory;
    packing->halves = packing->counts + entries;
    packing->places = packing->halves + each;
    packing->escapes = packing->places + each;
    packing->symbols = (int32_t *)(packing->escapes + each);
    packing->low = packing->symbols + each;
    packing->numbers = packing->low + each;
    packing->folded = (int16_t *)(packing->numbers + each);
    packing->narrow = packing->folded + each;
    packing->tables = (uint16_t *)(packing->narrow + each);
    packing->words = packing->tables + each;
    packing->shapes = (int8_t *)(packing->words + each);
    packing->phases = packing->shapes + each;
    packing->shifts = (uint8_t *)(packing->phases + each);
    memset(packing->counts, 0, sizeof(int64_t) * entries);
    return memory;
}

/* Pack; false and an error where that cannot be. */
static int pack(struct packing *packing, const struct packed_levels *given, int is_lattice)
{
    int fits;
    Py_BEGIN_ALLOW_THREADS
    fits = (is_lattice ? pack_points : pack_integers)(packing, given);
    Py_END_ALLOW_THREADS
    return fits || refuse("a table, a term or a symbol is out of range");
}

static PyObject *packed(
    struct packing *packing, const struct packed_levels *given, int is_lattice)
{
    uint8_t *out = malloc((size_t)(PACKED_BYTES * given->count + PACKED_HEAD));
    if (!out)
        return PyErr_NoMemory();
    packing->out = out;
    PyObject *found = pack(packing, given, is_lattice)
        ? PyBytes_FromStringAndSize((char *)out, packing->out - out)
        : NULL;
    free(out);
    return found;
}

/* How wide tables are, and which widths have low bits. */
static void set_widths(struct packing *packing, int64_t next_phase)
{
    packing->choices.last_width = packing->folds.widest;
    packing->choices.each_width = 1;
    packing->choices.each_shape = (uint16_t)(packing->folds.widest + 1);
    packing->choices.each_phase = (uint16_t)next_phase;
}

PyObject *pack_levels(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    struct packing packing = { 0 };
    struct packed_levels given = { 0 };
    struct terms terms;
    long long next_phase, lanes, last_lanes;
    int is_lattice;
    PyObject *found = NULL;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*pLLy*y*y*y*y*Lhhh", &b[0], &b[1], &b[2], &b[3], &b[4],
            &b[5], &is_lattice, &lanes, &last_lanes, &b[6], &b[7], &b[8], &b[9], &b[10],
            &next_phase, &packing.folds.widest, &packing.folds.unshifted, &packing.folds.most))
        return NULL;
    set_widths(&packing, next_phase);
    packing.lanes = lanes;
    packing.last_lanes = last_lanes;
    if (read_tables(&packing, b, next_phase) && read_given(&given, &packing, b, &terms, is_lattice)) {
        void *memory = take_memory(&packing, given.count);
        if (memory)
            found = packed(&packing, &given, is_lattice);
        free(memory);
    }
    release(b, BUFFERS);
    return found;
}

enum { HALVES = RUNS, COUNTS = STARTS };

/* Where bits are counted, means are known, and counts are written. */
static int read_counted(
    struct packing *packing, struct packed_levels *given, const Py_buffer *b, int64_t next_phase)
{
    Py_ssize_t tables = items(&b[LOWEST], 4), entries = items(&b[COUNTS], 8);
    given->count = items(&b[LEVELS], 4);
    if (tables < 0 || entries < 0 || given->count < 0 || !has_items(&b[SHAPES], 1, given->count)
        || !has_items(&b[WIDTHS], 2, given->count) || !has_items(&b[SIZES], 4, tables)
        || !has_items(&b[FIRSTS], 4, tables)
        || (b[HALVES].len && !has_items(&b[HALVES], 8, given->count)))
        return 0;
    packing->alphabets = (struct alphabets){ b[LOWEST].buf, b[SIZES].buf, b[FIRSTS].buf, tables,
        next_phase, entries };
    given->levels = b[LEVELS].buf;
    given->shapes = b[SHAPES].buf;
    given->widths = b[WIDTHS].buf;
    given->halves = b[HALVES].len ? b[HALVES].buf : NULL;
    return 1;
}

PyObject *count_levels(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS] = { { 0 } };
    struct packing packing = { 0 };
    struct packed_levels given = { 0 };
    long long next_phase;
    int is_lattice, fits = 0;
    if (!PyArg_ParseTuple(args, "y*y*y*y*py*y*y*w*Lhhh", &b[LEVELS], &b[SHAPES], &b[WIDTHS],
            &b[HALVES], &is_lattice, &b[LOWEST], &b[SIZES], &b[FIRSTS], &b[COUNTS], &next_phase,
            &packing.folds.widest, &packing.folds.unshifted, &packing.folds.most))
        return NULL;
    set_widths(&packing, next_phase);
    if (read_counted(&packing, &given, b, next_phase)) {
        void *memory = take_memory(&packing, given.count);
        packing.counts = b[COUNTS].buf;
        fits = memory && pack(&packing, &given, is_lattice);
        free(memory);
    }
    release(b, BUFFERS);
    return fits ? PyLong_FromLongLong(packing.bits) : NULL;
}
