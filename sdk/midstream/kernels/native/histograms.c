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
