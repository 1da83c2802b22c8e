/* Floats from interleaved rANS symbols and bit fields, one slice at a time.
 *
 * (spec/coding.md, "Values".)
 */
#ifndef MIDSTREAM_FLOATS_H
#define MIDSTREAM_FLOATS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define FLOAT_SYMBOLS 40
#define FLOAT_LANES 32
#define FLOAT_ROWS 24
#define SLOT_BITS 10 /* frequencies are multiples of 4 */
#define SLOTS (1 << SLOT_BITS)
#define FLOAT_MEMORY (4 * FLOAT_ROWS * SLOTS) /* bytes of all slots */

enum { FLOATS_SHORT = -1, FLOATS_BAD_STATE = -2, FLOATS_UNKNOWN = -3 };

/* How floats are cut into symbols and fields; all arrays are (symbols,). */
struct layout {
    const int16_t *places; /* where a part starts, in eighths of an octave, biased */
    const int16_t *moves;  /* what an octave of sigma adds to that */
    const uint8_t *widths; /* bits of a field beyond its whole bytes, at most 32 */
    int bits;              /* of a float, 16 or 32 */
    int mantissa;          /* of these, those of the mantissa, at least 3 */
    int trailing;          /* low bits of a magnitude that are 0 */
    int whole;             /* bytes of a field that stand by themselves, 0 to 2 */
};

/* The slots of one table: symbol << 24 | start << 12 | frequency. False where they are not
 * multiples of 4 that add up to 4096. */
int spread_table(const uint16_t *frequencies, uint32_t *slots);

/* The row of each weight: four rows from `narrow` on for those of fewer quarters than `split`,
 * four from `wide` on for others. */
void choose_rows(const int16_t *quarters, int64_t count, int16_t split, uint8_t narrow,
    uint8_t wide, uint8_t *rows);

/* Where a slice is in its fields. */
struct fields {
    const uint8_t *whole; /* the whole bytes that are left */
    const uint8_t *whole_end;
    const uint8_t *rest; /* the bit section of what is beyond them */
    int64_t rest_size;
    int64_t bit; /* of the rest, the next one */
};

/* What this processor has: 0 nothing, 1 the loops of floats_wide.c, 2 those of floats_wider.c too. */
int widest_floats(void);

/* Symbols in the place of rows, with the loops of as much; gives the bytes taken, or what is wrong. */
int64_t decode_symbols(const uint32_t *slots, const uint8_t *data, int64_t size, int64_t lanes,
    uint8_t *rows, int64_t count, int wide);

/* Floats from symbols and what follows them, with the loops of floats_wide.c or not; gives the
 * bytes taken, or FLOATS_SHORT. */
int64_t read_floats(const struct layout *layout, const uint8_t *data, int64_t size,
    const uint8_t *symbols, const int16_t *quarters, int64_t count, uint8_t *out, int wide);

PyObject *decode_floats(PyObject *module, PyObject *args);

#endif
