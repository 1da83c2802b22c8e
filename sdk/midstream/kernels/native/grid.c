#include "grid.h"

#include <string.h>

#include "clones.h"
#include "halves.h"

#define PATTERN 4096 /* weights */
#define SHORT_STRIDE 64

/* Sums wrap around, as NumPy's do; whoever calls sees to it that they need not. */
static int16_t plus(int16_t total, int32_t factor, int8_t delta)
{
    return (int16_t)(uint16_t)((uint32_t)total + (uint32_t)factor * (uint32_t)delta);
}

/* Weights that follow each other on the axis. */
static void add_pattern(int16_t *totals, int64_t count, int64_t index, const struct axis *axis)
{
    for (int64_t i = 0; i < count; index = 0) {
        int64_t run = axis->size - index < count - i ? axis->size - index : count - i;
        for (int64_t k = 0; k < run; k++)
            totals[i + k] = plus(totals[i + k], axis->factor, axis->deltas[index + k]);
        i += run;
    }
}

/* Whether what an axis adds is worth to be laid out: its runs are shorter than what is added at
 * once, and come again. */
static int is_short(const struct axis *axis, int64_t count)
{
    return axis->stride > 1 && axis->stride < SHORT_STRIDE && axis->size <= PATTERN / axis->stride
        && count >= 2 * axis->stride * axis->size;
}

/* What an axis adds to weights after each other, all around it. */
static void lay_pattern(const struct axis *axis, int8_t *pattern)
{
    for (int64_t index = 0; index < axis->size; index++)
        for (int64_t k = 0; k < axis->stride; k++)
            pattern[index * axis->stride + k] = axis->deltas[index];
}

FOR_EVERY_WIDTH void add_to_weights(int16_t *totals, int64_t count, int64_t start, const struct axis *axis)
{
    int8_t pattern[PATTERN];
    if (is_short(axis, count)) {
        const int64_t size = axis->stride * axis->size;
        const struct axis whole = { .deltas = pattern, .size = size, .stride = 1, .factor = axis->factor };
        lay_pattern(axis, pattern);
        add_pattern(totals, count, start % size, &whole);
        return;
    }
    int64_t index = start / axis->stride % axis->size;
    int64_t run = axis->stride - start % axis->stride;
    if (axis->stride == 1) {
        add_pattern(totals, count, index, axis);
        return;
    }
    for (int64_t i = 0; i < count; run = axis->stride) {
        int64_t end = run < count - i ? i + run : count;
        for (; i < end; i++)
            totals[i] = plus(totals[i], axis->factor, axis->deltas[index]);
        index = index + 1 < axis->size ? index + 1 : 0;
    }
}

int steps_in_range(const int32_t *steps, int64_t weights, int64_t first, int64_t count)
{
    int32_t least = weights ? steps[0] : 0, most = least;
    for (int64_t i = 0; i < weights; i++) {
        least = steps[i] < least ? steps[i] : least;
        most = steps[i] > most ? steps[i] : most;
    }
    return !weights || (least >= first && most - first < count);
}

/* Where the run of one step that starts at a weight ends. */
static int64_t run_end(const int32_t *steps, int64_t start, int64_t weights)
{
    int64_t end = start + 1;
    while (end < weights && steps[end] == steps[start])
        end++;
    return end;
}

/* --- rounding ------------------------------------------------------------------------ */

/* The upper half of a float32, to nearest, ties to even; a product is never a NaN. */
static uint16_t to_bfloat16(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* A float64 to the nearest float16, ties to even, in one rounding. */
static uint16_t to_float16(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
    int exponent = (int)(bits >> 52 & 0x7FF) - 1023;
    uint64_t significand = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    if (exponent > 15)
        return sign | 0x7C00;
    if (exponent < -25)
        return sign;
    /* what is dropped: 42 bits, and one more for each octave below the least normal number */
    int dropped = exponent < -14 ? 42 - 14 - exponent : 42;
    uint64_t kept = significand >> dropped;
    uint64_t rest = significand & ((UINT64_C(1) << dropped) - 1);
    uint64_t half = UINT64_C(1) << (dropped - 1);
    kept += rest > half || (rest == half && kept & 1);
    /* a significand that was rounded up carries into the exponent, up to infinity */
    return sign | (uint16_t)(exponent < -14 ? kept : kept + ((uint64_t)(exponent + 14) << 10));
}

/* Levels that are looked up where a step has many weights: rounding takes longer. */
#define KNOWN 128
#define MANY (8 * KNOWN)

static inline uint16_t to_half(double number, int precision)
{
    return precision == FLOAT16 ? to_float16(number) : to_bfloat16((float)number);
}

static inline void store_half(uint8_t *out, uint16_t half)
{
    memcpy(out, &half, sizeof half);
}

static void scale_many_halves(
    uint8_t *out, int precision, const int32_t *levels, int64_t count, double size)
{
    uint16_t known[2 * KNOWN];
    for (int level = -KNOWN; level < KNOWN; level++)
        known[level + KNOWN] = to_half(level * size, precision);
    for (int64_t i = 0; i < count; i++) {
        uint32_t place = (uint32_t)levels[i] + KNOWN;
        store_half(out + 2 * i,
            place < 2 * KNOWN ? known[place] : to_half(levels[i] * size, precision));
    }
}

FOR_EVERY_WIDTH static void scale_singles(
    uint8_t *out, const int32_t *levels, int64_t count, double size)
{
    for (int64_t i = 0; i < count; i++) {
        float single = (float)(levels[i] * size);
        memcpy(out + 4 * i, &single, sizeof single);
    }
}

void scale_run(uint8_t *out, int precision, const int32_t *levels, int64_t count, double size)
{
    int64_t done = precision == FLOAT16 ? write_halves(out, levels, count, size) : 0;
    out += 2 * done;
    levels += done;
    count -= done;
    if (precision == FLOAT32)
        scale_singles(out, levels, count, size);
    else if (count >= MANY)
        scale_many_halves(out, precision, levels, count, size);
    else
        for (int64_t i = 0; i < count; i++)
            store_half(out + 2 * i, to_half(levels[i] * size, precision));
}

void scale_floats_to(uint8_t *out, int precision, const int32_t *levels, int64_t weights,
    const int32_t *steps, int64_t step_count, int64_t first, const double *sizes)
{
    int item = precision == FLOAT32 ? 4 : 2;
    for (int64_t i = 0, end; i < weights; i = end) {
        end = step_count == 1 ? weights : run_end(steps, i, weights);
        scale_run(out + i * item, precision, levels + i, end - i, sizes[steps[i] - first]);
    }
}

void scale_integers_to(void *out, int64_t item, const int32_t *levels, const int32_t *steps,
    int64_t weights, int64_t first, const int64_t *powers, const int32_t *offsets,
    const int64_t range[2])
{
    uint8_t *bytes = out;
    int32_t *words = out;
    for (int64_t i = 0; i < weights; i++) {
        int64_t value = levels[i] * powers[steps[i] - first] + offsets[i];
        value = value < range[0] ? range[0] : value > range[1] ? range[1] : value;
        if (item == 1)
            bytes[i] = (uint8_t)value;
        else
            words[i] = (int32_t)value;
    }
}
