/* Predicted points where there is AVX-512. Knows nothing of tensors. */
#ifndef MIDSTREAM_EXPECTED_POINTS_WIDER_H
#define MIDSTREAM_EXPECTED_POINTS_WIDER_H

#include "expected_points.h"

/* As decode_many_points, on sixteen lanes at a time. */
struct place decode_wider_points(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, const struct parities *parities,
    struct low_bits *low, struct place here, int64_t stop);

#endif
