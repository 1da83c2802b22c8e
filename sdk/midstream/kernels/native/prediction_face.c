/* The Python face of prediction.c: parses arguments, checks their sizes, releases the GIL. */
#include "prediction.h"

#include "buffers.h"

/* What both kinds of streams have. */
enum { WORDS, ENDS, STATES, COUNTS, LANES, ROWS, FREQUENCY, OFFSET, SYMBOL, STREAM_BUFFERS };
enum { ESCAPES, TAKEN, LENGTHS, TERMS, DISTANCES, GAINS, OUT, TERM_BUFFERS };

static int stream_fits(const Py_buffer *b)
{
    Py_ssize_t slices = items(&b[COUNTS], 8), symbols = items(&b[ROWS], 2);
    Py_ssize_t states = items(&b[STATES], 4), slots = b[SYMBOL].len;
    if (slices < 0 || symbols < 0 || states < 0 || items(&b[WORDS], 2) < 0)
        return 0;
    if (!b[WORDS].len || slots % TOTAL)
        return refuse("no words, or a part of a table");
    return has_items(&b[ENDS], 8, slices) && has_items(&b[LANES], 8, slices)
        && has_items(&b[FREQUENCY], 2, slots) && has_items(&b[OFFSET], 2, slots)
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

/* Terms are checked as they are read; here only that they are arrays of the same sizes. */
static int terms_fit(const Py_buffer *b, struct terms *terms)
{
    terms->segments = items(&b[LENGTHS], 4);
    terms->terms = items(&b[DISTANCES], 4);
    terms->length = b[LENGTHS].buf;
    terms->count = b[TERMS].buf;
    terms->distance = b[DISTANCES].buf;
    terms->gain = b[GAINS].buf;
    return terms->segments >= 0 && terms->terms >= 0
        && has_items(&b[TERMS], 4, terms->segments) && has_items(&b[GAINS], 8, terms->terms);
}

/* A batch of slices; `grains` for levels, `parents` for digits. */
struct batch {
    const Py_buffer *stream, *terms;
    struct grains grains;
    const int32_t *parents;
};

static int decode_batch(struct batch *batch, struct terms *terms)
{
    const Py_buffer *b = batch->stream, *t = batch->terms;
    struct slots slots
        = { b[FREQUENCY].buf, b[OFFSET].buf, b[SYMBOL].buf, b[SYMBOL].len >> TOTAL_BITS };
    struct words words = { b[WORDS].buf, b[WORDS].len / 2, 0 };
    struct escapes escapes = { t[ESCAPES].buf, t[ESCAPES].len / 8, 0 };
    struct slice slice = { .states = b[STATES].buf, .rows = b[ROWS].buf, .levels = t[OUT].buf };
    const int64_t *counts = b[COUNTS].buf, *lanes = b[LANES].buf;
    int64_t *ends = b[ENDS].buf, *taken = t[TAKEN].buf;
    for (Py_ssize_t i = 0; i < b[COUNTS].len / 8; i++) {
        words.place = ends[i];
        escapes.place = taken[i];
        slice.count = counts[i];
        slice.lanes = lanes[i];
        if (words.place < 0 || escapes.place < 0)
            return 0;
        int done = batch->parents
            ? decode_digits_slice(&slots, &words, &slice, batch->parents, &escapes, terms)
            : decode_levels_slice(&slots, &words, &slice, &batch->grains, &escapes, terms);
        if (!done)
            return 0;
        ends[i] = words.place;
        taken[i] = escapes.place;
        slice.states += lanes[i];
        slice.rows += counts[i];
        slice.levels += counts[i];
        if (batch->parents)
            batch->parents += counts[i];
        else {
            batch->grains.low += counts[i];
            batch->grains.shift += counts[i];
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
    return done ? 1 : refuse("segments, a table or a first word are out of range");
}

static int shifts_fit(const Py_buffer *low, const Py_buffer *shifts, Py_ssize_t symbols)
{
    const uint8_t *shift = shifts->buf;
    if (!has_items(low, 4, symbols) || !has_items(shifts, 1, symbols))
        return 0;
    for (Py_ssize_t i = 0; i < symbols; i++)
        if (shift[i] > MAX_SHIFT)
            return refuse("more low bits than a level has");
    return 1;
}

PyObject *decode_levels(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[STREAM_BUFFERS], extra[2], t[TERM_BUFFERS];
    if (!PyArg_ParseTuple(args, "y*w*w*y*y*y*y*y*y*y*y*y*w*y*y*y*y*w*", &b[0], &b[1], &b[2], &b[3],
            &b[4], &b[5], &b[6], &b[7], &b[8], &extra[0], &extra[1], &t[0], &t[1], &t[2], &t[3],
            &t[4], &t[5], &t[6]))
        return NULL;
    struct batch batch = { b, t, { extra[0].buf, extra[1].buf }, NULL };
    int done = shifts_fit(&extra[0], &extra[1], b[ROWS].len / 2) && run(&batch);
    release(b, STREAM_BUFFERS);
    release(extra, 2);
    release(t, TERM_BUFFERS);
    return done ? Py_NewRef(Py_None) : NULL;
}

PyObject *decode_digits(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[STREAM_BUFFERS], parents, t[TERM_BUFFERS];
    if (!PyArg_ParseTuple(args, "y*w*w*y*y*y*y*y*y*y*y*w*y*y*y*y*w*", &b[0], &b[1], &b[2], &b[3],
            &b[4], &b[5], &b[6], &b[7], &b[8], &parents, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5],
            &t[6]))
        return NULL;
    struct batch batch = { b, t, { NULL, NULL }, parents.buf };
    int done = has_items(&parents, 4, b[ROWS].len / 2) && run(&batch);
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
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*w*", &levels, &t[LENGTHS], &t[TERMS], &t[DISTANCES],
            &t[GAINS], &t[OUT]))
        return NULL;
    struct terms terms;
    Py_ssize_t count = items(&levels, 4);
    if (count >= 0 && terms_fit(t, &terms) && has_items(&t[OUT], 8, count)) {
        Py_BEGIN_ALLOW_THREADS
        done = predict_slice(levels.buf, count, &terms, t[OUT].buf);
        Py_END_ALLOW_THREADS
        if (!done)
            refuse("segments are out of range");
    }
    release(&levels, 1);
    release(&t[LENGTHS], TERM_BUFFERS - LENGTHS);
    return done ? Py_NewRef(Py_None) : NULL;
}
