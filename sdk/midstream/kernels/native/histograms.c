#include "histograms.h"

#include <string.h>

#include "clones.h"

/* The exponent and two more bits of a float: a quarter of an octave. */
static inline uint32_t quarter_of(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits >> 21;
}

static inline uint8_t class_of(uint32_t magnitude)
{
    uint32_t bounded = magnitude < MAX_MAGNITUDE ? magnitude : MAX_MAGNITUDE;
    uint32_t coarse = EXACT_CLASSES + quarter_of((float)(int32_t)bounded) - quarter_of(EXACT_CLASSES);
    return (uint8_t)(bounded < EXACT_CLASSES ? bounded : coarse);
}

FOR_EVERY_WIDTH static void classify_magnitudes(
    uint8_t *classes, const int32_t *levels, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t level = (uint32_t)levels[i];
        classes[i] = class_of(levels[i] < 0 ? 0 - level : level);
    }
}

FOR_EVERY_WIDTH static void classify_distances(
    uint8_t *classes, const int32_t *levels, const int64_t *halves, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        /* unsigned: a difference that no mean of levels has wraps around, as NumPy's does */
        uint64_t difference = 2 * (uint64_t)(int64_t)levels[i] - (uint64_t)halves[i];
        uint64_t distance = difference >> 63 ? 0 - difference : difference;
        uint32_t is_odd = distance & 1;
        uint32_t bounded = distance >> 33 ? UINT32_MAX : (uint32_t)(distance >> 1);
        /* tables of half a step are symmetric about it: a distance of m is the level (m + 1) / 2 */
        uint32_t level = bounded < MAX_MAGNITUDE ? bounded + is_odd : MAX_MAGNITUDE;
        classes[i] = (uint8_t)(class_of(level) + is_odd * LEVEL_CLASSES);
    }
}

void classify_levels(uint8_t *classes, const int32_t *levels, const int64_t *halves, int64_t count)
{
    if (halves)
        classify_distances(classes, levels, halves, count);
    else
        classify_magnitudes(classes, levels, count);
}
