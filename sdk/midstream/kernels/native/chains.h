/* Streams of several slices at a time: lanes of one that is short wait for each other, those of
 * several do not.
 *
 * Knows nothing of tensors (spec/coding.md, "Levels").
 */
#ifndef MIDSTREAM_CHAINS_H
#define MIDSTREAM_CHAINS_H

#include "expected_points.h"

/* One stream to decode, and what comes of it. */
struct job {
    const uint8_t *data;
    int64_t size;
    struct slice slice;
    struct escapes escapes;
    struct low_bits low;
    struct terms terms;
    struct run whole; /* all of it, where nothing is predicted */
    int is_predicted; /* whether a level has a term at all */
    struct parities parities; /* of points that are predicted; none where levels are integers */
    int64_t taken;    /* bytes, or what is wrong */
};

/* Decode all of them; tables must be there for every phase. */
void decode_jobs(const struct level_slots *slots, struct job *jobs, int64_t count);

#endif
