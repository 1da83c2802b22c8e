/* Bit fields and varints. Knows nothing of what they count.
 *
 * (spec/coding.md, "Bits".)
 */
#ifndef MIDSTREAM_BITS_H
#define MIDSTREAM_BITS_H

#include <stdint.h>

#define MAX_FIELD_BITS 57
#define VARINT_BYTES 5

/* Bits of all fields, or -1 where one is wider than 57. */
int64_t total_bits(const int64_t *widths, int64_t count);

/* Write fields, least significant bit first, into (total_bits + 7) / 8 bytes. */
void pack_fields(const uint64_t *values, const int64_t *widths, int64_t count, uint8_t *out);

/* Read fields from (total_bits + 7) / 8 bytes. */
void unpack_fields(const uint8_t *data, const int64_t *widths, int64_t count, uint64_t *values);

/* Write LEB128 into 5 bytes for each; gives their size, or -1 where a value is 2^35 or more. */
int64_t write_leb128(const uint64_t *values, int64_t count, uint8_t *out);

/* Read LEB128; gives their size, or -1 where they are malformed. */
int64_t read_leb128(const uint8_t *data, int64_t size, int64_t count, uint64_t *values);

#endif
