/* Tables and low bits of weights. Knows nothing of tensors (spec/coding.md, "Levels"). */
#ifndef MIDSTREAM_ROWS_H
#define MIDSTREAM_ROWS_H

#include <stdint.h>

#define LEVEL_WIDTHS 41
#define LEVEL_SHAPES 3
#define LEVEL_PHASES 3
#define NEXT_PHASE (LEVEL_SHAPES * LEVEL_WIDTHS)
#define LEVEL_TABLES (LEVEL_PHASES * NEXT_PHASE)

/* The tables of phase 0, and how many low bits each weight has; widths are `less` narrower than
 * they say. Gives how many low bits there are. */
int64_t find_level_rows(const int16_t *widths, int64_t count, int less, int64_t shape,
    uint16_t *rows, uint8_t *shifts);

/* Lanes of a stream whose symbols are predicted from so far away at least, or 0 from none. */
int64_t lanes_for(int64_t symbols, int64_t nearest);

#endif
