#include "ranges.h"

#include "bits.h"

/* Bytes that wait to be read, least significant bit first. */
struct bits {
    const uint8_t *next;
    const uint8_t *end;
    uint64_t buffer;
    int64_t filled;
};

static int fill(struct bits *bits, int64_t width)
{
    for (; bits->filled < width && bits->next < bits->end; bits->filled += 8)
        bits->buffer |= (uint64_t)*bits->next++ << bits->filled;
    return bits->filled >= width;
}

/* As many bits as fit at once, where eight bytes are there; a byte at a time near the end. */
static int refill(struct bits *bits, int64_t width)
{
    if (bits->end - bits->next < 8)
        return fill(bits, width);
    uint64_t ahead = 0;
    for (int i = 0; i < 8; i++)
        ahead |= (uint64_t)bits->next[i] << 8 * i;
    bits->buffer |= ahead << bits->filled;
    int64_t bytes = (63 - bits->filled) >> 3;
    bits->next += bytes;
    bits->filled += 8 * bytes;
    /* what is beyond the whole bytes comes again */
    bits->buffer &= (UINT64_C(1) << bits->filled) - 1;
    return fill(bits, width);
}

static uint64_t take(struct bits *bits, int64_t width)
{
    uint64_t field = bits->buffer & ((UINT64_C(1) << width) - 1);
    bits->buffer >>= width;
    bits->filled -= width;
    return field;
}

int64_t read_range_fields(const struct ranges *ranges, const uint8_t *data, int64_t size,
    const uint8_t *symbols, const int16_t *octaves, int64_t count, void *out)
{
    struct bits bits = { data, data + size, 0, 0 };
    uint16_t *halves = out;
    uint32_t *singles = out;
    for (int64_t i = 0; i < count; i++) {
        int64_t octave = octaves[i] - ranges->first;
        if (octave < 0 || octave >= ranges->octaves || symbols[i] >= ranges->symbols)
            return RANGES_UNKNOWN;
        int64_t place = octave * ranges->symbols + symbols[i];
        int64_t width = ranges->widths[place];
        if (bits.filled < width && !refill(&bits, width))
            return RANGES_SHORT;
        uint64_t field = take(&bits, width);
        uint64_t value = (uint64_t)ranges->lows[place] + (field >> 1 << ranges->trailing);
        value |= (field & 1) << (ranges->bits - 1);
        if (ranges->bits == 32)
            singles[i] = (uint32_t)value;
        else
            halves[i] = (uint16_t)value;
    }
    return size - (bits.end - bits.next) - bits.filled / 8;
}
