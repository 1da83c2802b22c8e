/* Bytes and varints off the front of some data, never past its end. Knows nothing of what they
 * say (spec/bitstream.md, "Primitive types").
 */
#ifndef MIDSTREAM_INPUT_H
#define MIDSTREAM_INPUT_H

#include <stdint.h>

#define BYTES_OF_VARINT 9 /* 63 bits */

/* What is left to read. */
struct input {
    const uint8_t *data;
    int64_t size;
    int64_t place;
};

static inline int read_byte(struct input *in, int64_t *value)
{
    if (in->place >= in->size)
        return 0;
    *value = in->data[in->place++];
    return 1;
}

/* A varint in its shortest form, of at most `most`. */
static inline int read_varint(struct input *in, int64_t most, int64_t *value)
{
    int64_t byte = 0x80, total = 0, taken = 0;
    for (; byte & 0x80; taken++) {
        if (taken == BYTES_OF_VARINT || !read_byte(in, &byte))
            return 0;
        total |= (byte & 0x7F) << 7 * taken;
    }
    *value = total;
    return (byte || taken == 1) && total <= most;
}

#endif
