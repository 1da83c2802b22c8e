#include "repeats.h"

#include <string.h>

static int is_repeat(const struct repeat *repeat, int64_t values)
{
    int64_t back = repeat->kind & IS_MIRRORED ? repeat->length - 1 : 0;
    return repeat->start >= 0 && repeat->start <= values && repeat->length >= 1
        && repeat->length <= values - repeat->start && repeat->source < repeat->start
        && repeat->source >= back;
}

int are_repeats(const struct repeat *repeats, int64_t count, int64_t values)
{
    for (int64_t i = 0; i < count; i++)
        if (!is_repeat(&repeats[i], values))
            return 0;
    return 1;
}

/* A source may be what was just copied: value by value. Values may start anywhere. */
static void copy_singles(const struct repeat *repeat, uint8_t *values)
{
    const uint32_t top = UINT32_C(1) << 31, change = repeat->kind & IS_ALTERNATING ? top : 0;
    uint32_t value, flip = repeat->kind & IS_NEGATIVE ? top : 0;
    const int64_t way = repeat->kind & IS_MIRRORED ? -1 : 1;
    for (int64_t i = 0; i < repeat->length; i++, flip ^= change) {
        memcpy(&value, values + 4 * (repeat->source + way * i), sizeof value);
        value ^= flip;
        memcpy(values + 4 * (repeat->start + i), &value, sizeof value);
    }
}

static void copy_halves(const struct repeat *repeat, uint8_t *values)
{
    const uint16_t top = 1 << 15, change = repeat->kind & IS_ALTERNATING ? top : 0;
    uint16_t value, flip = repeat->kind & IS_NEGATIVE ? top : 0;
    const int64_t way = repeat->kind & IS_MIRRORED ? -1 : 1;
    for (int64_t i = 0; i < repeat->length; i++, flip ^= change) {
        memcpy(&value, values + 2 * (repeat->source + way * i), sizeof value);
        value ^= flip;
        memcpy(values + 2 * (repeat->start + i), &value, sizeof value);
    }
}

void copy_repeats(const struct repeat *repeats, int64_t count, int64_t size, void *values)
{
    for (int64_t i = 0; i < count; i++) {
        if (size == 4)
            copy_singles(&repeats[i], values);
        else
            copy_halves(&repeats[i], values);
    }
}
