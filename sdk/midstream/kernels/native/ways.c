#include "ways.h"

#include <string.h>

#include "clones.h"
#include "histograms.h"

#define MOST_CHOICES 4
#define MUCH 0.99 /* predictors that leave less of the bits than this are worth another choice */

struct terms terms_of(
    const struct ways *ways, const struct choice *choice, struct run *run, struct term *terms)
{
    *run = (struct run){ 0, ways->fit.count, ways->fit.count, choice->count };
    for (int64_t t = 0; t < choice->count; t++) {
        const struct neighbour *own = &ways->candidates.neighbour[choice->index[t]];
        terms[t] = (struct term){ own->back, own->stride, own->size, choice->coefficient[t], -1 };
        run->stride = own->stride < run->stride ? own->stride : run->stride;
    }
    return (struct terms){ run, 1, terms, choice->count, NULL, 0 };
}

FOR_EVERY_WIDTH static uint8_t greatest(const uint8_t *classes, int64_t count)
{
    uint8_t most = 0;
    for (int64_t i = 0; i < count; i++)
        most = classes[i] > most ? classes[i] : most;
    return most;
}

/* The class of each level, or of what is left of it where neighbours predict it. */
static void classify(struct ways *ways, const struct choice *choice)
{
    struct term terms[CHOICE_TERMS];
    struct run run;
    struct terms all = terms_of(ways, choice, &run, terms);
    struct walk walk = { .terms = &all, .is_known = 1 };
    struct segment segment = { .length = ways->fit.count };
    for (int64_t i = 0; i < ways->fit.count; i += segment.length) {
        if (choice->count && !next_segment(&walk, ways->fit.count - i, 1, &segment))
            return; /* cannot be: the terms were checked */
        for (int64_t k = 0, count; k < segment.length; k += count) {
            const int32_t *here = ways->levels + i + k;
            count = segment.length - k < WAYS_PIECE ? segment.length - k : WAYS_PIECE;
            if (choice->count)
                expect(&segment, here, count, ways->halves);
            classify_levels(
                ways->classes + i + k, here, choice->count ? ways->halves : NULL, count);
        }
    }
    int64_t seen = thin_out(&ways->fit, ways->classes);
    ways->fit.depth = seen ? 1 + (int64_t)greatest(ways->classes, seen) : 0;
}

static void begin(struct fit *fit, const struct way *known, int64_t places)
{
    fit->shape = known ? known->shape : 0;
    fit->width = known ? known->width : 0;
    for (int64_t a = 0; a < FIT_AXES; a++) {
        fit->axes[a].spread = known ? known->spread[a] : -1;
        fit->axes[a].is_used = fit->axes[a].spread >= 0;
    }
    if (known)
        memcpy(fit->axes[0].deltas, known->deltas, (size_t)places);
}

static void keep(struct way *way, const struct ways *ways, const struct choice *choice)
{
    const struct fit *fit = &ways->fit;
    way->shape = fit->shape;
    way->width = fit->width;
    way->bits = fit->bits + choice->count * ways->term_cost;
    way->choice = *choice;
    for (int64_t a = 0; a < FIT_AXES; a++)
        way->spread[a] = fit->axes[a].is_used ? fit->axes[a].spread : -1;
    memcpy(way->deltas, fit->axes[0].deltas, (size_t)ways->places);
}

static int is_same(const struct choice *one, const struct choice *other)
{
    int same = one->count == other->count;
    for (int64_t t = 0; same && t < one->count; t++)
        same = one->index[t] == other->index[t] && one->coefficient[t] == other->coefficient[t];
    return same;
}

void begin_way(struct ways *ways)
{
    begin(&ways->fit, &ways->best, ways->places);
}

void find_ways(struct ways *ways)
{
    struct choice choice = { 0 };
    begin(&ways->fit, NULL, ways->places);
    classify(ways, &choice);
    fit_tensor(&ways->fit, ways->tried, ways->tried_count);
    keep(&ways->best, ways, &choice);
    keep(&ways->unpredicted, ways, &choice);
    /* neighbours that predict much are chosen anew by how wide what they leave spreads */
    for (int turn = 0; turn < MOST_CHOICES; turn++) {
        choose_neighbours(&ways->fit, &ways->candidates, ways->levels, &choice);
        if (!choice.count || is_same(&choice, &ways->best.choice))
            break;
        if (!ways->best.choice.count)
            begin(&ways->fit, NULL, ways->places);
        classify(ways, &choice);
        fit_tensor(&ways->fit, ways->tried, ways->tried_count);
        int64_t before = ways->best.bits, bits = ways->fit.bits + choice.count * ways->term_cost;
        if (bits < before)
            keep(&ways->best, ways, &choice);
        if ((double)bits > MUCH * (double)before)
            break;
    }
}

void refit_way(struct ways *ways)
{
    struct choice choice = ways->best.choice, found = { 0 };
    begin_way(ways);
    if (choice.count)
        choose_neighbours(&ways->fit, &ways->candidates, ways->levels, &found);
    if (found.count)
        choice = found;
    classify(ways, &choice);
    fit_tensor(&ways->fit, NULL, 0); /* on the axes that are known */
    keep(&ways->best, ways, &choice);
}
