/* Slices all of whose weights have one step: their cells are made once. The same results as in
 * cells.c. */
#ifndef MIDSTREAM_CELLS_EVEN_H
#define MIDSTREAM_CELLS_EVEN_H

#include "cells.h"

/* Weights from which it pays, of one step. */
#define EVEN_WEIGHTS 4096

/* What follows the core: as read_ordinals; CELLS_UNKNOWN where there are too many cells. */
int64_t read_even(const struct cells *cells, const uint8_t *data, int64_t size, void *out);

#endif
