#include "windows.h"

#include <math.h>

#include "histograms.h"

#define PIECE (1 << 15) /* weights, of which twice as many cannot overflow 32 bits */
#define MOST_TURNS 12
#define MOVE (FIT_WINDOW - 2)
#define LEAST_QUARTERS (-40)
#define MOST_QUARTERS 80
#define FARTHEST_BELOW (-4) /* of a first window: rows of zeros do not say how narrow they are */
#define OF_ONE 14 /* the width of levels whose mean magnitude is 1, about */

INLINE void add_costs(uint32_t *restrict sums, const uint16_t *restrict costs)
{
    for (int j = 0; j < FIT_WINDOW; j++)
        sums[j] += costs[j];
}

/* Part of a run whose weights are on one place each of the axis. */
static void add_along(struct fit *fit, const uint8_t *classes, int64_t place, int64_t count,
    int64_t shift, const uint16_t *costs)
{
    for (int64_t i = 0; i < count; i++, place += (int64_t)1 << fit->thin)
        if (fit->is_open[place])
            add_costs(fit->sums + FIT_WINDOW * place,
                costs_at(costs, classes[i], fit->starts[place] + shift));
}

/* Part of a run that is on one place of the axis; `deltas` is of the axis that it is along. */
static void add_across(uint32_t *sums, const uint8_t *classes, const int8_t *deltas, int64_t count,
    int thin, int64_t width, const uint16_t *costs)
{
    uint32_t own[FIT_WINDOW] = { 0 };
    if (deltas) {
        for (int64_t i = 0; i < count; i++)
            add_costs(own, costs_at(costs, classes[i], width + deltas[i << thin]));
    } else {
        const uint16_t *first = costs_at(costs, 0, width);
        for (int64_t i = 0; i < count; i++)
            add_costs(own, first + classes[i] * FIT_ROW);
    }
    for (int j = 0; j < FIT_WINDOW; j++)
        sums[j] += own[j];
}

#if HAS_WIDE
/* Eight costs as sums. Compilers do not find these vectors by themselves. */
static inline __attribute__((always_inline)) WIDE __m256i eight(const uint16_t *costs)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)costs));
}

/* The same, eight sums at a time. */
WIDE static void add_along_wide(struct fit *fit, const uint8_t *classes, int64_t place,
    int64_t count, int64_t shift, const uint16_t *costs)
{
    const int64_t next = (int64_t)1 << fit->thin;
    for (int64_t i = 0; i < count; i++, place += next) {
        if (!fit->is_open[place])
            continue;
        const uint16_t *own = costs_at(costs, classes[i], fit->starts[place] + shift);
        __m256i *sums = (__m256i *)(fit->sums + FIT_WINDOW * place);
        for (int k = 0; k < FIT_WINDOW / 8; k++)
            _mm256_storeu_si256(
                sums + k, _mm256_add_epi32(_mm256_loadu_si256(sums + k), eight(own + 8 * k)));
    }
}

WIDE static void add_across_wide(uint32_t *sums, const uint8_t *classes, const int8_t *deltas,
    int64_t count, int thin, int64_t width, const uint16_t *costs)
{
    __m256i low = _mm256_loadu_si256((__m256i *)sums);
    __m256i high = _mm256_loadu_si256((__m256i *)(sums + 8));
    const uint16_t *first = costs_at(costs, 0, width);
    for (int64_t i = 0; i < count; i++) {
        const uint16_t *own = deltas ? costs_at(costs, classes[i], width + deltas[i << thin])
                                     : first + classes[i] * FIT_ROW;
        low = _mm256_add_epi32(low, eight(own));
        high = _mm256_add_epi32(high, eight(own + 8));
    }
    _mm256_storeu_si256((__m256i *)sums, low);
    _mm256_storeu_si256((__m256i *)(sums + 8), high);
}
#else
#define add_along_wide add_along
#define add_across_wide add_across
#endif

static void add_run(struct fit *fit, const struct walk *walk, const uint8_t *classes,
    int64_t first, int64_t count, int64_t a)
{
    int64_t along = fit->dims[fit->dim_count - 1].axis;
    int64_t place = walk->at[a], shift = shift_of(fit, walk, a, along);
    const uint16_t *costs = fit->costs + fit->shape * FIT_CLASSES * FIT_ROW;
    const struct fit_axis *axis = &fit->axes[along];
    if (along == a) {
        (IS_WIDE ? add_along_wide : add_along)(fit, classes, place + first, count, shift, costs);
    } else if (fit->is_open[place]) {
        const int8_t *deltas = axis->is_used ? axis->deltas + walk->at[along] + first : NULL;
        (IS_WIDE ? add_across_wide : add_across)(fit->sums + FIT_WINDOW * place, classes, deltas,
            count, fit->thin, fit->starts[place] + shift, costs);
    }
}

/* Add sums to totals, each weight as many as it stands for, and begin anew. */
static void flush(struct fit *fit, int64_t size)
{
    for (int64_t k = 0; k < FIT_WINDOW * size; k++)
        fit->totals[k] += (int64_t)fit->sums[k] << fit->thin;
    memset(fit->sums, 0, sizeof(uint32_t) * FIT_WINDOW * (size_t)size);
}

/* Bits of each place that is open, at the widths of its window. */
static void add_weights(struct fit *fit, int64_t a)
{
    struct walk walk = { { 0 }, { 0 }, 0 };
    int64_t length = fit->dims[fit->dim_count - 1].size, seen = 0;
    int may_overflow = fit->count / fit->axes[a].size > 2 * PIECE;
    const uint8_t *classes = fit->classes;
    do {
        int64_t first = first_seen(fit, walk.run), some = seen_from(fit, first, length);
        for (int64_t i = 0, count; i < some; i += count) {
            count = some - i < PIECE ? some - i : PIECE;
            add_run(fit, &walk, classes + i, first + (i << fit->thin), count, a);
            seen += count;
            if (may_overflow && seen > PIECE) {
                flush(fit, fit->axes[a].size);
                seen = 0;
            }
        }
        classes += some;
    } while (next_run(&walk, fit));
    flush(fit, fit->axes[a].size);
}

int64_t cheapest(const struct fit *fit, const struct fit_axis *axis, int64_t place)
{
    const int64_t *totals = fit->totals + FIT_WINDOW * place;
    const uint16_t *sent = fit->sent + axis->spread * FIT_DELTAS + FIT_MARGIN;
    int64_t first = fit->starts[place] - fit->width, best = first < -FIT_MARGIN ? FIT_WINDOW - 1 : 0;
    int64_t least = INT64_MAX;
    if (first >= -FIT_MARGIN && first + FIT_WINDOW - 1 <= FIT_MARGIN) {
        for (int64_t j = 0; j < FIT_WINDOW; j++) {
            int64_t bits = totals[j] + sent[first + j];
            best = bits < least ? j : best;
            least = bits < least ? bits : least;
        }
        return best;
    }
    for (int64_t j = 0; j < FIT_WINDOW; j++) {
        int64_t delta = first + j;
        if (delta < -FIT_MARGIN || delta > FIT_MARGIN || totals[j] + sent[delta] >= least)
            continue;
        best = j;
        least = totals[j] + sent[delta];
    }
    return best;
}

/* Move a place's window on where its cheapest width is at an end; whether it was moved. */
static int move_window(struct fit *fit, int64_t place, int64_t best)
{
    int64_t start = fit->starts[place], first = start - fit->width;
    if (best == 0)
        start = fit->width + bounded(first - MOVE, -FIT_MARGIN, FIT_MARGIN + 1 - FIT_WINDOW);
    else if (best == FIT_WINDOW - 1)
        start = fit->width + bounded(first + MOVE, -FIT_MARGIN, FIT_MARGIN + 1 - FIT_WINDOW);
    if (start == fit->starts[place])
        return 0;
    fit->starts[place] = (int32_t)start;
    memset(fit->totals + FIT_WINDOW * place, 0, sizeof(int64_t) * FIT_WINDOW);
    return 1;
}

/* Move the windows of open places until the cheapest widths are inside; then these are closed. */
static void settle(struct fit *fit, int64_t a)
{
    struct fit_axis *axis = &fit->axes[a];
    int64_t open = 0;
    for (int64_t i = 0; i < axis->size; i++)
        if (fit->is_open[i]) {
            memset(fit->totals + FIT_WINDOW * i, 0, sizeof(int64_t) * FIT_WINDOW);
            open++;
        }
    for (int turn = 1; open; turn++) {
        add_weights(fit, a);
        for (int64_t i = 0; i < axis->size; i++)
            if (fit->is_open[i]
                && (turn == MOST_TURNS || !move_window(fit, i, cheapest(fit, axis, i)))) {
                fit->is_open[i] = 0;
                open--;
            }
    }
}

/* Begin a place's window about a log-scale. */
static void open_window(struct fit *fit, int64_t place, int64_t delta)
{
    int64_t first = bounded(delta - FIT_WINDOW / 2, -FIT_MARGIN, FIT_MARGIN + 1 - FIT_WINDOW);
    fit->starts[place] = (int32_t)(fit->width + first);
    fit->is_open[place] = 1;
}

/* About how great a level of a class is, whether or not half a step is expected. */
static int64_t magnitude_of(int64_t class)
{
    int64_t own = class % (FIT_CLASSES / 2), coarse = own - EXACT_CLASSES;
    return coarse < 0 ? own : (9 + 2 * (coarse & 3)) << (coarse / 4 + 1);
}

/* How wide levels of such a mean magnitude spread, about. */
static int64_t width_of(double mean)
{
    /* 2^(-7/8), 2^(-5/8), 2^(-3/8), 2^(-1/8) */
    static const double ends[4] = { 0.545, 0.648, 0.771, 0.917 };
    int octave, quarter = -4;
    double part = frexp(mean, &octave);
    if (mean == 0)
        return LEAST_QUARTERS + OF_ONE;
    for (int k = 0; k < 4; k++)
        quarter += part >= ends[k];
    return bounded(4 * (int64_t)octave + quarter, LEAST_QUARTERS, MOST_QUARTERS) + OF_ONE;
}

/* Where widths should be: by the mean magnitude of each place, whatever other axes add there. */
static void guess_deltas(struct fit *fit, int64_t a)
{
    struct walk walk = { { 0 }, { 0 }, 0 };
    const struct fit_dim *last = &fit->dims[fit->dim_count - 1];
    int64_t magnitudes[FIT_CLASSES], *sums = fit->least;
    const uint8_t *classes = fit->classes;
    const struct fit_axis *axis = &fit->axes[a];
    for (int64_t class = 0; class < FIT_CLASSES; class++)
        magnitudes[class] = magnitude_of(class);
    memset(sums, 0, sizeof(int64_t) * (size_t)axis->size);
    do {
        int64_t first = first_seen(fit, walk.run), seen = seen_from(fit, first, last->size);
        int64_t *sum = sums + walk.at[a], all = 0;
        for (int64_t i = 0; last->axis == a && i < seen; i++)
            sum[first + (i << fit->thin)] += magnitudes[classes[i]];
        for (int64_t i = 0; last->axis != a && i < seen; i++)
            all += magnitudes[classes[i]];
        *sum += all;
        classes += seen;
    } while (next_run(&walk, fit));
    for (int64_t i = 0; i < axis->size; i++) {
        double mean = (double)(sums[i] << fit->thin) / (double)(fit->count / axis->size);
        fit->guesses[i] = (int8_t)bounded(width_of(mean) - fit->width, -FIT_MARGIN, FIT_MARGIN);
    }
}

void find_windows(struct fit *fit, int64_t a)
{
    for (int64_t i = 0; i < fit->axes[a].size; i++)
        open_window(fit, i, fit->axes[a].deltas[i]);
    settle(fit, a);
}

void find_first_windows(struct fit *fit, int64_t a)
{
    guess_deltas(fit, a);
    for (int64_t i = 0; i < fit->axes[a].size; i++)
        open_window(fit, i, fit->guesses[i] > FARTHEST_BELOW ? fit->guesses[i] : FARTHEST_BELOW);
    settle(fit, a);
}
