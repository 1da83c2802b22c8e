/* The Python face of levels.c and prediction.c: parses arguments, checks their sizes, releases
 * the GIL. */
#include "buffers.h"
#include "faces.h"
#include "levels.h"

#define STARTS_OF_TABLE 4

/* What both kinds of streams have: first of all arguments, and last. */
enum { WORDS, ENDS, STATES, COUNTS, LANES, ROWS, TABLES, STREAM_BUFFERS };
enum { ESCAPES, TAKEN, RUNS, TERMS, STEPS, OUT, TERM_BUFFERS };
enum { LOW_DATA, LOW_SIZES, SHIFTS, LOW_BUFFERS };

static int stream_fits(const Py_buffer *b)
{
    Py_ssize_t slices = items(&b[COUNTS], 8), symbols = items(&b[ROWS], 2);
    Py_ssize_t states = items(&b[STATES], 4);
    if (slices < 0 || symbols < 0 || states < 0 || items(&b[WORDS], 2) < 0)
        return 0;
    if (!b[WORDS].len)
        return refuse("no words");
    return has_items(&b[ENDS], 8, slices) && has_items(&b[LANES], 8, slices)
        && adds_up(b[COUNTS].buf, b[LANES].buf, slices, symbols, states);
}

static int escapes_fit(const Py_buffer *b)
{
    const int64_t *values = b->buf;
    Py_ssize_t count = items(b, 8);
    if (count == 0)
        refuse("no escapes at all");
    for (Py_ssize_t i = 0; i < count; i++)
        if (values[i] < -MAX_ESCAPE || values[i] > MAX_ESCAPE)
            return refuse("an escape is out of range");
    return count > 0;
}

/* Runs and terms are checked as they are read; here only that they are arrays of them. */
static int terms_fit(const Py_buffer *b, struct terms *terms)
{
    Py_ssize_t runs = items(&b[RUNS], 8), fields = items(&b[TERMS], 8);
    if (runs < 0 || fields < 0)
        return 0;
    *terms = (struct terms){ b[RUNS].buf, runs * 8 / (Py_ssize_t)sizeof(struct run), b[TERMS].buf,
        fields * 8 / (Py_ssize_t)sizeof(struct term), b[STEPS].buf, b[STEPS].len };
    return 1;
}

/* A batch of slices; `low` for levels, `parents` for digits. */
struct batch {
    const Py_buffer *stream, *terms, *low;
    const int32_t *parents;
    const uint32_t *entries;
    int64_t tables, next_phase;
};

/* Whether there are as many low bits as the next slice's levels have. */
static int low_bits_fit(const struct low_bits *low, int64_t count)
{
    int64_t bits = 0;
    for (int64_t i = 0; low->shift && i < count; i++) {
        if (low->shift[i] > MAX_SHIFT)
            return 0;
        bits += low->shift[i];
    }
    return bits <= 8 * low->size;
}

static int decode_slice(struct batch *batch, struct words *words, struct slice *slice,
    struct low_bits *low, struct escapes *escapes, struct terms *terms)
{
    const void *tables = batch->stream[TABLES].buf;
    if (batch->parents)
        return decode_digits_slice(
            tables, batch->tables, words, slice, batch->parents, escapes, terms);
    struct level_slots slots = { tables, batch->entries, batch->tables, batch->next_phase };
    return decode_levels_slice(&slots, words, slice, low, escapes, terms);
}

static int decode_batch(struct batch *batch, struct terms *terms)
{
    const Py_buffer *b = batch->stream, *t = batch->terms;
    struct words words = { b[WORDS].buf, b[WORDS].len / 2, 0 };
    struct escapes escapes = { t[ESCAPES].buf, t[ESCAPES].len / 8, 0 };
    struct slice slice = { .states = b[STATES].buf, .rows = b[ROWS].buf, .levels = t[OUT].buf };
    struct low_bits low = { 0 };
    if (batch->low && batch->low[SHIFTS].len)
        low = (struct low_bits){ batch->low[LOW_DATA].buf, 0, batch->low[SHIFTS].buf, 0 };
    const int64_t *counts = b[COUNTS].buf, *lanes = b[LANES].buf;
    int64_t *ends = b[ENDS].buf, *taken = t[TAKEN].buf;
    for (Py_ssize_t i = 0; i < b[COUNTS].len / 8; i++) {
        words.place = ends[i];
        escapes.place = taken[i];
        slice.count = counts[i];
        slice.lanes = lanes[i];
        low.place = 0;
        low.size = low.shift ? ((const int64_t *)batch->low[LOW_SIZES].buf)[i] : 0;
        if (words.place < 0 || escapes.place < 0 || !low_bits_fit(&low, counts[i])
            || !decode_slice(batch, &words, &slice, &low, &escapes, terms))
            return 0;
        ends[i] = words.place;
        taken[i] = escapes.place;
        slice.states += lanes[i];
        slice.rows += counts[i];
        slice.levels += counts[i];
        if (batch->parents)
            batch->parents += counts[i];
        if (low.shift) {
            low.data += low.size;
            low.shift += counts[i];
        }
    }
    return 1;
}

static int run(struct batch *batch)
{
    struct terms terms;
    int done = 0;
    Py_ssize_t symbols = items(&batch->stream[ROWS], 2), slices = items(&batch->stream[COUNTS], 8);
    if (!stream_fits(batch->stream) || !terms_fit(batch->terms, &terms)
        || !escapes_fit(&batch->terms[ESCAPES]) || !has_items(&batch->terms[TAKEN], 8, slices)
        || !has_items(&batch->terms[OUT], 4, symbols))
        return 0;
    Py_BEGIN_ALLOW_THREADS
    done = decode_batch(batch, &terms);
    Py_END_ALLOW_THREADS
    return done ? 1 : refuse("runs, a table, low bits or a first word are out of range");
}

/* Whether the sections of low bits are as long as they say, and there are shifts or none. */
static int low_fits(const Py_buffer *b, Py_ssize_t slices, Py_ssize_t symbols)
{
    const int64_t *sizes = b[LOW_SIZES].buf;
    int64_t left = b[LOW_DATA].len;
    if (!has_items(&b[LOW_SIZES], 8, slices)
        || (b[SHIFTS].len && !has_items(&b[SHIFTS], 1, symbols)))
        return 0;
    for (Py_ssize_t i = 0; i < slices; i++) {
        if (sizes[i] < 0 || sizes[i] > left)
            return refuse("low bits end early");
        left -= sizes[i];
    }
    return 1;
}

PyObject *decode_levels(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[STREAM_BUFFERS], entries, low[LOW_BUFFERS], t[TERM_BUFFERS];
    long long next_phase;
    if (!PyArg_ParseTuple(args, "y*w*w*y*y*y*y*y*Ly*y*y*y*w*y*y*y*w*", &b[0], &b[1], &b[2], &b[3],
            &b[4], &b[5], &b[6], &entries, &next_phase, &low[0], &low[1], &low[2], &t[0], &t[1],
            &t[2], &t[3], &t[4], &t[5]))
        return NULL;
    struct batch batch = { b, t, low, NULL, entries.buf, 0, next_phase };
    batch.tables = items(&entries, 4) >> SYMBOL_BITS;
    int done = batch.tables >= 0
        && has_items(&b[TABLES], 1, (batch.tables << TOTAL_BITS) + NAMES_PADDING)
        && (next_phase >= 0 || refuse("a phase before the first"))
        && low_fits(low, b[COUNTS].len / 8, b[ROWS].len / 2) && run(&batch);
    release(b, STREAM_BUFFERS);
    release(&entries, 1);
    release(low, LOW_BUFFERS);
    release(t, TERM_BUFFERS);
    return done ? Py_NewRef(Py_None) : NULL;
}

PyObject *decode_digits(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[STREAM_BUFFERS], parents, t[TERM_BUFFERS];
    if (!PyArg_ParseTuple(args, "y*w*w*y*y*y*y*y*y*w*y*y*y*w*", &b[0], &b[1], &b[2], &b[3], &b[4],
            &b[5], &b[6], &parents, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5]))
        return NULL;
    Py_ssize_t starts = items(&b[TABLES], 2);
    struct batch batch = { b, t, NULL, parents.buf, NULL, starts / STARTS_OF_TABLE, 0 };
    int done = starts >= 0 && has_items(&parents, 4, b[ROWS].len / 2) && run(&batch);
    release(b, STREAM_BUFFERS);
    release(&parents, 1);
    release(t, TERM_BUFFERS);
    return done ? Py_NewRef(Py_None) : NULL;
}

PyObject *predict(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer levels, t[TERM_BUFFERS];
    int done = 0;
    if (!PyArg_ParseTuple(
            args, "y*y*y*y*w*", &levels, &t[RUNS], &t[TERMS], &t[STEPS], &t[OUT]))
        return NULL;
    struct terms terms;
    Py_ssize_t count = items(&levels, 4);
    if (count >= 0 && terms_fit(t, &terms) && has_items(&t[OUT], 8, count)) {
        Py_BEGIN_ALLOW_THREADS
        done = predict_slice(levels.buf, count, &terms, t[OUT].buf);
        Py_END_ALLOW_THREADS
        if (!done)
            refuse("runs are out of range");
    }
    release(&levels, 1);
    release(&t[RUNS], TERM_BUFFERS - RUNS);
    return done ? Py_NewRef(Py_None) : NULL;
}

PyObject *table_rows(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[4];
    unsigned short last, width, shape, phase;
    if (!PyArg_ParseTuple(args, "y*y*y*HHHHw*", &b[0], &b[1], &b[2], &last, &width, &shape, &phase,
            &b[3]))
        return NULL;
    struct choices choices = { (int16_t)last, width, shape, phase };
    Py_ssize_t count = items(&b[3], 2);
    int fits = count >= 0 && has_items(&b[0], 1, count) && has_items(&b[1], 2, count)
        && (!b[2].len || has_items(&b[2], 1, count));
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        find_rows(
            &choices, b[0].buf, b[1].buf, b[2].len ? b[2].buf : NULL, count, b[3].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 4);
    return fits ? Py_NewRef(Py_None) : NULL;
}
