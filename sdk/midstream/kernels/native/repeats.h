/* Runs of values that are those of an earlier place. Knows nothing of what values are.
 *
 * (spec/coding.md, "Repeats".)
 */
#ifndef MIDSTREAM_REPEATS_H
#define MIDSTREAM_REPEATS_H

#include <stdint.h>

/* What a run is besides a copy. */
enum { IS_NEGATIVE = 1, IS_MIRRORED = 2, IS_ALTERNATING = 4 };

/* Items of an int64 array. */
struct repeat {
    int64_t start, source, length, kind;
};

/* Whether all sources and what is copied from them are among so many values, and before it. */
int are_repeats(const struct repeat *repeats, int64_t count, int64_t values);

/* Copy runs, one after the other, where values are of two or four bytes. */
void copy_repeats(const struct repeat *repeats, int64_t count, int64_t size, void *values);

#endif
