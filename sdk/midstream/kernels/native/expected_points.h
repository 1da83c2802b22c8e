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

/* As decode_levels_slice; what is low are bits of numbers. */
int64_t decode_expected_points(const struct level_slots *slots, const uint8_t *data, int64_t size,
    struct slice *slice, const struct parities *parities, struct low_bits *low,
    struct escapes *escapes, struct terms *terms);

#endif
