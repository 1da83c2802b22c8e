#include "prediction.h"

#define MAX_PLACE ((int64_t)1 << 40)
#define MAX_BACK 64
#define MAX_COEFFICIENT 64
#define MAX_HALF_OCTAVES 24

/* 256 * 2^(h / 2), rounded, for half octaves h from 0 up; and of -h. */
static const int64_t coarser[MAX_HALF_OCTAVES + 1] = { 256, 362, 512, 724, 1024, 1448, 2048, 2896,
    4096, 5793, 8192, 11585, 16384, 23170, 32768, 46341, 65536, 92682, 131072, 185364, 262144,
    370728, 524288, 741455, 1048576 };
static const int64_t finer[MAX_HALF_OCTAVES + 1] = { 256, 181, 128, 91, 64, 45, 32, 23, 16, 11, 8,
    6, 4, 3, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0 };

/* Whether a term can be asked for any weight that is less than MAX_PLACE. */
static int is_term(const struct term *term, const struct terms *terms, int64_t segment)
{
    int has_steps = term->steps >= 0 && term->size <= terms->step_count
        && term->steps <= terms->step_count - term->size;
    return term->back >= 1 && term->back <= MAX_BACK && term->stride >= 1 && term->stride % segment == 0
        && term->stride < MAX_PLACE && term->size >= 1 && term->size < MAX_PLACE
        && term->coefficient >= -MAX_COEFFICIENT && term->coefficient <= MAX_COEFFICIENT
        && (term->steps == -1 || has_steps);
}

static int next_run(struct walk *walk, int64_t left)
{
    struct terms *terms = walk->terms;
    if (!terms->runs)
        return 0;
    walk->run = terms->run++;
    walk->term = terms->term;
    walk->done = 0;
    terms->runs--;
    const struct run *run = walk->run;
    if (run->weights < 1 || run->weights > left || run->first < 0 || run->first >= MAX_PLACE
        || run->stride < 1 || run->stride >= MAX_PLACE || run->terms < 0
        || run->terms > MAX_TERMS || run->terms > terms->terms)
        return 0;
    for (int64_t t = 0; t < run->terms; t++)
        if (!is_term(&walk->term[t], terms, run->stride))
            return 0;
    terms->term += run->terms;
    terms->terms -= run->terms;
    return 1;
}

static int64_t gain_of(const struct term *term, const struct terms *terms, int64_t coordinate)
{
    if (term->steps < 0)
        return 256 * term->coefficient;
    const int8_t *steps = terms->steps + term->steps;
    int64_t h = clamp(steps[coordinate - term->back] - steps[coordinate], MAX_HALF_OCTAVES);
    return term->coefficient * (h < 0 ? finer[-h] : coarser[h]);
}

static void start_run(struct walk *walk)
{
    int64_t first = walk->run->first;
    walk->length = walk->run->stride - first % walk->run->stride;
    for (int64_t t = 0; t < walk->run->terms; t++) {
        const struct term *term = &walk->term[t];
        walk->coordinate[t] = first / term->stride % term->size;
        walk->left[t] = term->stride - first % term->stride;
        walk->most[t] = walk->run->weights / term->stride + 1;
    }
}

/* Weights from here to where a place of the shortest axis starts, so many or more of them. */
static int64_t to_place(const struct walk *walk, int64_t weights)
{
    int64_t more = weights - walk->length, stride = walk->run->stride;
    return more <= 0 ? walk->length : walk->length + (more + stride - 1) / stride * stride;
}

/* Weights up to where another weight than now is told by a term, or none is, or more is. */
static int64_t lasting(const struct walk *walk, int64_t t)
{
    const struct term *term = &walk->term[t];
    int64_t coordinate = walk->coordinate[t], distance = term->back * term->stride;
    int64_t last = coordinate < term->back ? term->back : term->size;
    int64_t length = walk->left[t], more = term->steps < 0 ? last - coordinate - 1 : 0;
    /* more than the run has might be beyond all numbers */
    length += (more < walk->most[t] ? more : walk->most[t]) * term->stride;
    int64_t start = distance > walk->done ? to_place(walk, distance - walk->done) : length;
    return start < length ? start : length;
}

/* Weights of which all have the same terms as the next. */
static int64_t stretch(const struct walk *walk)
{
    int64_t length = walk->is_known ? walk->run->weights - walk->done : walk->length;
    for (int64_t t = 0; walk->is_known && t < walk->run->terms; t++) {
        int64_t own = lasting(walk, t);
        length = own < length ? own : length;
    }
    return length;
}

static void pass_places(struct walk *walk, int64_t t)
{
    const struct term *term = &walk->term[t];
    int64_t places = -walk->left[t] / term->stride + 1, next = walk->coordinate[t] + places;
    walk->coordinate[t] = next < term->size ? next : next % term->size;
    walk->left[t] += places * term->stride;
}

/* Go on by a segment, which ends where a place of the shortest axis does, or the run. */
static void leave(struct walk *walk, int64_t length)
{
    walk->done += length;
    walk->length = walk->run->stride;
    for (int64_t t = 0; t < walk->run->terms; t++) {
        walk->left[t] -= length;
        if (walk->left[t] < 0)
            pass_places(walk, t);
        else if (!walk->left[t]) {
            int64_t next = walk->coordinate[t] + 1;
            walk->coordinate[t] = next < walk->term[t].size ? next : 0;
            walk->left[t] = walk->term[t].stride;
        }
    }
}

int next_segment(struct walk *walk, int64_t left, int64_t nearest, struct segment *segment)
{
    if (!walk->run || walk->done == walk->run->weights) {
        if (!next_run(walk, left))
            return 0;
        start_run(walk);
    }
    const struct run *run = walk->run;
    int64_t length = stretch(walk);
    segment->length = length < run->weights - walk->done ? length : run->weights - walk->done;
    segment->count = 0;
    for (int64_t t = 0; t < run->terms; t++) {
        const struct term *term = &walk->term[t];
        int64_t distance = term->back * term->stride;
        if (walk->coordinate[t] < term->back || distance > walk->done)
            continue;
        if (distance < nearest)
            return 0;
        segment->distance[segment->count] = distance;
        segment->gain[segment->count++] = gain_of(term, walk->terms, walk->coordinate[t]);
    }
    leave(walk, segment->length);
    return 1;
}

int predict_slice(const int32_t *levels, int64_t count, struct terms *terms, int64_t *halves)
{
    struct walk walk = { .terms = terms, .is_known = 1 };
    struct segment segment;
    for (int64_t i = 0; i < count; i += segment.length) {
        if (!next_segment(&walk, count - i, 1, &segment))
            return 0;
        expect(&segment, levels + i, segment.length, halves + i);
    }
    return 1;
}
