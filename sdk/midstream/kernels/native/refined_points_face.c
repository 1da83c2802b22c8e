/* The Python face of refined_points.c: parses arguments, checks their sizes, releases the GIL. */
#include "buffers.h"
#include "faces.h"
#include "points.h"
#include "refined_points.h"

#define STARTS_OF_TABLE 4

static int lanes_fit(int lanes)
{
    return (lanes >= 1 && lanes <= MAX_LANES) || refuse("more lanes than there may be, or none");
}

PyObject *decode_codewords(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    int lanes;
    int64_t taken = 0;
    if (!PyArg_ParseTuple(args, "y*iy*w*", &b[0], &lanes, &b[1], &b[2]))
        return NULL;
    Py_ssize_t points = items(&b[2], 2);
    int fits = points >= 0 && lanes_fit(lanes) && has_items(&b[1], 2, COSET_KINDS * DISTANCES);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        taken = decode_codewords_of(b[0].buf, b[0].len, lanes, b[1].buf, points, b[2].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 3);
    return fits ? PyLong_FromLongLong(taken) : NULL;
}

enum { DATA, ROWS, ODD, PARENTS, STARTS, RUNS, TERMS, STEPS, SUMS, LEVELS_OUT, BUFFERS };

static int slice_fits(const Py_buffer *b, int lanes, struct slice *slice)
{
    Py_ssize_t count = items(&b[ROWS], 2);
    *slice = (struct slice){
        .lanes = lanes, .count = count, .rows = b[ROWS].buf, .levels = b[LEVELS_OUT].buf
    };
    return count >= 0 && lanes_fit(lanes) && has_items(&b[ODD], 2, count / POINT)
        && has_items(&b[SUMS], 1, count / POINT) && has_items(&b[PARENTS], 4, count)
        && has_items(&b[LEVELS_OUT], 4, count);
}

static int refining_fits(const Py_buffer *b, int ratio, struct refining *refining)
{
    Py_ssize_t count = items(&b[STARTS], 2);
    *refining = (struct refining){ b[STARTS].buf, count / STARTS_OF_TABLE, ratio };
    return count >= 0
        && ((refining->tables % OPEN_FAMILIES == 1 && (ratio == 3 || ratio == 5))
            || refuse("tables are missing, or cells of other parts"));
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

PyObject *decode_refined_points(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    int lanes, ratio;
    if (!PyArg_ParseTuple(args, "y*iy*y*y*iy*y*y*y*w*w*", &b[DATA], &lanes, &b[ROWS], &b[ODD],
            &b[PARENTS], &ratio, &b[STARTS], &b[RUNS], &b[TERMS], &b[STEPS], &b[SUMS],
            &b[LEVELS_OUT]))
        return NULL;
    struct slice slice;
    struct refining refining;
    struct terms terms;
    int64_t taken = UNFIT_ARGUMENTS;
    int fits = slice_fits(b, lanes, &slice) && refining_fits(b, ratio, &refining)
        && terms_fit(b, &terms);
    if (fits) {
        struct parities parities = { b[ODD].buf, b[SUMS].buf, slice.count / POINT };
        Py_BEGIN_ALLOW_THREADS
        taken = decode_refined_slice(
            &refining, b[DATA].buf, b[DATA].len, &slice, &parities, b[PARENTS].buf, &terms);
        Py_END_ALLOW_THREADS
    }
    release(b, BUFFERS);
    if (fits && taken == UNFIT_ARGUMENTS)
        fits = refuse("runs or a table are out of range");
    return fits ? PyLong_FromLongLong(taken) : NULL;
}

enum { OF_PARENTS, OF_CHILDREN, HALVES, TABLES, SYMBOLS, SYMBOL_BUFFERS };

PyObject *refined_symbols(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[SYMBOL_BUFFERS];
    int ratio, family, done = 0;
    if (!PyArg_ParseTuple(args, "y*y*y*y*iiw*", &b[OF_PARENTS], &b[OF_CHILDREN], &b[HALVES],
            &b[TABLES], &ratio, &family, &b[SYMBOLS]))
        return NULL;
    Py_ssize_t count = items(&b[OF_PARENTS], 4);
    if (count >= 0 && has_items(&b[OF_CHILDREN], 4, count) && has_items(&b[TABLES], 2, count)
        && (!b[HALVES].len || has_items(&b[HALVES], 8, count)) && has_items(&b[SYMBOLS], 4, count)) {
        const struct refined refined = { b[OF_PARENTS].buf, b[OF_CHILDREN].buf,
            b[HALVES].len ? b[HALVES].buf : NULL, b[TABLES].buf, count, ratio, family };
        Py_BEGIN_ALLOW_THREADS
        done = find_refined_symbols(&refined, b[SYMBOLS].buf);
        Py_END_ALLOW_THREADS
        if (!done)
            refuse("a child in no cell, or a table that is not there");
    }
    release(b, SYMBOL_BUFFERS);
    return done ? Py_NewRef(Py_None) : NULL;
}
