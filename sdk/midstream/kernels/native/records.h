/* What units do to each slice, from their bytes. Knows nothing of payloads.
 *
 * (spec/bitstream.md, "Records" and "Operations".)
 */
#ifndef MIDSTREAM_RECORDS_H
#define MIDSTREAM_RECORDS_H

#include "partitions.h"

/* The operations of all slices, slice after slice, and their payloads. */
struct records {
    int64_t *operation;
    struct bytes *payload;
    int64_t count;
};

/* Read a base and the units on top of it, and tell slices which records are theirs. False where
 * a unit is malformed, or they do not follow each other; or there is no memory. */
int read_units(const struct bytes *units, int64_t count, const struct bounds *bounds,
    const struct parsed *parsed, struct partition *cut, struct records *records);

/* Free them in any case. */
void free_records(struct records *records);

#endif
