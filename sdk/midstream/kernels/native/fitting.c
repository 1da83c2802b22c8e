#include "fitting.h"

#include "windows.h"

#define MOST_BITS ((uint64_t)INT64_MAX)
#define FIRST_SPREAD 18
#define FIRST_SHAPE 1
#define NARROWEST (-FIT_MARGIN)
#define LAST_WINDOW (FIT_WIDTHS - FIT_WINDOW)
#define MOST_WINDOWS ((LAST_WINDOW - NARROWEST) / FIT_WINDOW) /* before the last one */

/* The value in the middle, toward zero where that is between two. */
static int64_t median(const int64_t *counts, int64_t size)
{
    int64_t seen = 0, lower = 0, twice = 0;
    for (int64_t k = 0; k < FIT_DELTAS; k++) {
        if (seen <= (size - 1) / 2)
            lower = k;
        if (seen <= size / 2)
            twice = lower + k - 2 * FIT_MARGIN;
        seen += counts[k];
    }
    return twice / 2;
}

/* What log-scales cost, none of which is below the lowest or above the highest. */
static int64_t side_bits(
    const struct fit *fit, const int64_t *counts, int64_t spread, int64_t low, int64_t high)
{
    int64_t bits = 0;
    for (int64_t k = low; k <= high; k++)
        bits += counts[k] * fit->sent[spread * FIT_DELTAS + k];
    return bits;
}

static void count_deltas(const struct fit_axis *axis, int64_t *counts)
{
    memset(counts, 0, sizeof(int64_t) * FIT_DELTAS);
    for (int64_t i = 0; i < axis->size; i++)
        counts[axis->deltas[i] + FIT_MARGIN]++;
}

/* Take the cheapest widths of all places; the middle one goes into the base width. */
static void take_cheapest(struct fit *fit, int64_t a)
{
    struct fit_axis *axis = &fit->axes[a];
    int64_t counts[FIT_DELTAS];
    for (int64_t i = 0; i < axis->size; i++) {
        int64_t delta = fit->starts[i] + cheapest(fit, axis, i) - fit->width;
        axis->deltas[i] = (int8_t)bounded(delta, -FIT_MARGIN, FIT_MARGIN);
    }
    count_deltas(axis, counts);
    int64_t middle = median(counts, axis->size), least = INT64_MAX;
    fit->width += middle;
    for (int64_t i = 0; i < axis->size; i++)
        axis->deltas[i] = (int8_t)bounded(axis->deltas[i] - middle, -FIT_MARGIN, FIT_MARGIN);
    count_deltas(axis, counts);
    int64_t low = 0, high = FIT_DELTAS - 1;
    while (!counts[low])
        low++;
    while (!counts[high])
        high--;
    for (int64_t spread = 0; spread < FIT_SPREADS; spread++) {
        int64_t bits = side_bits(fit, counts, spread, low, high);
        axis->spread = bits < least ? spread : axis->spread;
        least = bits < least ? bits : least;
    }
}

/* The least and the greatest that all axes together add to a width. */
static void find_shifts(const struct fit *fit, int64_t *low, int64_t *high)
{
    *low = *high = 0;
    for (int64_t a = 0; a < FIT_AXES; a++) {
        const struct fit_axis *axis = &fit->axes[a];
        int64_t least = FIT_MARGIN, most = -FIT_MARGIN;
        for (int64_t i = 0; axis->is_used && i < axis->size; i++) {
            least = axis->deltas[i] < least ? axis->deltas[i] : least;
            most = axis->deltas[i] > most ? axis->deltas[i] : most;
        }
        *low += axis->is_used ? least : 0;
        *high += axis->is_used ? most : 0;
    }
}

/* Part of a run. Every fourth weight is counted apart where there are several tables: of equal ones
 * that follow each other, none waits for the one before. */
static void count_run(uint32_t *counts, int64_t each, const uint8_t *classes, const int8_t *deltas,
    int64_t depth, int64_t size, int thin)
{
    int64_t i = 0;
    if (deltas) {
        for (; i + 4 <= size; i += 4)
            for (int k = 0; k < 4; k++)
                counts[k * each + deltas[(i + k) << thin] * depth + classes[i + k]]++;
        for (; i < size; i++)
            counts[deltas[i << thin] * depth + classes[i]]++;
        return;
    }
    for (; i + 4 <= size; i += 4)
        for (int k = 0; k < 4; k++)
            counts[k * each + classes[i + k]]++;
    for (; i < size; i++)
        counts[classes[i]]++;
}

/* How many weights there are of each shift, from the least on, and class: so many cells. */
static void count_weights_of(struct fit *fit, int64_t low, int64_t cells)
{
    struct walk walk = { { 0 }, { 0 }, 0 };
    const struct fit_dim *last = &fit->dims[fit->dim_count - 1];
    const struct fit_axis *axis = &fit->axes[last->axis];
    const uint8_t *classes = fit->classes;
    const int64_t tables = cells <= FIT_SHIFTS * FIT_CLASSES / 4 && 8 * cells < fit->count ? 4 : 1;
    const int64_t each = tables > 1 ? cells : 0;
    memset(fit->counts, 0, sizeof(uint32_t) * (size_t)(tables * cells));
    do {
        int64_t first = first_seen(fit, walk.run), seen = seen_from(fit, first, last->size);
        const int8_t *deltas = axis->is_used ? axis->deltas + walk.at[last->axis] + first : NULL;
        int64_t shift = shift_of(fit, &walk, last->axis, last->axis) - low;
        count_run(fit->counts + shift * fit->depth, each, classes, deltas, fit->depth, seen,
            fit->thin);
        classes += seen;
    } while (next_run(&walk, fit));
    for (int64_t t = 1; t < tables; t++)
        for (int64_t k = 0; k < cells; k++)
            fit->counts[k] += fit->counts[t * cells + k];
}

/* Whether all widths are dearer than what is known: they only become more so. */
static int are_dearer(uint64_t bits[FIT_SHAPES][FIT_WINDOW], uint64_t known)
{
    int cheaper = 0;
    for (int shape = 0; shape < FIT_SHAPES; shape++)
        for (int j = 0; j < FIT_WINDOW; j++)
            cheaper |= bits[shape][j] <= known;
    return !cheaper;
}

/* Ends early where all are dearer than what is known. */
static void add_counts(const struct fit *fit, int64_t first, int64_t span, uint64_t known,
    uint64_t bits[FIT_SHAPES][FIT_WINDOW])
{
    const uint32_t *counts = fit->counts;
    memset(bits, 0, sizeof(uint64_t) * FIT_SHAPES * FIT_WINDOW);
    for (int64_t shift = 0; shift < span && !are_dearer(bits, known); shift++)
        for (int64_t class = 0; class < fit->depth; class++) {
            uint64_t number = *counts++;
            if (number == 0)
                continue;
            const uint16_t *costs = costs_at(fit->costs, class, first + shift);
            for (int shape = 0; shape < FIT_SHAPES; shape++, costs += FIT_CLASSES * FIT_ROW)
                for (int j = 0; j < FIT_WINDOW; j++)
                    bits[shape][j] += number * costs[j];
        }
}

#if HAS_WIDE
/* The same, four at a time. */
WIDE static void add_counts_wide(const struct fit *fit, int64_t first, int64_t span,
    uint64_t known, uint64_t bits[FIT_SHAPES][FIT_WINDOW])
{
    __m256i sums[FIT_SHAPES][FIT_WINDOW / 4], most = _mm256_set1_epi64x((int64_t)known);
    const uint32_t *counts = fit->counts;
    memset(sums, 0, sizeof sums);
    for (int64_t shift = 0, is_open = 1; shift < span && is_open; shift++) {
        for (int64_t class = 0; class < fit->depth; class++, counts++) {
            if (!*counts)
                continue;
            __m256i number = _mm256_set1_epi64x(*counts);
            const uint16_t *costs = costs_at(fit->costs, class, first + shift);
            for (int shape = 0; shape < FIT_SHAPES; shape++, costs += FIT_CLASSES * FIT_ROW)
                for (int k = 0; k < FIT_WINDOW / 4; k++) {
                    __m128i own = _mm_loadl_epi64((const __m128i *)(costs + 4 * k));
                    __m256i each = _mm256_mul_epu32(number, _mm256_cvtepu16_epi64(own));
                    sums[shape][k] = _mm256_add_epi64(sums[shape][k], each);
                }
        }
        is_open = 0;
        for (int k = 0; k < FIT_SHAPES * FIT_WINDOW / 4; k++)
            is_open |= ~_mm256_movemask_epi8(_mm256_cmpgt_epi64((&sums[0][0])[k], most));
    }
    memcpy(bits, sums, sizeof sums);
}
#else
#define add_counts_wide add_counts
#endif

struct table {
    uint64_t bits;
    int64_t shape, width;
};

/* The cheapest in a window: of equals the first shape, then the greatest width; of equals in two
 * windows those of the one with the greater widths. */
static void better(struct table *best, uint64_t bits[FIT_SHAPES][FIT_WINDOW], int64_t start)
{
    struct table own = { MOST_BITS, 0, 0 };
    for (int64_t shape = 0; shape < FIT_SHAPES; shape++)
        for (int64_t j = FIT_WINDOW - 1; j >= 0; j--)
            if (bits[shape][j] < own.bits)
                own = (struct table) { bits[shape][j], shape, start + j };
    if (own.bits < best->bits || (own.bits == best->bits && own.width > best->width))
        *best = own;
}

/* What all weights take in the tables of a window, if that is less than what is known. */
static void look_at(
    const struct fit *fit, struct table *best, int64_t start, int64_t low, int64_t high)
{
    uint64_t bits[FIT_SHAPES][FIT_WINDOW];
    (IS_WIDE ? add_counts_wide : add_counts)(fit, start + low, high - low + 1, best->bits, bits);
    better(best, bits, start);
}

/* Choose shape and base width for the log-scales that there are. */
static void choose_table(struct fit *fit)
{
    struct table best = { MOST_BITS, 0, 0 };
    int64_t low, high, counts[FIT_DELTAS], more = 0;
    find_shifts(fit, &low, &high);
    count_weights_of(fit, low, (high - low + 1) * fit->depth);
    /* all widths: where rows of zeros are among very wide ones there are several valleys */
    int64_t near = LAST_WINDOW - FIT_WINDOW
        * bounded((LAST_WINDOW + FIT_WINDOW - 1 - fit->width) / FIT_WINDOW, 0, MOST_WINDOWS);
    look_at(fit, &best, near, low, high);
    for (int64_t start = LAST_WINDOW; start >= NARROWEST; start -= FIT_WINDOW)
        if (start != near)
            look_at(fit, &best, start, low, high);
    fit->shape = best.shape;
    fit->width = best.width;
    for (int64_t a = 0; a < FIT_AXES; a++)
        if (fit->axes[a].is_used) {
            count_deltas(&fit->axes[a], counts);
            more += fit->axis_cost + side_bits(fit, counts, fit->axes[a].spread, 0, FIT_DELTAS - 1);
        }
    fit->bits = ((int64_t)best.bits << fit->thin) + more;
}

int64_t count_seen(const struct fit *fit)
{
    const int64_t length = fit->dims[fit->dim_count - 1].size, runs = fit->count / length;
    int64_t seen = 0;
    if (!fit->thin)
        return fit->count;
    for (int64_t run = 0; run < runs; run++)
        seen += seen_from(fit, first_seen(fit, run), length);
    return seen;
}

int64_t thin_out(const struct fit *fit, uint8_t *classes)
{
    const int64_t length = fit->dims[fit->dim_count - 1].size, runs = fit->count / length;
    int64_t seen = 0;
    if (!fit->thin)
        return fit->count;
    for (int64_t run = 0; run < runs; run++)
        for (int64_t i = first_seen(fit, run); i < length; i += (int64_t)1 << fit->thin)
            classes[seen++] = classes[run * length + i];
    return seen;
}

static void try_axis(struct fit *fit, int64_t a)
{
    struct fit_axis *axis = &fit->axes[a];
    int64_t bits = fit->bits, shape = fit->shape, width = fit->width;
    memset(axis->deltas, 0, (size_t)axis->size);
    axis->is_used = 1;
    axis->spread = FIRST_SPREAD;
    fit->shape = FIRST_SHAPE;
    find_first_windows(fit, a);
    take_cheapest(fit, a);
    take_cheapest(fit, a); /* now that it is known what log-scales cost */
    choose_table(fit);
    if (fit->bits < bits)
        return;
    axis->is_used = 0;
    fit->bits = bits;
    fit->shape = shape;
    fit->width = width;
}

void fit_tensor(struct fit *fit, const uint8_t *tried, int64_t count)
{
    int known = 0, used = 0;
    for (int64_t a = 0; a < FIT_AXES; a++)
        known += fit->axes[a].is_used;
    /* levels that nothing predicts spread about as is known: their table is chosen in the end */
    if (!known || count || fit->depth > FIT_CLASSES / 2)
        choose_table(fit);
    for (int64_t k = 0; k < count; k++)
        if (!fit->axes[tried[k]].is_used)
            try_axis(fit, tried[k]);
    for (int64_t a = 0; a < FIT_AXES; a++)
        used += fit->axes[a].is_used;
    if ((used < 2 || fit->thin) && !known)
        return;
    for (int64_t a = 0; a < FIT_AXES; a++)
        if (fit->axes[a].is_used) {
            find_windows(fit, a);
            take_cheapest(fit, a);
        }
    if (used)
        choose_table(fit);
}
