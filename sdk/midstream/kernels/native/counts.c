#include "counts.h"

#include "clones.h"

#define BLOCK 128 /* a byte counts so many */

FOR_EVERY_WIDTH int64_t zero_bytes(const uint8_t *bytes, int64_t count)
{
    int64_t zeros = 0, i = 0;
    for (; count - i >= BLOCK; i += BLOCK) {
        uint8_t some = 0;
        for (int k = 0; k < BLOCK; k++)
            some = (uint8_t)(some + !bytes[i + k]);
        zeros += some;
    }
    for (; i < count; i++)
        zeros += !bytes[i];
    return zeros;
}

FOR_EVERY_WIDTH int64_t zero_levels(const int32_t *levels, int64_t count)
{
    int64_t zeros = 0, i = 0;
    for (; count - i >= BLOCK; i += BLOCK) {
        int32_t some = 0;
        for (int k = 0; k < BLOCK; k++)
            some += !levels[i + k];
        zeros += some;
    }
    for (; i < count; i++)
        zeros += !levels[i];
    return zeros;
}
