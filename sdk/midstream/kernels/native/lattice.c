/* The cheapest points of the lattice near weights. Knows nothing of tables (spec/coding.md, "Lattice"). */
#include "thrift.h"

#include <string.h>

#include "points.h"
#include "prediction.h"

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { TOGETHER = 32, KEPT = 2 * BLOCK };

/* So many points while they are looked for: loops over them have no branches. By coordinate and
 * phase at first, by codeword in the end. */
struct sums {
    float price[KEPT][TOGETHER], least[KEPT][TOGETHER]; /* that turning one number costs */
    int32_t sum[KEPT][TOGETHER]; /* of numbers; what overflows does not matter */
};

/* Where points are, in steps, and what is known of them. */
struct near {
    double place[BLOCK][TOGETHER];
    int32_t expected[BLOCK][TOGETHER]; /* in quarters of a step */
    uint8_t row[BLOCK][TOGETHER];
    int32_t turn[KEPT][TOGETHER]; /* which way each number turns */
};

INLINE double bounded(double place)
{
    place = place > -MOST_STEPS ? place : -MOST_STEPS;
    return place < MOST_STEPS ? place : MOST_STEPS;
}

INLINE double place_of(const struct weights *weights, int is_single, int64_t each, int64_t i)
{
    double number = is_single ? (double)weights->single[i] : weights->numbers[i];
    return bounded((number - weights->offset) / weights->sizes[each * i]);
}

/* The greatest integer that is not above a number far below 2^51. */
INLINE double below(double number)
{
    double near = nearest_integer(number);
    return near - (near > number ? 1.0 : 0.0);
}

INLINE void read_some(struct near *near, const struct weights *weights, const uint8_t *rows,
    const int64_t *halves, int64_t first, int64_t points, int64_t some)
{
    const int is_plain = weights->single && !weights->each;
    for (int k = 0; k < BLOCK; k++) {
        const int64_t at = k * points + first;
        if (is_plain && some == TOGETHER)
            for (int i = 0; i < TOGETHER; i++)
                near->place[k][i] = place_of(weights, 1, 0, at + i);
        else
            for (int64_t i = 0; i < some; i++)
                near->place[k][i] = place_of(weights, weights->single != NULL, weights->each, at + i);
        memcpy(near->row[k], rows + at, (size_t)some);
        if (halves && some == TOGETHER)
            for (int i = 0; i < TOGETHER; i++)
                near->expected[k][i] = (int32_t)clamp(halves[at + i], MOST_STEPS);
        else
            for (int64_t i = 0; i < some; i++)
                near->expected[k][i] = halves ? (int32_t)clamp(halves[at + i], MOST_STEPS) : 0;
    }
}

/* What the numbers below and above cost where so much is expected. */
INLINE void find_prices(float low_price[TOGETHER], float high_price[TOGETHER], const struct near *near,
    const int32_t low[TOGETHER], int k, int odd, const struct prices *prices)
{
    const int32_t reach = (int32_t)prices->reach, numbers = (int32_t)prices->numbers;
    const int32_t rows = (int32_t)prices->rows;
    int32_t entry[TOGETHER];
    float pair[TOGETHER][2];
    for (int i = 0; i < TOGETHER; i++) {
        int32_t quarters = near->expected[k][i] + 2 * odd, ahead = low[i] - (quarters >> 2);
        ahead = ahead < -reach ? -reach : ahead;
        ahead = ahead > reach ? reach : ahead;
        entry[i] = ((quarters & 3) * rows + near->row[k][i]) * numbers + ahead + reach + odd;
    }
    for (int i = 0; i < TOGETHER; i++)
        memcpy(pair[i], prices->price + entry[i], sizeof pair[i]);
    for (int i = 0; i < TOGETHER; i++) {
        low_price[i] = pair[i][0];
        high_price[i] = pair[i][1];
    }
}

/* What is cheaper for a coordinate of all in a phase: down or up. */
INLINE void choose(
    struct near *near, struct sums *sums, int k, int odd, const struct prices *prices)
{
    double lower[TOGETHER], rest[TOGETHER];
    float part[TOGETHER], low_price[TOGETHER], high_price[TOGETHER];
    int32_t low[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        double place = near->place[k][i] - odd * 0.5;
        lower[i] = below(place);
        rest[i] = place - lower[i];
    }
    for (int i = 0; i < TOGETHER; i++)
        low[i] = (int32_t)lower[i];
    for (int i = 0; i < TOGETHER; i++)
        part[i] = (float)rest[i];
    find_prices(low_price, high_price, near, low, k, odd, prices);
    for (int i = 0; i < TOGETHER; i++) {
        float below_it = part[i] * part[i] + low_price[i];
        float above_it = (1 - part[i]) * (1 - part[i]) + high_price[i];
        int32_t up = above_it < below_it;
        sums->sum[2 * k + odd][i] = low[i] + up;
        near->turn[2 * k + odd][i] = 1 - 2 * up;
        sums->least[2 * k + odd][i] = fabsf(above_it - below_it);
        sums->price[2 * k + odd][i] = above_it < below_it ? above_it : below_it;
    }
}

/* The sums of a codeword from those of its halves. */
INLINE void add_halves(struct sums *out, int to, const struct sums *sums, int one, int other)
{
    for (int i = 0; i < TOGETHER; i++) {
        float least = sums->least[one][i], least_other = sums->least[other][i];
        out->price[to][i] = sums->price[one][i] + sums->price[other][i];
        out->sum[to][i] = (int32_t)((uint32_t)sums->sum[one][i] + (uint32_t)sums->sum[other][i]);
        out->least[to][i] = least_other < least ? least_other : least;
    }
}

/* Twice as many codewords of twice as many coordinates: in their upper half they are what they
 * are in the lower one, or its opposite, which is the codeword beside it. */
INLINE void double_codewords(struct sums *out, const struct sums *sums, const int codewords)
{
    for (int first = 0; first < KEPT; first += 2 * codewords)
        for (int word = 0; word < codewords; word++) {
            int other = first + codewords + word;
            add_halves(out, first + word, sums, first + word, other);
            add_halves(out, first + codewords + word, sums, first + word, other ^ 1);
        }
}

/* The cheapest codeword of each point, and what turning a number costs there; -1 where none is. */
INLINE void find_cheapest(const struct sums *sums, int32_t words[TOGETHER], float turned[TOGETHER])
{
    float least[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        words[i] = 0;
        turned[i] = -1;
        least[i] = INFINITY;
    }
    for (int word = 0; word < KEPT; word++)
        for (int i = 0; i < TOGETHER; i++) {
            int is_uneven = sums->sum[word][i] & 1;
            float turn = sums->least[word][i];
            float price = sums->price[word][i] + (is_uneven ? turn : 0);
            turn = is_uneven ? turn : -1;
            turned[i] = price < least[i] ? turn : turned[i];
            words[i] = price < least[i] ? word : words[i];
            least[i] = price < least[i] ? price : least[i];
        }
}

/* Levels of the codewords; the first number that costs so much is turned, or none. */
INLINE void put_points(int32_t levels[BLOCK][TOGETHER], const struct near *near,
    const struct sums *sums, const int32_t words[TOGETHER], float turned[TOGETHER])
{
    uint32_t odds[TOGETHER];
    for (int i = 0; i < TOGETHER; i++)
        odds[i] = codewords[words[i]];
    for (int k = 0; k < BLOCK; k++)
        for (int i = 0; i < TOGETHER; i++) {
            int32_t odd = odds[i] >> k & 1;
            int32_t number = odd ? sums->sum[2 * k + 1][i] : sums->sum[2 * k][i];
            int32_t turn = odd ? near->turn[2 * k + 1][i] : near->turn[2 * k][i];
            float gap = odd ? sums->least[2 * k + 1][i] : sums->least[2 * k][i];
            int is_turned = gap == turned[i];
            levels[k][i] = 2 * (number + (is_turned ? turn : 0)) + odd;
            turned[i] = is_turned ? -1 : turned[i];
        }
}

/* Points from `first` on, at most TOGETHER of them; the others are what they were. */
INLINE void find_some(int32_t *levels, struct near *near, const struct weights *weights,
    const uint8_t *rows, const int64_t *halves, int64_t first, int64_t points,
    const struct prices *prices)
{
    struct sums each, sums, others;
    float turned[TOGETHER];
    int32_t words[TOGETHER], found[BLOCK][TOGETHER];
    int64_t some = points - first < TOGETHER ? points - first : TOGETHER;
    read_some(near, weights, rows, halves, first, points, some);
    for (int k = 0; k < BLOCK; k++)
        for (int odd = 0; odd < 2; odd++)
            choose(near, &each, k, odd, prices);
    double_codewords(&others, &each, 2);
    double_codewords(&sums, &others, 4);
    double_codewords(&others, &sums, 8);
    double_codewords(&sums, &others, 16);
    find_cheapest(&sums, words, turned);
    put_points(found, near, &each, words, turned);
    for (int k = 0; k < BLOCK; k++)
        memcpy(levels + k * points + first, found[k], sizeof(int32_t) * (size_t)some);
}

INLINE void find_all(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    const int64_t *halves, int64_t count, const struct prices *prices)
{
    struct near near;
    int64_t points = count / BLOCK;
    memset(&near, 0, sizeof near);
    for (int64_t i = 0; i < points; i += TOGETHER)
        find_some(levels, &near, weights, rows, halves, i, points, prices);
    for (int64_t i = BLOCK * points; i < count; i++)
        levels[i] = 2
            * (int32_t)nearest_integer(
                place_of(weights, weights->single != NULL, weights->each, i));
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same code, and so the same results, for processors with vectors of 32 bytes. */
__attribute__((target("avx2"))) static void find_all_wide(int32_t *levels,
    const struct weights *weights, const uint8_t *rows, const int64_t *halves, int64_t count,
    const struct prices *prices)
{
    find_all(levels, weights, rows, halves, count, prices);
}
#define HAS_WIDE __builtin_cpu_supports("avx2")
#else
#define find_all_wide find_all
#define HAS_WIDE 0
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
/* And of 64. */
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512"))) static void
find_all_wider(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    const int64_t *halves, int64_t count, const struct prices *prices)
{
    find_all(levels, weights, rows, halves, count, prices);
}
#define HAS_WIDER \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") \
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#else
#define find_all_wider find_all
#define HAS_WIDER 0
#endif

void find_points(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    const int64_t *halves, int64_t count, const struct prices *prices)
{
    if (HAS_WIDER)
        find_all_wider(levels, weights, rows, halves, count, prices);
    else if (HAS_WIDE)
        find_all_wide(levels, weights, rows, halves, count, prices);
    else
        find_all(levels, weights, rows, halves, count, prices);
}
