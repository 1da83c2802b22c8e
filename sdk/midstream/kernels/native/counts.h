/* How many of a row are zero. */
#ifndef MIDSTREAM_COUNTS_H
#define MIDSTREAM_COUNTS_H

#include <stdint.h>

int64_t zero_bytes(const uint8_t *bytes, int64_t count);

int64_t zero_levels(const int32_t *levels, int64_t count);

#endif
