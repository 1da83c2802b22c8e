/* The search for runs of values that are those of an earlier place. Knows nothing of what they are.
 *
 * (spec/coding.md, "Repeats".)
 */
#ifndef MIDSTREAM_SEARCH_H
#define MIDSTREAM_SEARCH_H

#include <stdint.h>

#include "repeats.h"

/* Values of a run, at least. */
#define SHORTEST_RUN 8

/* Runs of aligned values of two or four bytes, in order, none over another; gives how many.
 *
 * There is room for one of each SHORTEST_RUN values. The table has 2^log slots, more than values;
 * what is in it does not matter.
 */
int64_t find_repeats(const void *values, int64_t count, int64_t size, uint32_t *table, int log,
    struct repeat *repeats);

/* Whether some of what four neighbours are, of 256 to 511 of them, come more than once among 16,384 to
 * 32,767: of eight one, as a quick look tells that has strides. Values are as above. */
int may_repeat_in(const void *values, int64_t count, int64_t size);

#endif
