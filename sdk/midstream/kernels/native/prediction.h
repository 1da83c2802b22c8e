/* What levels that were decoded before say of a level.
 *
 * Knows nothing of tensors: runs and terms are those of kernels/terms.py
 * (spec/coding.md, "Prediction").
 */
#ifndef MIDSTREAM_PREDICTION_H
#define MIDSTREAM_PREDICTION_H

#include <stdint.h>

#define MAX_TERMS 10
#define NEIGHBOUR_LIMIT (1 << 20)
#define GAIN_BITS 12

/* Weights of one tensor that follow each other: items of int64 arrays. */
struct run {
    int64_t first, weights, stride, terms;
};
struct term {
    int64_t back, stride, size, coefficient, steps;
};

/* Runs and terms that are left. */
struct terms {
    const struct run *run;
    int64_t runs;
    const struct term *term;
    int64_t terms;
    const int8_t *steps;
    int64_t step_count;
};

/* Weights that all have the same terms. */
struct segment {
    int64_t length;
    int count;
    int64_t distance[MAX_TERMS], gain[MAX_TERMS];
};

/* Where a slice is among its runs and segments. */
struct walk {
    struct terms *terms;
    const struct run *run;   /* NULL before the first */
    const struct term *term; /* the first of the run */
    int64_t done;            /* weights of the run */
    int64_t length;          /* of the next place of the shortest axis, what is left of it */
    int is_known;            /* whether all levels are known: segments then are as long as can be */
    /* of each term: the place of the next weight on its axis, and weights up to the next place */
    int64_t coordinate[MAX_TERMS], left[MAX_TERMS];
    int64_t most[MAX_TERMS]; /* places that the run has at most */
};

static inline int64_t clamp(int64_t value, int64_t limit)
{
    return value < -limit ? -limit : value > limit ? limit : value;
}

/* The next segment, of at most `left` weights, whose terms are all at least `nearest` away.
 * False where it is none. */
int next_segment(struct walk *walk, int64_t left, int64_t nearest, struct segment *segment);

/* What is expected of so many levels from `here` on, in half steps. They are no more than the
 * least distance, so that none is expected of another, or all are known. */
static inline void expect(
    const struct segment *segment, const int32_t *here, int64_t count, int64_t *halves)
{
    for (int64_t k = 0; k < count; k++)
        halves[k] = 1 << (GAIN_BITS - 1);
    for (int t = 0; t < segment->count; t++) {
        const int32_t *near = here - segment->distance[t];
        int64_t gain = segment->gain[t];
        for (int64_t k = 0; k < count; k++)
            halves[k] += gain * clamp(near[k], NEIGHBOUR_LIMIT);
    }
    for (int64_t k = 0; k < count; k++)
        halves[k] >>= GAIN_BITS;
}

/* As expect, of one level. */
static inline int64_t expect_one(const struct segment *segment, const int32_t *here)
{
    int64_t mean = 1 << (GAIN_BITS - 1);
    for (int t = 0; t < segment->count; t++)
        mean += segment->gain[t] * clamp(here[-segment->distance[t]], NEIGHBOUR_LIMIT);
    return mean >> GAIN_BITS;
}

/* The means of a slice. False where the runs are not those of the slice. */
int predict_slice(const int32_t *levels, int64_t count, struct terms *terms, int64_t *halves);

#endif
