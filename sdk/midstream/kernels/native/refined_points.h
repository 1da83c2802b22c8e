/* Points of the lattice that refine levels. Knows nothing of tensors (spec/coding.md, "Refined
 * points"). */
#ifndef MIDSTREAM_REFINED_POINTS_H
#define MIDSTREAM_REFINED_POINTS_H

#include "expected_points.h"

#define COSET_KINDS 8
#define DISTANCES 17
#define CODEWORD_SHARES 16
#define OPEN_FAMILIES 3 /* three children, two that are two apart, two that are four; then one table */

/* How often, of 4096, a codeword is so far from the parities of its parents. */
typedef uint16_t codeword_table[COSET_KINDS][DISTANCES];

/* Codewords of points in place of the parities of their parents, a bit for each level. Gives how
 * many bytes they took, or BROKEN_STREAM. */
int64_t decode_codewords_of(const uint8_t *data, int64_t size, int64_t lanes,
    const uint16_t (*table)[DISTANCES], int64_t points, uint16_t *odd);

/* Where the slots of the symbols of tables start, four of each, and half steps of a cell. */
struct refining {
    const uint16_t *starts;
    int64_t tables;
    int64_t ratio; /* 3 or 5 */
};

/* As decode_digits_slice; rows are those of three open children. */
int64_t decode_refined_slice(const struct refining *refining, const uint8_t *data, int64_t size,
    struct slice *slice, const struct parities *parities, const int32_t *parents,
    struct terms *terms);

/* Levels that are refined, and points. */
struct refined {
    const int32_t *parents, *children;
    const int64_t *halves;  /* what is expected of children; NULL for nothing */
    const uint16_t *tables; /* those of three open children, to which a class is added */
    int64_t count, ratio;
    int64_t family; /* tables of three children */
};

/* The places of their symbols among those of all tables. False where a child is in no cell, or a
 * table is not there. */
int find_refined_symbols(const struct refined *refined, int32_t *symbols);

#endif
