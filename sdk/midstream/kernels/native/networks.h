/* The tensors of a network, from the bytes of their table and of their parameters.
 *
 * Knows nothing of what is wrong with them (spec/bitstream.md, "Topology"; spec/coding.md,
 * "Tensor parameters").
 */
#ifndef MIDSTREAM_NETWORKS_H
#define MIDSTREAM_NETWORKS_H

#include "slices.h"

/* Bounds of a decoder: items of an int64 array. */
struct bounds {
    int64_t model_size, tensors, topology_size, unit_size, dimensions, trits, vector_items;
    int64_t slice_weights;         /* of one slice */
    int64_t small, shared_weights; /* a tensor of fewer weights shares a slice of so many */
    int64_t group_weights;         /* of slices that are decoded together */
};

/* Where what a head says is: items of an int64 array. */
struct outline {
    int64_t model_size, tensors;
    int64_t content_size, frame, frame_size; /* of a zstd frame, and where it is in the unit */
    int64_t flags, flags_size, rest, rest_size;
};

/* What is said of the tensors of a network. */
struct parsed {
    int64_t count;
    struct tensor *tensor;
    uint8_t *is_coded;
    int64_t *same_as; /* an earlier tensor, or NO_TENSOR */
    int8_t *vector;
    int64_t vector_items;
    int64_t table_size; /* bytes */
};

#define NO_TENSOR (-1)

/* Find out where things are in a base. False where it does not start as one. */
int read_outline(struct bytes unit, const struct bounds *bounds, struct outline *outline);

/* Read the table of so many tensors from the start of some content. False where an entry is
 * malformed, or what lies between tensors is not as long as it must be. */
int read_table(struct bytes content, const struct bounds *bounds, int64_t model_size,
    struct parsed *parsed);

/* Read the parameters of these tensors, whose flags are two bytes each. False where they are
 * malformed, or there is no memory. */
int read_parameters(struct bytes flags, struct bytes rest, const struct level_slots *slots,
    const struct bounds *bounds, struct parsed *parsed);

/* Arrays for so many tensors; false where there is no memory. Free them in any case. */
int reserve_tensors(struct parsed *parsed, int64_t count);
void free_tensors(struct parsed *parsed);

#endif
