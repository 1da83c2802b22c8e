#include "thrift.h"

#include <string.h>

#include "clones.h"
#include "prediction.h"

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { TOGETHER = 256 };

/* Levels while they are moved: loops over them have no branches. */
struct moves {
    float ahead[TOGETHER];     /* of their weights, in steps */
    int32_t outward[TOGETHER]; /* away from what is expected; 0 where they stay */
    int32_t entry[TOGETHER];   /* of what moving saves */
    float saved[TOGETHER];
};

INLINE void find_ahead(float *ahead, const int32_t *levels, const struct weights *weights,
    int is_single, int64_t each, int64_t first, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        int64_t i = first + k;
        double number = is_single ? (double)weights->single[i] : weights->numbers[i];
        ahead[k] = (float)(levels[i] - (number - weights->offset) / weights->sizes[each * i]);
    }
}

/* Which way what is expected is, and what is saved by going there. */
INLINE void find_outward(struct moves *moves, const int32_t *levels, const int64_t *halves,
    const uint8_t *rows, int64_t count, const struct prices *prices)
{
    const int32_t reach = (int32_t)prices->reach, numbers = (int32_t)prices->numbers;
    const int32_t all = (int32_t)prices->rows;
    for (int64_t k = 0; k < count; k++) {
        int64_t half = halves ? halves[k] : 0;
        int32_t phase = (int32_t)(half & 1);
        int32_t residual = (int32_t)clamp(levels[k] - (half >> 1), reach + 1);
        int32_t twice = 2 * residual - phase, row = rows[k] < all ? rows[k] : all - 1;
        int32_t near = residual < -reach ? -reach : residual > reach ? reach : residual;
        int is_tried = (near == residual) & (rows[k] < all);
        moves->outward[k] = is_tried ? (twice > 0) - (twice < 0) : 0;
        moves->entry[k] = (phase * all + row) * numbers + near + reach;
    }
}

FOR_EVERY_WIDTH static void move_some(int32_t *moved, const int32_t *levels, const int64_t *halves,
    const struct weights *weights, const uint8_t *rows, int64_t first, int64_t count,
    const struct prices *prices)
{
    struct moves moves;
    if (weights->single && !weights->each)
        find_ahead(moves.ahead, levels, weights, 1, 0, first, count);
    else
        find_ahead(
            moves.ahead, levels, weights, weights->single != NULL, weights->each, first, count);
    if (halves)
        find_outward(&moves, levels + first, halves + first, rows + first, count, prices);
    else
        find_outward(&moves, levels + first, NULL, rows + first, count, prices);
    for (int64_t k = 0; k < count; k++)
        moves.saved[k] = prices->price[moves.entry[k]];
    for (int64_t k = 0; k < count; k++) {
        int32_t out = moves.outward[k];
        moved[first + k] = levels[first + k]
            - ((float)out * moves.ahead[k] > 0.5f - moves.saved[k] ? out : 0);
    }
}

void move_levels(int32_t *moved, const int32_t *levels, const int64_t *halves,
    const struct weights *weights, const uint8_t *rows, int64_t count,
    const struct prices *prices)
{
    if (!prices->rows && moved != levels)
        memcpy(moved, levels, sizeof *moved * (size_t)count);
    for (int64_t i = 0; i < count && prices->rows; i += TOGETHER)
        move_some(moved, levels, halves, weights, rows, i,
            count - i < TOGETHER ? count - i : TOGETHER, prices);
}
