#include "making.h"

#include "prediction.h"

#define STAY 255 /* the row of levels that do not move */
#define OCTAVE 4 /* points are an octave narrower than levels of half steps */

/* The row of each weight in tables of all shapes and widths. */
static void find_rows(const struct making *making, int64_t count)
{
    const int64_t widths = making->prices.rows / FIT_SHAPES;
    const int64_t first = making->ways.best.shape * widths;
    for (int64_t i = 0; i < count; i++) {
        int64_t width = making->widths[i] - (making->is_lattice ? OCTAVE : 0);
        int64_t row = first + (width < 0 ? 0 : width < widths ? width : widths - 1);
        making->rows[i] = (uint8_t)(width >= widths && !making->is_lattice ? STAY : row);
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
