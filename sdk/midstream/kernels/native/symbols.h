/* From levels to symbols of their tables. Knows nothing of streams.
 *
 * (spec/coding.md, "Levels".)
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
};

struct levels {
    const int32_t *levels;
    const int64_t *halves; /* what is expected; NULL for nothing */
    const uint16_t *tables;
    const uint8_t *shifts; /* at most MOST_SHIFTED */
    int64_t count;
};

/* What comes out: for each level a symbol and its low bits; for each escape where, and what. */
struct symbols {
    int32_t *symbols, *low;
    int64_t *places, *escapes;
};

/* How many symbols are escapes; -1 where a table or a shift is out of range. */
int64_t find_symbols(
    struct symbols *symbols, const struct levels *levels, const struct alphabets *alphabets);

/* The Python face of this. */
PyObject *level_symbols(PyObject *module, PyObject *args);

#endif
