#include "histograms.h"

static uint8_t class_of(uint64_t magnitude)
{
    if (magnitude < EXACT_CLASSES)
        return (uint8_t)magnitude;
    uint32_t bounded = magnitude < MAX_MAGNITUDE ? (uint32_t)magnitude : MAX_MAGNITUDE;
    int octave = 4;
    while (bounded >> (octave + 1))
        octave++;
    return (uint8_t)(EXACT_CLASSES + 4 * (octave - 4) + (bounded >> (octave - 2)) - 4);
}

void classify_levels(uint8_t *classes, const int32_t *levels, const int64_t *halves, int64_t count)
{
    if (!halves) {
        for (int64_t i = 0; i < count; i++) {
            int64_t level = levels[i];
            classes[i] = class_of((uint64_t)(level < 0 ? -level : level));
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        /* unsigned: a difference that no mean of levels has wraps around, as NumPy's does */
        uint64_t difference = 2 * (uint64_t)(int64_t)levels[i] - (uint64_t)halves[i];
        uint64_t distance = difference >> 63 ? 0 - difference : difference;
        /* tables of half a step are symmetric about it: a distance of m is the level (m + 1) / 2 */
        classes[i] = class_of((distance >> 1) + (distance & 1));
        classes[i] += (uint8_t)(distance & 1) * LEVEL_CLASSES;
    }
}

int can_count(
    const struct histogram *histogram, const uint8_t *classes, const int16_t *shifts, int64_t count)
{
    uint8_t deepest = 0;
    int16_t least = INT16_MAX, most = INT16_MIN;
    for (int64_t i = 0; i < count; i++)
        deepest = classes[i] > deepest ? classes[i] : deepest;
    for (int64_t i = 0; i < count; i++) {
        least = shifts[i] < least ? shifts[i] : least;
        most = shifts[i] > most ? shifts[i] : most;
    }
    return !count
        || (deepest < histogram->depth && least >= histogram->low
            && most - histogram->low < histogram->span);
}

/* Weights that follow each other on the axis. */
static void count_pattern(
    struct histogram *histogram, const uint8_t *classes, const int16_t *shifts, int64_t count)
{
    int64_t depth = histogram->depth, room = histogram->span * depth;
    for (int64_t i = 0; i < count;) {
        int64_t end = histogram->size < count - i ? i + histogram->size : count;
        for (int64_t first = -histogram->low * depth; i < end; i++, first += room)
            histogram->counts[first + shifts[i] * depth + classes[i]]++;
    }
}

void count_weights(
    struct histogram *histogram, const uint8_t *classes, const int16_t *shifts, int64_t count)
{
    int64_t depth = histogram->depth, room = histogram->span * depth, index = 0;
    if (histogram->stride == 1 && histogram->size > 1) {
        count_pattern(histogram, classes, shifts, count);
        return;
    }
    for (int64_t i = 0; i < count;) {
        int64_t end = histogram->stride < count - i ? i + histogram->stride : count;
        int64_t first = index * room - histogram->low * depth;
        for (; i < end; i++)
            histogram->counts[first + shifts[i] * depth + classes[i]]++;
        index = index + 1 < histogram->size ? index + 1 : 0;
    }
}

int add_places(const struct histogram *histogram, const int16_t *shifts, int64_t spread,
    int32_t *sums)
{
    int64_t depth = histogram->depth, room = histogram->span * depth;
    for (int64_t i = 0; i < histogram->size; i++) {
        int64_t moved = shifts[i] - histogram->low;
        if (moved < 0 || moved >= spread)
            return 0;
        const int32_t *restrict counts = histogram->counts + i * room;
        int32_t *restrict sum = sums + moved * depth;
        for (int64_t k = 0; k < room; k++)
            sum[k] += counts[k];
    }
    return 1;
}
