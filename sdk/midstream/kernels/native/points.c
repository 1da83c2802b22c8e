#include "points.h"

#include "clones.h"
#include "rows.h"

#define MAX_LEVEL (1 << 30)

const uint16_t codewords[1 << CODEWORD_BITS] = { 0x0000, 0xFFFF, 0xAAAA, 0x5555, 0xCCCC,
    0x3333, 0x6666, 0x9999, 0xF0F0, 0x0F0F, 0x5A5A, 0xA5A5, 0x3C3C, 0xC3C3, 0x9696, 0x6969, 0xFF00,
    0x00FF, 0x55AA, 0xAA55, 0x33CC, 0xCC33, 0x9966, 0x6699, 0x0FF0, 0xF00F, 0xA55A, 0x5AA5, 0xC33C,
    0x3CC3, 0x6996, 0x9669 };

int read_codewords(const uint8_t *data, int64_t size, int64_t points, uint16_t *restrict odd)
{
    if (size < codeword_bytes(points))
        return 0;
    uint32_t bits = 0;
    int held = 0;
    for (int64_t b = 0; b < points; b++) {
        if (held < CODEWORD_BITS) {
            bits |= (uint32_t)*data++ << held;
            held += 8;
        }
        odd[b] = codewords[bits & ((1 << CODEWORD_BITS) - 1)];
        bits >>= CODEWORD_BITS;
        held -= CODEWORD_BITS;
    }
    return 1;
}

FOR_EVERY_WIDTH void choose_first_rows(const uint16_t *odd, int64_t points, uint16_t *restrict rows)
{
    for (int k = 0; k < POINT - 1; k++)
        for (int64_t b = 0; b < points; b++)
            rows[k * points + b] = (uint16_t)(rows[k * points + b] + (odd[b] >> k & 1) * NEXT_PHASE);
}

FOR_EVERY_WIDTH void choose_last_rows(const uint16_t *odd, const int32_t *numbers, int64_t points,
    uint8_t *restrict rests, uint16_t *restrict rows)
{
    for (int64_t b = 0; b < points; b++) {
        uint32_t total = 0; /* what overflows does not matter */
        for (int k = 0; k < POINT - 1; k++)
            total += (uint32_t)numbers[k * points + b];
        /* all of a codeword add up to a multiple of four */
        uint32_t rest = (0 - (uint32_t)(odd[b] >> (POINT - 1)) - 2 * total) & 3;
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

FOR_EVERY_WIDTH int join_points(int32_t *levels, int64_t weights, const uint16_t *odd, const uint8_t *rests)
{
    static const int32_t moves[] = { 0, 1, -2, -1 };
    int64_t points = weights / POINT, firsts = (POINT - 1) * points, end = POINT * points;
    int32_t *last = levels + firsts;
    /* wider than these by one, so that nothing overflows */
    if (!are_within(levels, firsts, MAX_LEVEL / 2 + 1) || !are_within(last, points, MAX_LEVEL / 4 + 1)
        || !are_within(levels + end, weights - end, MAX_LEVEL / 2 + 1))
        return 0;
    for (int k = 0; k < POINT - 1; k++)
        for (int64_t b = 0; b < points; b++)
            levels[k * points + b] = 2 * levels[k * points + b] - (odd[b] >> k & 1);
    for (int64_t b = 0; b < points; b++) {
        int32_t level = 4 * last[b];
        last[b] = (rests[b] == 1 ? -level : level) + moves[rests[b]];
    }
    for (int64_t i = end; i < weights; i++)
        levels[i] *= 2;
    return are_within(levels, weights, MAX_LEVEL);
}
