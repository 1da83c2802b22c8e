/* From levels and digits to symbols of their tables. Knows nothing of streams.
 *
 * (spec/coding.md, "Levels" and "Digits".)
 */
#ifndef MIDSTREAM_SYMBOLS_H
#define MIDSTREAM_SYMBOLS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define MOST_SHIFTED 28

/* Of each table: what its first symbol stands for, how many it has, the place of the first. */
struct alphabets {
    const int32_t *lowest, *sizes, *firsts;
    int64_t count;
    int64_t next_phase; /* tables from one to that of the next phase */
    int64_t entries;    /* symbols of all tables */
};

struct levels {
    const int32_t *levels;
    const int64_t *halves; /* what is expected; NULL for nothing */
    const uint16_t *tables;
    const uint8_t *shifts; /* at most MOST_SHIFTED; NULL for none */
    int64_t count;
};

/* What comes out: for each level a symbol, unless NULL, and its low bits, where it has a shift;
 * how many there are of each symbol, unless NULL; for each escape where, and what. */
struct symbols {
    int32_t *symbols, *low;
    int64_t *counts;
    int64_t *places, *escapes;
};

/* How many symbols are escapes; -1 where a table or a shift is out of range. */
int64_t find_symbols(
    struct symbols *symbols, const struct levels *levels, const struct alphabets *alphabets);

#define DIGIT_SYMBOLS 4

struct digits {
    const int32_t *parents, *children;
    const int64_t *halves;  /* what is expected of children; NULL for nothing */
    const uint16_t *tables; /* the first of each, to which a class is added */
    int64_t count;
    const uint8_t *classes; /* of each distance, the last of all beyond */
    int64_t distances;
};

/* Count symbols, and write them where `symbols` is not NULL; write digits that are escaped.
 * Gives how many those are, or -1 where a table is none of so many. */
int64_t count_digits(int32_t *symbols, int64_t *counts, int64_t tables, int64_t *moved,
    const struct digits *digits);

/* The Python faces of these. */
PyObject *digit_symbols(PyObject *module, PyObject *args);
PyObject *level_symbols(PyObject *module, PyObject *args);

#endif
