/* How the lanes of a stream are stepped on. Knows nothing of what symbols mean. */
#ifndef MIDSTREAM_LANES_H
#define MIDSTREAM_LANES_H

#include <string.h>

#include "levels.h"

static inline uint32_t word_at(const uint8_t *data)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint16_t word; /* read at once, wherever it is */
    memcpy(&word, data, sizeof word);
    return word;
#else
    return data[0] | (uint32_t)data[1] << 8;
#endif
}

static inline int64_t take_escape(struct escapes *escapes)
{
    int64_t place = escapes->place++;
    return place < escapes->count ? escapes->value[place] : 0;
}

/* The words after the states, which are all in range; false where they are not. */
int read_states(const uint8_t *data, int64_t size, struct slice *slice, struct stream *stream);

/* The bytes that a slice took, or what is wrong with it. */
int64_t bytes_taken(
    const struct slice *slice, const struct stream *stream, const struct escapes *escapes);

/* How a lane is stepped on. No branch where it is not the last words: whether a lane takes one
 * cannot be foretold. */
static inline void advance(uint32_t *state, uint32_t frequency, uint32_t offset,
    struct stream *stream, const int is_last)
{
    uint32_t stepped = frequency * (*state >> TOTAL_BITS) + offset, hungry = stepped < STATE_START;
    int64_t place = stream->place;
    stream->place += hungry;
    if (is_last && (!hungry || place >= stream->count)) {
        *state = hungry ? stepped << 16 : stepped;
        return;
    }
    uint32_t refilled = stepped << 16 | word_at(stream->data + 2 * place);
    *state = stepped ^ ((stepped ^ refilled) & -hungry);
}

/* The same past a symbol of levels. */
static inline void advance_past(
    uint32_t *state, uint32_t slot, struct stream *stream, const int is_last)
{
    uint32_t start = slot >> 12 & (TOTAL - 1);
    advance(state, slot & (TOTAL - 1), (*state & (TOTAL - 1)) - start, stream, is_last);
}

#endif
