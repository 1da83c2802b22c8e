#include "refined_points.h"

#define NEAR_SYMBOLS 2
#define THREE_SYMBOLS 3
#define FAR 2 /* half steps from the middle of a cell, of the last of a point */

/* The place of a symbol among those of all tables: of three symbols, twice of two, one of one. */
static inline int64_t place_of(int64_t family, int64_t kind, int64_t row, int64_t outward)
{
    const int64_t twos = THREE_SYMBOLS * family;
    if (kind == OPEN_FAMILIES)
        return twos + 2 * NEAR_SYMBOLS * family;
    if (!kind)
        return THREE_SYMBOLS * row + (outward + FAR) / 2;
    return twos + NEAR_SYMBOLS * ((kind - 1) * family + row) + (outward > 0);
}

/* Which children are open, told by the one that was chosen. */
static inline int64_t kind_of(int64_t digit, int64_t ratio, int is_last)
{
    if (is_last)
        return digit == FAR || digit == -FAR ? 2 : OPEN_FAMILIES;
    return digit & 1 ? 1 : ratio == 5 ? 0 : OPEN_FAMILIES;
}

int find_refined_symbols(const struct refined *refined, int32_t *symbols)
{
    const int64_t family = refined->family, points = refined->count / 16;
    for (int64_t i = 0; i < refined->count; i++) {
        int64_t centre = refined->ratio * refined->parents[i], digit = refined->children[i] - centre;
        int64_t offset = (2 * centre - (refined->halves ? refined->halves[i] : 0)) >> 1;
        int64_t distance = offset < 0 ? -offset : offset;
        int64_t row = refined->tables[i] + class_of[distance < LAST_EDGE ? distance : LAST_EDGE];
        int is_last = i >= 15 * points && i < 16 * points;
        int64_t kind = kind_of(digit, refined->ratio, is_last);
        int is_alone = kind == OPEN_FAMILIES && !is_last;
        if (digit < -FAR || digit > FAR || (is_alone && digit) || row >= family)
            return 0;
        symbols[i] = (int32_t)place_of(family, kind, row, offset < 0 ? -digit : digit);
    }
    return 1;
}
