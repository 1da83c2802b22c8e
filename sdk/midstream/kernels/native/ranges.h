/* Bit fields that are floats: where in its range a magnitude is, and its sign.
 *
 * (spec/coding.md, "Values".)
 */
#ifndef MIDSTREAM_RANGES_H
#define MIDSTREAM_RANGES_H

#include <stdint.h>

/* Least magnitude and bits of the field of each symbol, for each octave from the first on. */
struct ranges {
    const int64_t *lows;   /* (octaves, symbols) */
    const int64_t *widths; /* (octaves, symbols), at most 57 */
    int64_t octaves;
    int64_t symbols;
    int64_t first;
    int trailing; /* low bits of a magnitude that are 0, at most 63 */
    int bits;     /* of a float, 16 or 32 */
};

enum { RANGES_SHORT = -1, RANGES_UNKNOWN = -2 };

/* Read a field for each weight; gives the bytes they took, RANGES_SHORT where there are not as
 * many, RANGES_UNKNOWN where a symbol or octave has no range. */
int64_t read_range_fields(const struct ranges *ranges, const uint8_t *data, int64_t size,
    const uint8_t *symbols, const int16_t *octaves, int64_t count, void *out);

#endif
