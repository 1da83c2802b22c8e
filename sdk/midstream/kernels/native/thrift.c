#include "thrift.h"

#include "clones.h"
#include "prediction.h"

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

enum { AHEAD = 256 };

INLINE void find_ahead(double *ahead, const int32_t *levels, const struct weights *weights,
    int is_single, int64_t each, int64_t first, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        int64_t i = first + k;
        double number = is_single ? (double)weights->single[i] : weights->numbers[i];
        ahead[k] = levels[i] - (number - weights->offset) / weights->sizes[each * i];
    }
}

/* How far levels are ahead of their weights, in steps. */
FOR_EVERY_WIDTH static void look_ahead(double *ahead, const int32_t *levels,
    const struct weights *weights, int64_t first, int64_t count)
{
    if (weights->single && !weights->each)
        find_ahead(ahead, levels, weights, 1, 0, first, count);
    else
        find_ahead(ahead, levels, weights, weights->single != NULL, weights->each, first, count);
}

/* A level, moved or not. */
INLINE int32_t moved_level(
    int32_t level, int64_t half, double ahead, int64_t own, const struct prices *prices)
{
    int64_t phase = half & 1, residual = level - (half >> 1);
    if (residual < -prices->reach || residual > prices->reach || own >= prices->rows)
        return level;
    int64_t twice = 2 * residual - phase, outward = (twice > 0) - (twice < 0);
    int64_t row = phase * prices->rows + own;
    double saved = prices->price[row * prices->numbers + residual + prices->reach];
    return (double)outward * ahead > 0.5 - saved ? (int32_t)(level - outward) : level;
}

void move_levels(int32_t *moved, const int32_t *levels, const int64_t *halves,
    const struct weights *weights, const uint8_t *rows, int64_t count,
    const struct prices *prices)
{
    double ahead[AHEAD];
    for (int64_t first = 0; first < count; first += AHEAD) {
        int64_t some = count - first < AHEAD ? count - first : AHEAD;
        look_ahead(ahead, levels, weights, first, some);
        for (int64_t k = 0; k < some; k++) {
            int64_t i = first + k, half = halves ? halves[i] : 0;
            moved[i] = moved_level(levels[i], half, ahead[k], rows[i], prices);
        }
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

enum { TOGETHER = 16, KEPT = 2 * BLOCK };

/* So many points while they are looked for: loops over them have no branches. */
struct sums {
    double price[KEPT][TOGETHER], sum[KEPT][TOGETHER];
    double least[KEPT][TOGETHER]; /* that turning one coordinate the other way costs */
};

/* What each coordinate would be in either phase. */
struct phases {
    double chosen[BLOCK][2][TOGETHER];
    double gap[BLOCK][2][TOGETHER]; /* what turning it the other way costs */
    double turn[BLOCK][2][TOGETHER];
};

/* What is cheaper for a coordinate of all in a phase: down or up. */
INLINE void choose(struct phases *phases, struct sums *sums, const double places[TOGETHER],
    const uint8_t rows[TOGETHER], const int64_t halves[TOGETHER], int k, int odd,
    const struct prices *prices)
{
    double part[TOGETHER], low[TOGETHER], down[TOGETHER], up[TOGETHER];
    int32_t near[TOGETHER];
    double reach = (double)prices->reach;
    for (int i = 0; i < TOGETHER; i++) {
        double place = places[i] - odd * 0.5;
        low[i] = below(place);
        double ahead = low[i] - (double)((int32_t)(halves[i] + 2 * odd) >> 2);
        double inside = ahead < -reach ? -reach : ahead;
        part[i] = place - low[i];
        near[i] = (int32_t)(inside > reach ? reach : inside);
    }
    for (int i = 0; i < TOGETHER; i++) {
        int64_t row = ((halves[i] + 2 * odd) & 3) * prices->rows + rows[i];
        const double *price = prices->price + row * prices->numbers + near[i] + prices->reach + odd;
        down[i] = price[0];
        up[i] = price[1];
    }
    for (int i = 0; i < TOGETHER; i++) {
        double below_it = part[i] * part[i] + down[i];
        double above_it = (1 - part[i]) * (1 - part[i]) + up[i];
        double step = above_it < below_it ? 1 : 0;
        phases->chosen[k][odd][i] = sums->sum[2 * k + odd][i] = low[i] + step;
        phases->turn[k][odd][i] = 1 - 2 * step;
        phases->gap[k][odd][i] = sums->least[2 * k + odd][i] = fabs(above_it - below_it);
        sums->price[2 * k + odd][i] = above_it < below_it ? above_it : below_it;
    }
}

/* The sums of a codeword from those of its halves. */
INLINE void add_halves(struct sums *out, int to, const struct sums *sums, int one, int other)
{
    for (int i = 0; i < TOGETHER; i++) {
        double least = sums->least[one][i], least_other = sums->least[other][i];
        out->price[to][i] = sums->price[one][i] + sums->price[other][i];
        out->sum[to][i] = sums->sum[one][i] + sums->sum[other][i];
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

/* The cheapest codeword of each point, and what turns a coordinate, or -1 where none need be. */
INLINE void find_cheapest(
    const struct sums *sums, double codewords[TOGETHER], double turned[TOGETHER])
{
    double least[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        codewords[i] = 0;
        turned[i] = -1;
        least[i] = INFINITY;
    }
    for (int word = 0; word < KEPT; word++)
        for (int i = 0; i < TOGETHER; i++) {
            double half = sums->sum[word][i] * 0.5, turn = sums->least[word][i];
            double rest = fabs(half - nearest_integer(half)); /* 0 where the sum is even, else 1/2 */
            double price = sums->price[word][i] + 2 * rest * turn, own = rest > 0 ? turn : -1;
            turned[i] = price < least[i] ? own : turned[i];
            codewords[i] = price < least[i] ? (double)word : codewords[i];
            least[i] = price < least[i] ? price : least[i];
        }
}

static inline int phase_of(int codeword, int k)
{
    int chosen = codeword >> 1 & k;
    return (codeword ^ chosen ^ chosen >> 1 ^ chosen >> 2 ^ chosen >> 3) & 1;
}

/* The levels of one point; a coordinate that costs so much is turned, or none. */
INLINE void put_point(int32_t *levels, int64_t points, const struct phases *phases, int64_t i,
    int codeword, double turned)
{
    for (int k = 0; k < BLOCK; k++) {
        int odd = phase_of(codeword, k);
        double chosen = phases->chosen[k][odd][i];
        if (phases->gap[k][odd][i] == turned) {
            chosen += phases->turn[k][odd][i];
            turned = -1;
        }
        levels[k * points] = 2 * (int32_t)chosen + odd;
    }
}

/* Points from `first` on, at most TOGETHER of them. */
INLINE void find_some(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    const int64_t *halves, int64_t first, int64_t points, const struct prices *prices)
{
    struct phases phases;
    struct sums sums, others;
    double turned[TOGETHER];
    double codewords[TOGETHER];
    int64_t some = points - first < TOGETHER ? points - first : TOGETHER;
    for (int k = 0; k < BLOCK; k++) {
        double places[TOGETHER] = { 0 };
        uint8_t own[TOGETHER] = { 0 };
        int64_t expected[TOGETHER] = { 0 };
        for (int64_t i = 0; i < some; i++) {
            places[i] = bounded(place_of(weights, k * points + first + i));
            own[i] = rows[k * points + first + i];
            expected[i] = halves ? clamp(halves[k * points + first + i], MOST_STEPS) : 0;
        }
        for (int odd = 0; odd < 2; odd++)
            choose(&phases, &sums, places, own, expected, k, odd, prices);
    }
    double_codewords(&others, &sums, 2);
    double_codewords(&sums, &others, 4);
    double_codewords(&others, &sums, 8);
    double_codewords(&sums, &others, 16);
    find_cheapest(&sums, codewords, turned);
    for (int64_t i = 0; i < some; i++)
        put_point(levels + first + i, points, &phases, i, (int)codewords[i], turned[i]);
}

INLINE void find_all(int32_t *levels, const struct weights *weights, const uint8_t *rows,
    const int64_t *halves, int64_t count, const struct prices *prices)
{
    int64_t points = count / BLOCK;
    for (int64_t i = 0; i < points; i += TOGETHER)
        find_some(levels, weights, rows, halves, i, points, prices);
    for (int64_t i = BLOCK * points; i < count; i++)
        levels[i] = 2 * (int32_t)nearest_integer(bounded(place_of(weights, i)));
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same code, and so the same results, for processors that do four numbers at a time. */
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
/* And eight. */
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
