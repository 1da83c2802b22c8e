/* Slices of floats without levels. Knows nothing of units (spec/coding.md, "Values"). */
#ifndef MIDSTREAM_VALUES_H
#define MIDSTREAM_VALUES_H

#include "floats.h"
#include "slices.h"

/* Tables of the entropy coder, and the slots of those that were asked for last. */
struct value_tables {
    const uint16_t *frequencies; /* (tables, symbols) */
    int64_t tables;
    uint32_t *slots; /* FLOAT_MEMORY bytes */
    int known;       /* of the rows of slots, four by four */
    int64_t table[FLOAT_ROWS / 4];
};

/* Write the floats of a slice into the model. False where they are damaged, or there is no room. */
int decode_values_of(const struct network *network, struct value_tables *tables,
    const struct piece *piece, uint8_t *model, struct room room);

#endif
