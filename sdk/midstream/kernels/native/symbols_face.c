/* The Python face of symbols.c: parses arguments, checks their sizes, releases the GIL. */
#include "symbols.h"

#include "buffers.h"

enum { LEVELS, HALVES, TABLES, SHIFTS, LOWEST, SIZES, FIRSTS, SYMBOLS, LOW, ENTRIES, PLACES, ESCAPES,
    BUFFERS };

static int symbols_fit(const Py_buffer *b)
{
    Py_ssize_t count = items(&b[LEVELS], 4), tables = items(&b[LOWEST], 4);
    return count >= 0 && tables >= 0 && (!b[HALVES].len || has_items(&b[HALVES], 8, count))
        && has_items(&b[TABLES], 2, count) && (!b[SHIFTS].len || has_items(&b[SHIFTS], 1, count))
        && has_items(&b[SIZES], 4, tables) && has_items(&b[FIRSTS], 4, tables)
        && (!b[SYMBOLS].len || has_items(&b[SYMBOLS], 4, count))
        && has_items(&b[LOW], 4, b[SHIFTS].len) && items(&b[ENTRIES], 8) >= 0
        && has_items(&b[PLACES], 8, count) && has_items(&b[ESCAPES], 8, count);
}

enum { PARENTS, CHILDREN, MEANS, FIRST_TABLES, CLASSES, OUT, COUNTS, MOVED, DIGIT_BUFFERS };

static int digits_fit(const Py_buffer *b)
{
    Py_ssize_t count = items(&b[PARENTS], 4), counts = items(&b[COUNTS], 8);
    return count >= 0 && counts >= 0 && has_items(&b[CHILDREN], 4, count)
        && (!b[MEANS].len || has_items(&b[MEANS], 8, count))
        && has_items(&b[FIRST_TABLES], 2, count) && (!b[OUT].len || has_items(&b[OUT], 4, count))
        && has_items(&b[MOVED], 8, count);
}

PyObject *digit_symbols(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[DIGIT_BUFFERS];
    int64_t moved = -1;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*w*w*w*", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6],
            &b[7]))
        return NULL;
    if (digits_fit(b)) {
        struct digits digits = { b[PARENTS].buf, b[CHILDREN].buf,
            b[MEANS].len ? b[MEANS].buf : NULL, b[FIRST_TABLES].buf, b[PARENTS].len / 4,
            b[CLASSES].buf, b[CLASSES].len };
        Py_BEGIN_ALLOW_THREADS
        moved = count_digits(b[OUT].len ? b[OUT].buf : NULL, b[COUNTS].buf,
            b[COUNTS].len / 8 / DIGIT_SYMBOLS, b[MOVED].buf, &digits);
        Py_END_ALLOW_THREADS
        if (moved < 0)
            refuse("a table is out of range");
    }
    release(b, DIGIT_BUFFERS);
    return moved < 0 ? NULL : PyLong_FromLongLong(moved);
}

PyObject *level_symbols(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    long long next_phase;
    int64_t escapes = -1;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*Lw*w*w*w*w*", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
            &b[6], &next_phase, &b[7], &b[8], &b[9], &b[10], &b[11]))
        return NULL;
    if (symbols_fit(b)) {
        struct alphabets alphabets
            = { b[LOWEST].buf, b[SIZES].buf, b[FIRSTS].buf, b[LOWEST].len / 4, next_phase,
                  b[ENTRIES].len / 8 };
        struct levels levels = { b[LEVELS].buf, b[HALVES].len ? b[HALVES].buf : NULL,
            b[TABLES].buf, b[SHIFTS].len ? b[SHIFTS].buf : NULL, b[LEVELS].len / 4 };
        struct symbols symbols = { b[SYMBOLS].len ? b[SYMBOLS].buf : NULL, b[LOW].buf,
            b[ENTRIES].buf, b[PLACES].buf, b[ESCAPES].buf };
        Py_BEGIN_ALLOW_THREADS
        escapes = find_symbols(&symbols, &levels, &alphabets);
        Py_END_ALLOW_THREADS
        if (escapes < 0)
            refuse("a table or a number of low bits is out of range");
    }
    release(b, BUFFERS);
    return escapes < 0 ? NULL : PyLong_FromLongLong(escapes);
}
