/* Points of the lattice whose levels are predicted. Knows nothing of tensors (spec/coding.md,
 * "Lattice"). */
#ifndef MIDSTREAM_EXPECTED_POINTS_H
#define MIDSTREAM_EXPECTED_POINTS_H

#include "levels.h"

/* Points of a slice: which levels of each are odd, a bit for each, and the sum of its levels so
 * far, modulo 256, which is 0 at first. */
struct parities {
    const uint16_t *odd;
    uint8_t *sum;
    int64_t points;
};

/* Some of the next levels of a segment, up to `stop`, which have the same place in their points,
 * faster than one by one; none of them an escape. Gives where it stopped. */
struct place decode_many_points(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, const struct parities *parities,
    struct low_bits *low, struct place here, int64_t stop);

/* As decode_levels_slice; what is low are bits of numbers. */
int64_t decode_expected_points(const struct level_slots *slots, const uint8_t *data, int64_t size,
    struct slice *slice, const struct parities *parities, struct low_bits *low,
    struct escapes *escapes, struct terms *terms);

#endif
