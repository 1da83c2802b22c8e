/* The inner loops of floats.c for processors with AVX2 and BMI2: the same results.
 *
 * Elsewhere none of them does anything.
 */
#ifndef MIDSTREAM_FLOATS_WIDE_H
#define MIDSTREAM_FLOATS_WIDE_H

#include "floats.h"

#define WIDE_LANES 32
#define WIDE_GROUP 32 /* weights at a time */
#define WIDE_REST 41  /* bytes that their rests may reach: 8 bits each, and what is loaded beyond */

/* Whether this processor has what it takes. */
int has_wide(void);

/* Symbols of whole rounds of 16 or 32 lanes, in the place of rows, as long as there are more words
 * than a round takes; gives how many. `next` goes on. */
int64_t wide_symbols(const uint32_t *slots, const uint8_t **next, const uint8_t *end,
    uint32_t *states, int64_t lanes, uint8_t *rows, int64_t count);

/* What symbols from the one of low magnitudes on look up: eighths from the first part on, and ones
 * for the bits of their rest. */
struct wide_parts {
    uint8_t eighths[48], rest[48];
    uint8_t refused; /* low magnitudes where their rest is too wide, else none; counted from there */
};

/* Of a layout; false where it is not for wide_floats. */
int find_wide_parts(const struct layout *layout, struct wide_parts *parts);

/* Floats of whole groups up to the first with a symbol that is neither part nor low, as long as more
 * bytes are left than any group takes; gives how many. */
int64_t wide_floats(const struct layout *layout, const struct wide_parts *parts,
    struct fields *fields, const uint8_t *symbols, const int16_t *quarters, int64_t count,
    uint8_t *out);

#endif
