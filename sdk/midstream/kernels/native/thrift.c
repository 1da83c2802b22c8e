#include "thrift.h"

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

INLINE double place_of(const struct weights *weights, int64_t i)
{
    double number = weights->single ? (double)weights->single[i] : weights->numbers[i];
    return (number - weights->offset) / weights->sizes[weights->each * i];
}

void move_levels(int32_t *moved, const int32_t *levels, const int64_t *halves,
    const struct weights *weights, const uint8_t *rows, int64_t count,
    const struct prices *prices)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t half = halves ? halves[i] : 0, phase = half & 1;
        int64_t residual = levels[i] - (half >> 1);
        moved[i] = levels[i];
        if (residual < -prices->reach || residual > prices->reach || rows[i] >= prices->rows)
            continue;
        int64_t ahead = 2 * residual - phase, outward = (ahead > 0) - (ahead < 0);
        int64_t row = phase * prices->rows + rows[i];
        double saved = prices->price[row * prices->numbers + residual + prices->reach];
        if ((double)outward * (levels[i] - place_of(weights, i)) > 0.5 - saved)
            moved[i] = (int32_t)(levels[i] - outward);
    }
}

INLINE double bounded(double place)
{
    place = place > -MOST_STEPS ? place : -MOST_STEPS;
    return place < MOST_STEPS ? place : MOST_STEPS;
}

/* The greatest integer that is not above a number far below 2^51. */
INLINE double below(double number)
{
    double near = nearest_integer(number);
    return near > number ? near - 1 : near;
}

enum { TOGETHER = 16 };

/* So many points while they are looked for: loops over them have no branches. */
struct points {
    double chosen[BLOCK][TOGETHER];
    double price[TOGETHER], sum[TOGETHER];
    double least[TOGETHER], worst[TOGETHER], turn[TOGETHER]; /* of turning one the other way */
};

/* The next coordinate of all, and what is cheaper for it: down or up. */
INLINE void add_coordinate(struct points *points, const double places[TOGETHER],
    const uint8_t rows[TOGETHER], int k, int odd, const struct prices *prices)
{
    double part[TOGETHER], down[TOGETHER], up[TOGETHER];
    int32_t near[TOGETHER];
    double reach = (double)prices->reach;
    for (int i = 0; i < TOGETHER; i++) {
        double place = places[i] - odd * 0.5, low = below(place);
        double inside = low < -reach ? -reach : low;
        part[i] = place - low;
        near[i] = (int32_t)(inside > reach ? reach : inside);
        points->chosen[k][i] = low;
    }
    const double *first = prices->price + odd * prices->rows * prices->numbers;
    for (int i = 0; i < TOGETHER; i++) {
        const double *price = first + rows[i] * prices->numbers + near[i] + prices->reach + odd;
        down[i] = price[0];
        up[i] = price[1];
    }
    for (int i = 0; i < TOGETHER; i++) {
        double below_it = part[i] * part[i] + down[i];
        double above_it = (1 - part[i]) * (1 - part[i]) + up[i];
        double step = above_it < below_it ? 1 : 0, gap = fabs(above_it - below_it);
        points->chosen[k][i] += step;
        points->sum[i] += points->chosen[k][i];
        points->price[i] += above_it < below_it ? above_it : below_it;
        points->worst[i] = gap < points->least[i] ? k : points->worst[i];
        points->turn[i] = gap < points->least[i] ? 1 - 2 * step : points->turn[i];
        points->least[i] = gap < points->least[i] ? gap : points->least[i];
    }
}

/* The cheapest points of a coset: all whole, or all a half off. */
INLINE void find_cheapest(struct points *points, const double places[BLOCK][TOGETHER],
    const uint8_t rows[BLOCK][TOGETHER], int odd, const struct prices *prices)
{
    for (int i = 0; i < TOGETHER; i++) {
        points->price[i] = points->sum[i] = points->worst[i] = points->turn[i] = 0;
        points->least[i] = INFINITY;
    }
    for (int k = 0; k < BLOCK; k++)
        add_coordinate(points, places[k], rows[k], k, odd, prices);
    for (int i = 0; i < TOGETHER; i++)
        if ((int64_t)points->sum[i] & 1) {
            points->chosen[(int)points->worst[i]][i] += points->turn[i];
            points->price[i] += points->least[i];
        }
}

/* Points from `first` on, at most TOGETHER of them. */
INLINE void find_some(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    int64_t first, int64_t points, const struct prices *prices)
{
    double places[BLOCK][TOGETHER] = { { 0 } };
    uint8_t own[BLOCK][TOGETHER] = { { 0 } };
    struct points whole, half;
    int64_t some = points - first < TOGETHER ? points - first : TOGETHER;
    for (int k = 0; k < BLOCK; k++)
        for (int64_t i = 0; i < some; i++) {
            places[k][i] = bounded(place_of(weights, k * points + first + i));
            own[k][i] = rows[k * points + first + i];
        }
    find_cheapest(&whole, places, own, 0, prices);
    find_cheapest(&half, places, own, 1, prices);
    for (int k = 0; k < BLOCK; k++)
        for (int64_t i = 0; i < some; i++) {
            int odd = half.price[i] < whole.price[i];
            double chosen = odd ? half.chosen[k][i] : whole.chosen[k][i];
            levels[k * points + first + i] = 2 * (int32_t)chosen + odd;
        }
}

INLINE void find_all(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    int64_t count, const struct prices *prices)
{
    int64_t points = count / BLOCK;
    for (int64_t i = 0; i < points; i += TOGETHER)
        find_some(levels, weights, rows, i, points, prices);
    for (int64_t i = BLOCK * points; i < count; i++)
        levels[i] = 2 * (int32_t)nearest_integer(bounded(place_of(weights, i)));
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same code, and so the same results, for processors that do four numbers at a time. */
__attribute__((target("avx2"))) static void find_all_wide(int32_t *levels,
    const struct weights *weights, const uint8_t *rows, int64_t count, const struct prices *prices)
{
    find_all(levels, weights, rows, count, prices);
}
#define HAS_WIDE __builtin_cpu_supports("avx2")
#else
#define find_all_wide find_all
#define HAS_WIDE 0
#endif

void find_points(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    int64_t count, const struct prices *prices)
{
    if (HAS_WIDE)
        find_all_wide(levels, weights, rows, count, prices);
    else
        find_all(levels, weights, rows, count, prices);
}
