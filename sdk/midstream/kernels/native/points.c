#include "points.h"

#include "rows.h"

#define MAX_LEVEL (1 << 30)

void choose_first_rows(const int32_t *odd, int64_t points, uint16_t *restrict rows)
{
    for (int k = 0; k < POINT - 1; k++)
        for (int64_t b = 0; b < points; b++)
            rows[k * points + b] = (uint16_t)(rows[k * points + b] + odd[b] * NEXT_PHASE);
}

void choose_last_rows(const int32_t *odd, const int32_t *numbers, int64_t points,
    uint8_t *restrict rests, uint16_t *restrict rows)
{
    for (int64_t b = 0; b < points; b++) {
        uint32_t total = 0; /* what overflows does not matter */
        for (int k = 0; k < POINT - 1; k++)
            total += (uint32_t)numbers[k * points + b];
        uint32_t rest = ((POINT - 1) * (uint32_t)odd[b] - 2 * total) & 3;
        /* phases 0, 2, 1, 2 */
        uint32_t phase = rest & 1 ? 2 : rest >> 1;
        rests[b] = (uint8_t)rest;
        rows[b] = (uint16_t)(rows[b] + phase * NEXT_PHASE);
    }
}

/* Whether all numbers are so far from zero at most. */
static int are_within(const int32_t *numbers, int64_t count, int32_t limit)
{
    int beyond = 0;
    for (int64_t i = 0; i < count; i++)
        beyond |= (numbers[i] > limit) | (numbers[i] < -limit);
    return !beyond;
}

int join_points(int32_t *levels, int64_t weights, const int32_t *odd, const uint8_t *rests)
{
    static const int32_t moves[] = { 0, 1, -2, -1 };
    int64_t points = weights / POINT, firsts = (POINT - 1) * points, end = POINT * points;
    int32_t *last = levels + firsts;
    /* wider than these by one, so that nothing overflows */
    if (!are_within(levels, firsts, MAX_LEVEL / 2 + 1) || !are_within(last, points, MAX_LEVEL / 4 + 1)
        || !are_within(levels + end, weights - end, MAX_LEVEL / 2 + 1))
        return 0;
    for (int64_t i = 0; i < firsts; i += points)
        for (int64_t b = 0; b < points; b++)
            levels[i + b] = 2 * levels[i + b] - odd[b];
    for (int64_t b = 0; b < points; b++) {
        int32_t level = 4 * last[b];
        last[b] = (rests[b] == 1 ? -level : level) + moves[rests[b]];
    }
    for (int64_t i = end; i < weights; i++)
        levels[i] *= 2;
    return are_within(levels, weights, MAX_LEVEL);
}
