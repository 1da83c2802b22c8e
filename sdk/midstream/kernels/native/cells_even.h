/* Slices all of whose weights have one step: their cells are made once. The same results as in
 * cells.c. */
#ifndef MIDSTREAM_CELLS_EVEN_H
#define MIDSTREAM_CELLS_EVEN_H

#include "cells.h"

/* Weights from which it pays, of one step. */
#define EVEN_WEIGHTS 4096

#define SMALL_LEVEL 255
#define MOST_CELLS 8192
#define CORE 32 /* the cell after those of both signs' octaves */
#define PLACE_BITS 16
#define MOST_PLACE ((1 << PLACE_BITS) - 1)

/* What a packed cell is: its least ordinal in the low half, the bits of its places without their
 * last one, and how many more ordinals than two to that power it has. */
#define PACKED_WIDTH 16
#define PACKED_MORE 20
#define MOST_PACKED_WIDTH (32 - PACKED_MORE)

/* A cell, with the number of places in it that have no last bit. */
struct cell {
    int32_t first;
    uint32_t spare;
};

/* First the octaves of level 0, those of positive numbers before those of negative ones, then the
 * core, then small levels part by part, then others. */
struct table {
    struct cell cell[MOST_CELLS];
    uint8_t width[MOST_CELLS];   /* bits of places, without the last one */
    uint32_t packed[MOST_CELLS]; /* of use while none is wider than MOST_PACKED_WIDTH */
    int count, widest;
    int low, high; /* the small levels */
    uint32_t level[2 * SMALL_LEVEL + 1]; /* its first cell, and << 16 bits of its parts */
};

struct section;

/* The cell of a level that is not small, made where it is met; there is room for it. */
int add_other(
    const struct cells *cells, struct table *table, int32_t level, struct section *parts);

/* What follows the core: as read_ordinals; CELLS_UNKNOWN where there are too many cells. */
int64_t read_even(const struct cells *cells, const uint8_t *data, int64_t size, void *out);

/* The same of floats of 16 bits from a table, for processors that has_wide knows; CELLS_UNKNOWN
 * where a cell is too wide, or there are too many. */
int64_t read_even_halves(const struct cells *cells, struct table *table, const uint8_t *data,
    int64_t size, uint16_t *out);

#endif
