#include "holes.h"

#include <string.h>

#include "clones.h"
#include "grid.h"

#define MOST_ZERO (1 << 20)

/* 3^n, exactly. */
static int64_t power_of_three(int64_t n)
{
    int64_t power = 1;
    while (n-- > 0)
        power *= 3;
    return power;
}

/* --- floats ------------------------------------------------------------------------------ */

static int precision_of(const struct tensor *tensor)
{
    return tensor->type == TYPE_FLOAT32 ? FLOAT32 : tensor->type == TYPE_FLOAT16 ? FLOAT16 : BFLOAT16;
}

double size_of(int64_t step, int64_t trits, int64_t ratio, const double *sizes)
{
    return sizes[step + MOST_STEP_INDEX] / (double)(power_of_three(trits) * ratio);
}

static int fill_floats(const struct network *network, const struct span *span,
    const int32_t *levels, int64_t trits, int64_t ratio, const double *sizes, uint8_t *out,
    struct room room)
{
    const struct tensor *tensor = &network->tensor[span->tensor];
    int64_t count = span->stop - span->start, item = bits_of(tensor->type) / 8;
    if (is_even(tensor)) {
        scale_run(out, precision_of(tensor), levels, count,
            size_of(tensor->step, trits, ratio, sizes));
        return 1;
    }
    int16_t *steps = take_room(&room, count, sizeof *steps);
    if (!steps)
        return 0;
    find_steps(network, span, steps);
    for (int64_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && steps[end] == steps[i];)
            end++;
        scale_run(out + i * item, precision_of(tensor), levels + i, end - i,
            size_of(steps[i], trits, ratio, sizes));
    }
    return 1;
}

/* --- integers ---------------------------------------------------------------------------- */

static void range_of(int64_t type, int64_t *range)
{
    int bits = bits_of(type), is_signed = type != TYPE_UINT8;
    range[0] = is_signed ? -(INT64_C(1) << (bits - 1)) : 0;
    range[1] = (INT64_C(1) << (bits - is_signed)) - 1;
}

/* Bytes of levels in steps of one, where no sum needs more than 32 bits. */
FOR_EVERY_WIDTH static void fill_bytes(
    const int32_t *levels, int64_t count, int32_t zero, int32_t least, int32_t most, uint8_t *restrict out)
{
    for (int64_t i = 0; i < count; i++) {
        int32_t value = levels[i] + zero;
        value = value > least ? value : least;
        out[i] = (uint8_t)(value < most ? value : most);
    }
}

static int is_near(int64_t zero)
{
    return zero >= -MOST_ZERO && zero <= MOST_ZERO;
}

static void fill_integers(
    const struct tensor *tensor, const int32_t *levels, int64_t count, int64_t trits, uint8_t *out)
{
    int64_t range[2], power = power_of_three(tensor->step > trits ? tensor->step - trits : 0);
    range_of(tensor->type, range);
    if (power == 1 && bits_of(tensor->type) == 8 && is_near(tensor->zero)) {
        fill_bytes(levels, count, (int32_t)tensor->zero, (int32_t)range[0], (int32_t)range[1], out);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t value = levels[i] * power + tensor->zero;
        value = value < range[0] ? range[0] : value > range[1] ? range[1] : value;
        int32_t word = (int32_t)value;
        if (tensor->type == TYPE_INT32)
            memcpy(out + 4 * i, &word, sizeof word);
        else if (tensor->type != TYPE_INT4)
            out[i] = (uint8_t)value;
        else if (i % 2)
            out[i / 2] = (uint8_t)(out[i / 2] | (value & 15) << 4);
        else
            out[i / 2] = (uint8_t)(value & 15);
    }
}

/* --- holes ------------------------------------------------------------------------------- */

uint8_t *hole_of(const struct network *network, const struct span *span, uint8_t *model)
{
    const struct tensor *tensor = &network->tensor[span->tensor];
    /* spans start at whole bytes */
    return model + tensor->offset + span->start * bits_of(tensor->type) / 8;
}

void copy_to_holes(
    const struct network *network, const struct piece *piece, const uint8_t *weights, uint8_t *model)
{
    for (int64_t i = 0; i < piece->span_count; i++) {
        const struct span *span = &piece->spans[i];
        size_t size = (size_t)((span->stop - span->start)
            * bits_of(network->tensor[span->tensor].type) / 8);
        memcpy(hole_of(network, span, model), weights, size);
        weights += size;
    }
}

int fill_span(const struct network *network, const struct span *span, const int32_t *levels,
    int64_t trits, int64_t ratio, const double *sizes, uint8_t *model, struct room room)
{
    const struct tensor *tensor = &network->tensor[span->tensor];
    uint8_t *out = hole_of(network, span, model);
    if (is_float(tensor))
        return fill_floats(network, span, levels, trits, ratio, sizes, out, room);
    fill_integers(tensor, levels, span->stop - span->start, trits, out);
    return 1;
}
