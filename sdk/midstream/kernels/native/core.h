/* Which of the levels 0 are core, from a stream of flags of one table.
 *
 * (spec/coding.md, "Exact". Knows nothing of cells.)
 */
#ifndef MIDSTREAM_CORE_H
#define MIDSTREAM_CORE_H

#include "cells.h"

struct section;

/* A flag for each level 0; the section goes on after them. 0, or what is wrong. */
int read_core(const struct cells *cells, struct section *section);

/* Flags of whole rounds of 8, 16 or 32 lanes, as long as there are more words than a round takes;
 * gives how many. `ones` is the frequency of the flag 1, `next` goes on. For processors that
 * has_wide knows; elsewhere none are read. */
int64_t wide_flags(uint32_t ones, const uint8_t **next, const uint8_t *end, uint32_t *states,
    int64_t lanes, uint8_t *core, int64_t count);

#endif
