#include "thrift.h"

static double place_of(const struct weights *weights, int64_t i)
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

/* A point while it is looked for. */
struct point {
    double chosen[BLOCK];
    double price;
};

static double bounded(double place)
{
    place = place > -MOST_STEPS ? place : -MOST_STEPS;
    return place < MOST_STEPS ? place : MOST_STEPS;
}

/* The greatest integer that is not above a number far below 2^51. */
static double below(double number)
{
    double near = nearest_integer(number);
    return near > number ? near - 1 : near;
}

/* The cheapest point of a coset: all whole, or all a half off. */
static struct point cheapest(
    const double places[BLOCK], const uint8_t rows[BLOCK], int odd, const struct prices *prices)
{
    struct point point = { .price = 0 };
    double least = INFINITY, turn = 0;
    int64_t sum = 0, worst = 0;
    for (int64_t k = 0; k < BLOCK; k++) {
        double place = places[k] - odd * 0.5, low = below(place), part = place - low;
        double near = low < -prices->reach ? -prices->reach : low;
        near = near > prices->reach ? prices->reach : near;
        int64_t row = odd * prices->rows + rows[k];
        const double *price
            = prices->price + row * prices->numbers + (int64_t)near + prices->reach + odd;
        double down = part * part + price[0], up = (1 - part) * (1 - part) + price[1];
        int is_up = up < down;
        double gap = fabs(up - down);
        point.chosen[k] = low + is_up;
        point.price += is_up ? up : down;
        sum += (int64_t)point.chosen[k];
        if (gap < least) {
            least = gap;
            worst = k;
            turn = is_up ? -1 : 1;
        }
    }
    if (sum & 1) {
        point.chosen[worst] += turn;
        point.price += least;
    }
    return point;
}

void find_points(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    int64_t count, const struct prices *prices)
{
    int64_t points = count / BLOCK;
    for (int64_t i = 0; i < points; i++) {
        double places[BLOCK];
        uint8_t own[BLOCK];
        for (int64_t k = 0; k < BLOCK; k++) {
            places[k] = bounded(place_of(weights, k * points + i));
            own[k] = rows[k * points + i];
        }
        struct point whole = cheapest(places, own, 0, prices);
        struct point half = cheapest(places, own, 1, prices);
        int odd = half.price < whole.price;
        const double *chosen = odd ? half.chosen : whole.chosen;
        for (int64_t k = 0; k < BLOCK; k++)
            levels[k * points + i] = 2 * (int32_t)chosen[k] + odd;
    }
    for (int64_t i = BLOCK * points; i < count; i++)
        levels[i] = 2 * (int32_t)nearest_integer(bounded(place_of(weights, i)));
}
