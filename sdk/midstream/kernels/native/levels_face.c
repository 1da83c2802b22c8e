/* The Python face of levels.c and prediction.c: parses arguments, checks their sizes, releases
 * the GIL. */
#include "buffers.h"
#include "faces.h"
#include "held.h"
#include "levels.h"

#define STARTS_OF_TABLE 4

/* What both kinds of streams have. */
enum { DATA, ROWS, ESCAPES, RUNS, TERMS, STEPS, OUT, STREAM_BUFFERS };

static int escapes_fit(const Py_buffer *buffer, struct escapes *escapes)
{
    *escapes = (struct escapes){ buffer->buf, items(buffer, 8), 0 };
    for (int64_t i = 0; i < escapes->count; i++)
        if (escapes->value[i] < -MAX_ESCAPE || escapes->value[i] > MAX_ESCAPE)
            return refuse("an escape is out of range");
    return escapes->count >= 0;
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

static int slice_fits(const Py_buffer *b, int lanes, struct slice *slice)
{
    Py_ssize_t count = items(&b[ROWS], 2);
    if (lanes < 1 || lanes > MAX_LANES)
        return refuse("more lanes than there may be, or none");
    slice->lanes = lanes;
    slice->count = count;
    slice->rows = b[ROWS].buf;
    slice->levels = b[OUT].buf;
    return count >= 0 && has_items(&b[OUT], 4, count);
}

/* Whether there are shifts for all levels or none, and as many low bits as they say. */
static int low_bits_fit(const Py_buffer *data, const Py_buffer *shifts, Py_ssize_t symbols,
    struct low_bits *low)
{
    int64_t bits = 0;
    *low = (struct low_bits){ data->buf, data->len, shifts->len ? shifts->buf : NULL, 0 };
    if (shifts->len && !has_items(shifts, 1, symbols))
        return 0;
    for (Py_ssize_t i = 0; i < shifts->len; i++) {
        if (low->shift[i] > MAX_SHIFT)
            return refuse("more low bits than a level has");
        bits += low->shift[i];
    }
    return bits <= 8 * low->size || refuse("low bits end early");
}

/* Bytes, or what is wrong with them, as Python sees it. */
static PyObject *result(int64_t taken)
{
    if (taken == UNFIT_ARGUMENTS)
        refuse("runs or a table are out of range");
    return taken == UNFIT_ARGUMENTS ? NULL : PyLong_FromLongLong(taken);
}

PyObject *decode_levels(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[STREAM_BUFFERS], more[3];
    int lanes, widest;
    long long next_phase;
    if (!PyArg_ParseTuple(args, "y*iy*y*Liy*y*y*y*y*y*w*", &b[DATA], &lanes, &b[ROWS], &more[0],
            &next_phase, &widest, &more[1], &more[2], &b[ESCAPES], &b[RUNS], &b[TERMS], &b[STEPS],
            &b[OUT]))
        return NULL;
    struct level_slots slots;
    struct escapes escapes;
    struct terms terms;
    struct slice slice;
    struct low_bits low;
    int64_t taken = UNFIT_ARGUMENTS;
    int fits = slots_fit(&more[0], next_phase, &slots)
        && (next_phase >= 0 || refuse("a phase before the first")) && slice_fits(b, lanes, &slice)
        && escapes_fit(&b[ESCAPES], &escapes) && terms_fit(b, &terms)
        && low_bits_fit(&more[1], &more[2], slice.count, &low);
    if (fits) {
        slots.widest = widest < slots.widest ? widest : slots.widest;
        Py_BEGIN_ALLOW_THREADS
        taken = decode_levels_slice(&slots, b[DATA].buf, b[DATA].len, &slice, &low, &escapes, &terms);
        Py_END_ALLOW_THREADS
    }
    release(b, STREAM_BUFFERS);
    release(more, 3);
    return fits ? result(taken) : NULL;
}

PyObject *decode_digits(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[STREAM_BUFFERS], starts, parents;
    int lanes;
    if (!PyArg_ParseTuple(args, "y*iy*y*y*y*y*y*y*w*", &b[DATA], &lanes, &b[ROWS], &starts,
            &parents, &b[ESCAPES], &b[RUNS], &b[TERMS], &b[STEPS], &b[OUT]))
        return NULL;
    struct escapes escapes;
    struct terms terms;
    struct slice slice;
    int64_t taken = UNFIT_ARGUMENTS;
    Py_ssize_t count = items(&starts, 2);
    int fits = count >= 0 && slice_fits(b, lanes, &slice) && escapes_fit(&b[ESCAPES], &escapes)
        && terms_fit(b, &terms) && has_items(&parents, 4, slice.count);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        taken = decode_digits_slice(starts.buf, count / STARTS_OF_TABLE, b[DATA].buf, b[DATA].len,
            &slice, parents.buf, &escapes, &terms);
        Py_END_ALLOW_THREADS
    }
    release(b, STREAM_BUFFERS);
    release(&starts, 1);
    release(&parents, 1);
    return fits ? result(taken) : NULL;
}

PyObject *predict(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer levels, b[STREAM_BUFFERS];
    int done = 0;
    if (!PyArg_ParseTuple(
            args, "y*y*y*y*w*", &levels, &b[RUNS], &b[TERMS], &b[STEPS], &b[OUT]))
        return NULL;
    struct terms terms;
    Py_ssize_t count = items(&levels, 4);
    if (count >= 0 && terms_fit(b, &terms) && has_items(&b[OUT], 8, count)) {
        Py_BEGIN_ALLOW_THREADS
        done = predict_slice(levels.buf, count, &terms, b[OUT].buf);
        Py_END_ALLOW_THREADS
        if (!done)
            refuse("runs are out of range");
    }
    release(&levels, 1);
    release(&b[RUNS], STREAM_BUFFERS - RUNS);
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

PyObject *fold_widths(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    short widest, unshifted, most;
    if (!PyArg_ParseTuple(
            args, "y*hhhw*w*", &b[0], &widest, &unshifted, &most, &b[1], &b[2]))
        return NULL;
    struct folds folds = { widest, unshifted, most };
    Py_ssize_t count = items(&b[0], 2);
    int fits = count >= 0 && has_items(&b[1], 2, count) && has_items(&b[2], 1, count);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        fold_widths_of(&folds, b[0].buf, count, b[1].buf, b[2].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 3);
    return fits ? Py_NewRef(Py_None) : NULL;
}
