#include "making.h"

#include "clones.h"
#include "prediction.h"

#define STAY 255 /* the row of levels that do not move */
#define OCTAVE 4 /* points are an octave narrower than levels of half steps */

/* The row of each weight in tables of all shapes and widths. */
FOR_EVERY_WIDTH static void find_rows(const struct making *making, int64_t count)
{
    const int16_t last = (int16_t)(making->prices.rows / FIT_SHAPES - 1);
    const int16_t first = (int16_t)(making->ways.best.shape * (last + 1));
    const int16_t less = making->is_lattice ? OCTAVE : 0;
    const int16_t most = making->is_lattice ? INT16_MAX : last; /* of those that move */
    const int16_t *widths = making->widths;
    uint8_t *rows = making->rows;
    for (int64_t i = 0; i < count; i++) {
        int16_t width = (int16_t)(widths[i] - less), row = width > 0 ? width : 0;
        row = (int16_t)(first + (row < last ? row : last));
        rows[i] = (uint8_t)(width > most ? STAY : row);
    }
}

/* What the levels of a part are expected to be; NULL where nothing predicts them. */
static const int64_t *find_halves(struct making *making, struct part part)
{
    struct term terms[CHOICE_TERMS];
    struct run run;
    struct terms all = terms_of(&making->ways, &making->ways.best.choice, &run, terms);
    if (!run.terms)
        return NULL;
    run.first = part.start;
    run.weights = part.stop - part.start;
    /* cannot fail: the terms were checked */
    predict_slice(making->levels + part.start, run.weights, &all, making->halves);
    return making->halves;
}

static struct weights weights_from(const struct weights *all, int64_t start)
{
    struct weights some = *all;
    some.single += some.single ? start : 0;
    some.numbers += some.numbers ? start : 0;
    return some;
}

static void make_part(struct making *making, struct part part)
{
    struct weights weights = weights_from(&making->weights, part.start);
    const double whole = 2 * making->weights.sizes[0];
    int32_t *levels = making->levels + part.start;
    int64_t count = part.stop - part.start;
    const int64_t *halves = NULL;
    fitted_widths(&making->ways.fit, part.start, part.stop, making->widths);
    find_rows(making, count);
    if (!making->is_lattice) {
        find_nearest(levels, &weights, count);
        halves = find_halves(making, part);
        move_levels(levels, levels, halves, &weights, making->rows, count, &making->prices);
        return;
    }
    weights.sizes = &whole;
    if (making->ways.best.choice.count) {
        find_points(levels, &weights, making->rows, NULL, count, &making->free);
        halves = find_halves(making, part);
    }
    find_points(levels, &weights, making->rows, halves, count, &making->prices);
}

double make_levels(struct making *making)
{
    double error = 0;
    begin_way(&making->ways);
    for (int64_t p = 0; p < making->count; p++) {
        struct part part = making->parts[p];
        make_part(making, part);
        struct weights weights = weights_from(&making->weights, part.start);
        error += sum_squares(making->levels + part.start, &weights, part.stop - part.start);
    }
    refit_way(&making->ways);
    return error;
}
