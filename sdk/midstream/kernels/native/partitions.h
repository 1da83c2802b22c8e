/* How the weights of a network are cut into slices, and these into groups.
 *
 * Knows nothing of their values (spec/bitstream.md, "Slices").
 */
#ifndef MIDSTREAM_PARTITIONS_H
#define MIDSTREAM_PARTITIONS_H

#include "networks.h"
#include "stacks.h"

/* Slices, whose records are not yet known, and how many are decoded together. */
struct partition {
    struct span *span;
    struct entry *entry;
    int64_t *group;
    int64_t spans, entries, groups;
    int64_t most_entries, most_weights; /* of a group */
};

/* Cut tensors into slices. False where there is no memory, or are too many weights. */
int cut_slices(const struct parsed *parsed, const struct bounds *bounds, struct partition *cut);

/* Free it in any case. */
void free_partition(struct partition *cut);

#endif
