/* Levels where there is AVX-512. Knows nothing of tensors. */
#ifndef MIDSTREAM_LEVELS_WIDER_H
#define MIDSTREAM_LEVELS_WIDER_H

#include "levels.h"

/* Some of the next levels of a segment, up to `stop`, on sixteen lanes at a time; none of them an
 * escape. Gives where it stopped, which may be where it began. */
struct place decode_wider_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place here,
    int64_t stop);

#endif
