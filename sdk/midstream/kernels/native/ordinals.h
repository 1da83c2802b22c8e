/* Where cells are cut, and the bit sections that say where in them floats lie.
 *
 * Knows nothing of whole slices (spec/coding.md, "Exact").
 */
#ifndef MIDSTREAM_ORDINALS_H
#define MIDSTREAM_ORDINALS_H

#include <string.h>

#include "cells.h"

#define DOUBLE_BITS 52
#define DOUBLE_BIAS 1023
#define OCTAVES 16
#define RANGE_BITS 6
#define MAX_CELL_BITS 6
#define WINDOW 8
#ifdef __GNUC__
/* all of it in one function, so that it is compiled for each kind of processor */
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* --- ordinals ---------------------------------------------------------------------------- */

/* The magnitude of a positive number in a smaller float, rounded down or up. */
INLINE int64_t magnitude_of(uint64_t number, const struct cells *cells, int up)
{
    const int bias = (1 << (cells->bits - 2 - cells->mantissa)) - 1;
    int64_t exponent = (int64_t)(number >> DOUBLE_BITS) - DOUBLE_BIAS + bias, magnitude = 0;
    uint64_t digits = number & ((UINT64_C(1) << DOUBLE_BITS) - 1);
    int64_t shift = DOUBLE_BITS - cells->mantissa;
    if (exponent > 2 * bias)
        return ((int64_t)(2 * bias + 1) << cells->mantissa) - !up;
    if (exponent >= 1) {
        magnitude = exponent << cells->mantissa;
    } else {
        digits |= UINT64_C(1) << DOUBLE_BITS;
        shift += 1 - exponent;
    }
    if (shift > DOUBLE_BITS + 1)
        return up;
    /* all that is cut off adds up to one more where it is rounded up */
    uint64_t rest = up ? (UINT64_C(1) << shift) - 1 : 0;
    return magnitude + (int64_t)((digits + rest) >> shift);
}

/* The ordinal of the least value that is not below a point. */
INLINE int64_t first_at(double point, const struct cells *cells)
{
    uint64_t number;
    memcpy(&number, &point, sizeof number);
    int64_t is_negative = (int64_t)(number >> 63);
    if (point == 0)
        return -1;
    /* -1 - m of a negative one: no branch, since signs cannot be foretold */
    return magnitude_of(number & (UINT64_MAX >> 1), cells, !is_negative) ^ -is_negative;
}

/* The whole part of the binary logarithm of a number that is not 0. */
INLINE int log2_of(uint64_t number)
{
#ifdef __GNUC__
    return 63 - __builtin_clzll(number);
#else
    int whole = 0;
    while (number >>= 1)
        whole++;
    return whole;
#endif
}

/* --- bits -------------------------------------------------------------------------------- */

struct section {
    const uint8_t *data;
    int64_t size, bit;
};

/* At least 57 bits from the next one on; beyond the end they are 0. */
INLINE uint64_t ahead(const struct section *section)
{
    int64_t place = section->bit >> 3;
    uint64_t window = 0;
    if (section->size - place >= WINDOW) {
        const uint8_t *data = section->data + place;
        window = (uint64_t)data[0] | (uint64_t)data[1] << 8 | (uint64_t)data[2] << 16
            | (uint64_t)data[3] << 24 | (uint64_t)data[4] << 32 | (uint64_t)data[5] << 40
            | (uint64_t)data[6] << 48 | (uint64_t)data[7] << 56;
    } else {
        for (int64_t i = 0; i < WINDOW && place + i < section->size; i++)
            window |= (uint64_t)section->data[place + i] << 8 * i;
    }
    return window >> (section->bit & 7);
}

INLINE int64_t take(struct section *section, int width)
{
    uint64_t field = ahead(section) & ((UINT64_C(1) << width) - 1);
    section->bit += width;
    return (int64_t)field;
}

/* Go on with the next section. False where this one ends early. */
static int next_section(struct section *section)
{
    int64_t taken = (section->bit + 7) / 8;
    if (taken > section->size)
        return 0;
    section->data += taken;
    section->size -= taken;
    section->bit = 0;
    return 1;
}

/* --- cells ------------------------------------------------------------------------------- */

/* Into how many parts, as a power of two, a cell of so many ordinals is cut. */
INLINE int split_bits(int64_t ordinals)
{
    int width = log2_of((uint64_t)(ordinals > 1 ? ordinals : 1)) - RANGE_BITS;
    return width < 0 ? 0 : width < MAX_CELL_BITS ? width : MAX_CELL_BITS;
}

/* Where a part starts; that of the next one is where it ends. */
INLINE int64_t part_start(
    const struct cells *cells, double level, double step, int width, int64_t part)
{
    const double share = 1.0 / (1 << width);
    return first_at((level - 0.5 + (double)part * share) * step, cells);
}

/* Where octaves of level 0 end; the last one is the core. */
INLINE int64_t octave_end(
    const struct cells *cells, double step, int octave, int is_negative)
{
    const double end = step / (2 << octave);
    return first_at(is_negative ? -end : end, cells);
}

#endif
