/* Points of the lattice from what is sent of them. Knows nothing of streams (spec/coding.md, "Lattice"). */
#ifndef MIDSTREAM_POINTS_H
#define MIDSTREAM_POINTS_H

#include <stdint.h>

#define POINT 16 /* weights */
#define CODEWORD_BITS 5

/* The codewords of the first-order Reed-Muller code: bit k of word w is bit 0 of w, and of each
 * bit j of k that is 1, bit j + 1 of w. */
extern const uint16_t codewords[1 << CODEWORD_BITS];

/* Which levels of each point are odd, a bit for each weight; false where bytes are missing. */
int read_codewords(const uint8_t *data, int64_t size, int64_t points, uint16_t *odd);

static inline int64_t codeword_bytes(int64_t points)
{
    return (CODEWORD_BITS * points + 7) / 8;
}

/* Move the tables of all weights but the last of each point to those of odd levels. */
void choose_first_rows(const uint16_t *odd, int64_t points, uint16_t *rows);

/* What is known of the last level of each point, modulo four; its table is added to. */
void choose_last_rows(
    const uint16_t *odd, const int32_t *numbers, int64_t points, uint8_t *rests, uint16_t *rows);

/* Levels in place of numbers: those of all weights but the last ones, of these, of what is over.
 * False where one is out of range. */
int join_points(int32_t *levels, int64_t weights, const uint16_t *odd, const uint8_t *rests);

#endif
