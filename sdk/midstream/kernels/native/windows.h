/* Which width is the cheapest on each place of an axis: windows of so many are looked at together.
 *
 * Knows nothing of axes that are tried, and of tables that are chosen.
 */
#ifndef MIDSTREAM_WINDOWS_H
#define MIDSTREAM_WINDOWS_H

#include <string.h>

#include "fitting.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define WIDE __attribute__((target("avx2")))
#define HAS_WIDE 1
#define IS_WIDE __builtin_cpu_supports("avx2")
#else
#define HAS_WIDE 0
#define IS_WIDE 0
#endif

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

INLINE int64_t bounded(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Where all weights are, run by run: a run is the last dimension. */
struct walk {
    int64_t index[FIT_DIMS], at[FIT_AXES], run;
};

INLINE int next_run(struct walk *walk, const struct fit *fit)
{
    walk->run++;
    for (int64_t d = fit->dim_count - 2; d >= 0; d--) {
        const struct fit_dim *dim = &fit->dims[d];
        walk->at[dim->axis] += dim->step;
        if (++walk->index[d] < dim->size)
            return 1;
        walk->index[d] = 0;
        walk->at[dim->axis] -= dim->size * dim->step;
    }
    return 0;
}

/* The first weight of a run that is looked at: spread evenly over those of many runs. */
INLINE int64_t first_seen(const struct fit *fit, int64_t run)
{
    return fit->thin ? ((uint32_t)run * UINT32_C(0x9E3779B1)) >> (32 - fit->thin) : 0;
}

/* How many of a run are. */
INLINE int64_t seen_from(const struct fit *fit, int64_t first, int64_t length)
{
    return (length - first + ((int64_t)1 << fit->thin) - 1) >> fit->thin;
}

/* What is added to the width of all weights of a run, but for what two axes add. */
INLINE int64_t shift_of(const struct fit *fit, const struct walk *walk, int64_t one, int64_t other)
{
    int64_t shift = 0;
    for (int64_t a = 0; a < FIT_AXES; a++)
        if (fit->axes[a].is_used && a != one && a != other)
            shift += fit->axes[a].deltas[walk->at[a]];
    return shift;
}

/* What levels of a class cost at a width and those after it. */
INLINE const uint16_t *costs_at(const uint16_t *costs, int64_t class, int64_t width)
{
    return costs + class * FIT_ROW + bounded(width, -FIT_WINDOW, FIT_WIDTHS) + FIT_WINDOW;
}

/* Find a window for each place with its cheapest width inside, about the present log-scales. */
void find_windows(struct fit *fit, int64_t a);

/* The same where no log-scales are known yet: about where the mean magnitudes of levels say that
 * they are. Where levels are far too great for all widths of a window, these cost the same. */
void find_first_windows(struct fit *fit, int64_t a);

/* The cheapest of a window's widths for a place, log-scales included that are in range. */
int64_t cheapest(const struct fit *fit, const struct fit_axis *axis, int64_t place);

#endif
