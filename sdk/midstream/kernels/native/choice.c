#include "choice.h"

#include <math.h>
#include <string.h>

#include "clones.h"

#define BLOCK 256     /* weights whose products are added up in 32 bits */
#define FARTHEST 2047 /* of a level, in parts of its spread */
#define FIRST_WIDTH 12 /* nothing is less than a step wide */
#define RIDGE 1e-6    /* of a neighbour's energy, added to it: others may be nearly the same */
#define LEAST_ENERGY 1e-12
#define TERM_BITS 12.0
#define LEAST_SHARE 0.004

typedef double matrix[MAX_TERMS + 1][MAX_TERMS + 1];

FOR_EVERY_WIDTH static void put_widths(
    int16_t *restrict widths, int64_t width, const int8_t *deltas, int64_t count)
{
    for (int64_t k = 0; k < count; k++)
        widths[k] = (int16_t)width;
    for (int64_t k = 0; deltas && k < count; k++)
        widths[k] = (int16_t)(widths[k] + deltas[k]);
}

void fitted_widths(const struct fit *fit, int64_t start, int64_t stop, int16_t *widths)
{
    const struct fit_dim *last = &fit->dims[fit->dim_count - 1];
    for (int64_t i = start, count; i < stop; i += count, widths += count) {
        int64_t run = i / last->size, first = i % last->size, at[FIT_AXES] = { 0 };
        int64_t width = fit->width;
        count = last->size - first < stop - i ? last->size - first : stop - i;
        for (int64_t d = fit->dim_count - 2; d >= 0; run /= fit->dims[d--].size)
            at[fit->dims[d].axis] += run % fit->dims[d].size * fit->dims[d].step;
        for (int64_t a = 0; a < FIT_AXES; a++)
            width += fit->axes[a].is_used && a != last->axis ? fit->axes[a].deltas[at[a]] : 0;
        const struct fit_axis *along = &fit->axes[last->axis];
        put_widths(widths, width, along->is_used ? along->deltas + at[last->axis] + first : NULL,
            count);
    }
}

FOR_EVERY_WIDTH static void find_scales(
    float *restrict found, const float *scales, const int16_t *widths, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        int32_t width = widths[k] - FIRST_WIDTH;
        width = width > 0 ? width : 0;
        found[k] = scales[width < CHOICE_SCALES ? width : CHOICE_SCALES - 1];
    }
}

/* Levels over their spread, in whole parts of it. */
FOR_EVERY_WIDTH static void divide(
    int16_t *parts, const int32_t *levels, const float *scales, int64_t count)
{
    const float shift = 0x1.8p23f;
    for (int64_t k = 0; k < count; k++) {
        float part = (float)levels[k] * scales[k];
        part = part > -FARTHEST ? part : -FARTHEST;
        part = part < FARTHEST ? part : FARTHEST;
        parts[k] = (int16_t)((part + shift) - shift);
    }
}

/* The neighbours of so many weights, over how wide these spread; 0 where there is none. */
static void fill_column(int16_t *column, const struct neighbour *neighbour, const int32_t *levels,
    const float *scales, int64_t first, int64_t count)
{
    const int64_t distance = neighbour->back * neighbour->stride;
    /* at the start of each turn there is none */
    const int64_t turn = neighbour->size < INT64_MAX / neighbour->stride
        ? neighbour->size * neighbour->stride
        : INT64_MAX;
    int64_t at = first % turn;
    for (int64_t k = 0, span; k < count; k += span, at = at + span < turn ? at + span : 0) {
        const int64_t left = at < distance && distance < turn ? distance - at : turn - at;
        span = left < count - k ? left : count - k;
        if (at < distance)
            memset(column + k, 0, sizeof *column * (size_t)span);
        else
            divide(column + k, levels + first + k - distance, scales + k, span);
    }
}

FOR_EVERY_WIDTH static int32_t product(const int16_t *one, const int16_t *other)
{
    int32_t sum = 0;
    for (int k = 0; k < BLOCK; k++)
        sum += one[k] * other[k];
    return sum;
}

/* Products of all neighbours' values and, last, the weights' own. */
static void find_moments(const struct fit *fit, const struct candidates *from,
    const int32_t *levels, matrix moments)
{
    int64_t start = fit->count > CHOICE_SAMPLE ? (fit->count - CHOICE_SAMPLE) / 2 : 0;
    int64_t stop = start + CHOICE_SAMPLE < fit->count ? start + CHOICE_SAMPLE : fit->count;
    int64_t sums[MAX_TERMS + 1][MAX_TERMS + 1] = { { 0 } };
    fitted_widths(fit, start, stop, from->widths);
    for (int64_t i = start; i < stop; i += BLOCK) {
        int16_t columns[MAX_TERMS + 1][BLOCK] = { { 0 } };
        float scales[BLOCK];
        int64_t count = stop - i < BLOCK ? stop - i : BLOCK;
        find_scales(scales, from->scales, from->widths + i - start, count);
        for (int64_t p = 0; p < from->count; p++)
            fill_column(columns[p], &from->neighbour[p], levels, scales, i, count);
        divide(columns[from->count], levels + i, scales, count);
        for (int64_t p = 0; p <= from->count; p++)
            for (int64_t q = 0; q <= p; q++)
                sums[p][q] += product(columns[p], columns[q]);
    }
    for (int64_t p = 0; p <= from->count; p++)
        for (int64_t q = 0; q <= from->count; q++)
            moments[p][q] = (double)(q <= p ? sums[p][q] : sums[q][p]);
}

/* Bits that less energy is worth. */
static double saved_bits(double before, double after, int64_t weights)
{
    double one = before < 1e-9 ? 1e-9 : before, other = after < 1e-9 ? 1e-9 : after;
    return 0.5 * (double)weights * log2(one / other);
}

/* Take a neighbour's part out of all others and of the weights. */
static void eliminate(matrix left, int64_t at, int64_t size)
{
    double row[MAX_TERMS + 1];
    for (int64_t q = 0; q < size; q++)
        row[q] = left[at][q] / left[at][at];
    for (int64_t p = 0; p < size; p++) {
        double factor = left[p][at];
        for (int64_t q = 0; q < size; q++)
            left[p][q] = left[p][q] - factor * row[q];
    }
    memcpy(left[at], row, sizeof(double) * (size_t)size);
}

/* The neighbours that pay, one added after the other; how many. */
static int64_t select_neighbours(matrix left, int64_t own, int64_t weights, int *is_chosen)
{
    double first = left[own][own], energy = first;
    double least = LEAST_SHARE / 4 * (double)weights;
    least = least > TERM_BITS ? least : TERM_BITS;
    int64_t chosen = 0;
    for (int64_t p = 0; p < own; p++)
        left[p][p] = left[p][p] * (1 + RIDGE) + LEAST_ENERGY;
    while (chosen < CHOICE_TERMS && chosen < own) {
        int64_t best = 0;
        double most = -2;
        for (int64_t p = 0; p < own; p++) {
            double gain = is_chosen[p] ? -1 : left[p][own] * left[p][own] / left[p][p];
            best = gain > most ? p : best;
            most = gain > most ? gain : most;
        }
        if (saved_bits(energy, energy - most, weights) < least)
            break;
        is_chosen[best] = 1;
        chosen++;
        energy -= most;
        eliminate(left, best, own + 1);
    }
    return saved_bits(first, energy, weights) < LEAST_SHARE * (double)weights ? 0 : chosen;
}

void choose_neighbours(
    const struct fit *fit, const struct candidates *from, const int32_t *levels, struct choice *choice)
{
    matrix left;
    int is_chosen[MAX_TERMS] = { 0 };
    choice->count = 0;
    if (!from->count)
        return;
    find_moments(fit, from, levels, left);
    if (!select_neighbours(left, from->count, fit->count, is_chosen))
        return;
    for (int64_t p = 0; p < from->count; p++) {
        double coefficient = is_chosen[p] ? rint(32 * left[p][from->count]) : 0;
        coefficient = coefficient < -64 ? -64 : coefficient > 64 ? 64 : coefficient;
        if (coefficient == 0)
            continue;
        choice->index[choice->count] = p;
        choice->coefficient[choice->count++] = (int64_t)coefficient;
    }
}
