#include "nearest.h"

#include "clones.h"

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { SUMS = 8 };

/* A NaN is at the lower bound. */
INLINE double bounded(double place)
{
    place = place > -MAX_NEAREST ? place : -MAX_NEAREST;
    return place < MAX_NEAREST ? place : MAX_NEAREST;
}

INLINE double number_at(const struct weights *weights, int is_single, int64_t i)
{
    return (is_single ? (double)weights->single[i] : weights->numbers[i]) - weights->offset;
}

/* Loops are made for each kind of number, and for one size, where `each` is known to be 0. */
INLINE void find(int32_t *restrict levels, const struct weights *weights, int is_single,
    int64_t each, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double number = number_at(weights, is_single, i);
        levels[i] = (int32_t)nearest_integer(bounded(number / weights->sizes[each * i]));
    }
}

FOR_EVERY_WIDTH void find_nearest(int32_t *levels, const struct weights *weights, int64_t count)
{
    if (weights->single && !weights->each)
        find(levels, weights, 1, 0, count);
    else if (weights->single)
        find(levels, weights, 1, 1, count);
    else
        find(levels, weights, 0, weights->each, count);
}

INLINE double square(const int32_t *levels, const struct weights *weights, int is_single,
    int64_t each, int64_t i)
{
    double number = number_at(weights, is_single, i), size = weights->sizes[each * i];
    double level = levels ? (double)levels[i] : nearest_integer(bounded(number / size));
    double error = number - level * size;
    return error * error;
}

INLINE double sum(const int32_t *levels, const struct weights *weights, int is_single,
    int64_t each, int64_t count)
{
    double sums[SUMS] = { 0 }, total = 0;
    int64_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (int k = 0; k < SUMS; k++)
            sums[k] += square(levels, weights, is_single, each, i + k);
    for (int k = 0; i < count; i++, k++)
        sums[k] += square(levels, weights, is_single, each, i);
    for (int k = 0; k < SUMS; k++)
        total += sums[k];
    return total;
}

FOR_EVERY_WIDTH double sum_squares(const int32_t *levels, const struct weights *weights, int64_t count)
{
    if (!weights->single)
        return sum(levels, weights, 0, weights->each, count);
    if (weights->each)
        return sum(levels, weights, 1, 1, count);
    return levels ? sum(levels, weights, 1, 0, count) : sum(NULL, weights, 1, 0, count);
}

INLINE double distance(const float *one, const float *other, int64_t i)
{
    double error = (double)one[i] - (double)other[i];
    return error * error;
}

FOR_EVERY_WIDTH double sum_distances(const float *one, const float *other, int64_t count)
{
    double sums[SUMS] = { 0 }, total = 0;
    int64_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (int k = 0; k < SUMS; k++)
            sums[k] += distance(one, other, i + k);
    for (int k = 0; i < count; i++, k++)
        sums[k] += distance(one, other, i);
    for (int k = 0; k < SUMS; k++)
        total += sums[k];
    return total;
}
