/* Units to a model without a stop: parsed, checked and decoded.
 *
 * Knows nothing of what is wrong with them, and leaves raw slices and tied tensors to others.
 */
#ifndef MIDSTREAM_STRAIGHT_H
#define MIDSTREAM_STRAIGHT_H

#include "records.h"

/* What a model is made from. */
struct source {
    const struct bytes *units;
    int64_t count;
    struct bounds bounds;
    struct outline outline;       /* of the base */
    struct bytes content, flags;  /* of the topology's frame, and of the parameters */
};

/* What was made of it. Free its parts in any case. */
struct straight {
    struct parsed parsed;
    struct partition cut;
    struct records records;
};

void free_straight(struct straight *straight);

/* Read all that decoding needs to know; the stack has tables. False where anything is out of the
 * ordinary. */
int read_straight(const struct source *source, const struct stack *stack, struct straight *straight);

/* Bytes that decoding takes. */
int64_t room_for(const struct straight *straight);

/* Write all but raw slices and tied tensors into a model of the size that the outline says. False
 * where a payload is damaged. */
int decode_straight(const struct source *source, struct stack *stack, uint8_t *model,
    const struct straight *straight, struct room room);

#endif
