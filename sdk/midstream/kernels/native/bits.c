#include "bits.h"

int64_t total_bits(const int64_t *widths, int64_t count)
{
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        if (widths[i] < 0 || widths[i] > MAX_FIELD_BITS)
            return -1;
        total += widths[i];
    }
    return total;
}

/* At most 7 bits wait in the buffer, so that a field of 57 fits beside them. */
void pack_fields(const uint64_t *values, const int64_t *widths, int64_t count, uint8_t *out)
{
    uint64_t buffer = 0;
    int64_t filled = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t mask = (UINT64_C(1) << widths[i]) - 1;
        buffer |= (values[i] & mask) << filled;
        for (filled += widths[i]; filled >= 8; filled -= 8) {
            *out++ = (uint8_t)buffer;
            buffer >>= 8;
        }
    }
    if (filled)
        *out = (uint8_t)buffer;
}

void unpack_fields(const uint8_t *data, const int64_t *widths, int64_t count, uint64_t *values)
{
    uint64_t buffer = 0;
    int64_t filled = 0;
    for (int64_t i = 0; i < count; i++) {
        for (; filled < widths[i]; filled += 8)
            buffer |= (uint64_t)*data++ << filled;
        values[i] = buffer & ((UINT64_C(1) << widths[i]) - 1);
        buffer >>= widths[i];
        filled -= widths[i];
    }
}

int64_t write_leb128(const uint64_t *values, int64_t count, uint8_t *out)
{
    uint8_t *first = out;
    for (int64_t i = 0; i < count; i++) {
        uint64_t value = values[i];
        if (value >> 7 * VARINT_BYTES)
            return -1;
        for (; value >= 0x80; value >>= 7)
            *out++ = (uint8_t)(value | 0x80);
        *out++ = (uint8_t)value;
    }
    return out - first;
}

int64_t read_leb128(const uint8_t *data, int64_t size, int64_t count, uint64_t *values)
{
    int64_t place = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t value = 0;
        int64_t start = place, more = 1;
        while (more) {
            if (place == size || place - start == VARINT_BYTES)
                return -1;
            more = data[place] >> 7;
            value |= (uint64_t)(data[place] & 0x7F) << 7 * (place - start);
            place++;
        }
        if (place - start > 1 && !data[place - 1])
            return -1;
        values[i] = value;
    }
    return place;
}
