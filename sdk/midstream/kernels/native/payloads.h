/* What stands before the symbols of a payload. Knows nothing of tensors (spec/coding.md, "Levels"). */
#ifndef MIDSTREAM_PAYLOADS_H
#define MIDSTREAM_PAYLOADS_H

#include "chains.h"
#include "room.h"
#include "slices.h"

/* A job of so many levels, which are predicted from so far away at least, or 0 from none. */
void set_job(
    struct job *job, const uint16_t *rows, int64_t count, int32_t *levels, int64_t nearest);

/* Low bits and escapes of so many weights: the job's stream is what follows them. Escapes take
 * room. False where they are damaged, or there is no room. */
int start_levels(struct job *job, struct bytes payload, int64_t low_bits, int64_t weights,
    struct room *room);

#endif
