#include "tensors.h"

#include "grid.h"

#define MOST_SIZE ((int64_t)1 << 31)
#define MOST_WEIGHTS ((int64_t)1 << 40)
#define MOST_WIDTH 512
#define MOST_STEP 2560
#define MOST_EXPONENT 20
#define SHAPES 3
#define HALF_OCTAVE 8 /* step indices */
#define WIDTH_OF_SIGMA_ONE 12

int bits_of(int64_t type)
{
    static const int bits[] = { 0, 32, 16, 16, 32, 8, 8, 4 };
    return bits[type];
}

/* --- axes -------------------------------------------------------------------------------- */

/* Places of a tensor that vectors have an item for: those on some of its axes together. */
struct places {
    int count;
    int64_t size[MAX_AXES], stride[MAX_AXES];
};

static int is_tap(const struct tensor *tensor, int64_t axis)
{
    return axis != tensor->row_axis && axis != tensor->column_axis;
}

static int64_t stride_of(const struct tensor *tensor, int64_t axis)
{
    int64_t stride = 1;
    for (int64_t i = axis + 1; i < tensor->axes; i++)
        stride *= tensor->size[i];
    return stride;
}

/* Axes that follow each other without a gap are one. */
static void add_axis(struct places *places, const struct tensor *tensor, int64_t axis)
{
    int64_t size = tensor->size[axis], stride = stride_of(tensor, axis);
    int last = places->count - 1;
    if (size == 1)
        return;
    if (last >= 0 && places->stride[last] == size * stride) {
        places->size[last] *= size;
        places->stride[last] = stride;
        return;
    }
    places->size[places->count] = size;
    places->stride[places->count++] = stride;
}

static struct places places_of(const struct tensor *tensor, int vector)
{
    struct places places = { 0 };
    if (vector == ROW_SCALES || vector == ROW_STEPS)
        add_axis(&places, tensor, tensor->row_axis);
    else if (vector == COLUMN_SCALES || vector == COLUMN_STEPS)
        add_axis(&places, tensor, tensor->column_axis);
    else
        for (int64_t axis = 0; axis < tensor->axes; axis++)
            if (is_tap(tensor, axis))
                add_axis(&places, tensor, axis);
    return places;
}

int64_t items_of(const struct tensor *tensor, int vector)
{
    struct places places = places_of(tensor, vector);
    int64_t items = 1;
    for (int i = 0; i < places.count; i++)
        items *= places.size[i];
    return items;
}

/* Where places have no one stride: weight by weight. */
static void add_everywhere(int16_t *totals, int64_t count, int64_t start,
    const struct places *places, const struct axis *axis)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t index = 0;
        for (int at = 0; at < places->count; at++)
            index = index * places->size[at] + (start + i) / places->stride[at] % places->size[at];
        const struct axis one = { axis->deltas + index, 1, 1, axis->factor };
        add_to_weights(totals + i, 1, 0, &one);
    }
}

static void add_vector(const struct network *network, const struct span *span, int vector,
    int32_t factor, int16_t *totals)
{
    const struct tensor *tensor = &network->tensor[span->tensor];
    if (tensor->vector[vector] == NO_VECTOR)
        return;
    struct places places = places_of(tensor, vector);
    struct axis axis = { network->vector + tensor->vector[vector], 1, 1, factor };
    if (places.count > 1) {
        add_everywhere(totals, span->stop - span->start, span->start, &places, &axis);
        return;
    }
    if (places.count) {
        axis.size = places.size[0];
        axis.stride = places.stride[0];
    }
    add_to_weights(totals, span->stop - span->start, span->start, &axis);
}

/* --- tensors ----------------------------------------------------------------------------- */

static int in_range(int64_t value, int64_t least, int64_t most)
{
    return value >= least && value <= most;
}

static int has_shape(const struct tensor *tensor)
{
    int64_t weights = 1;
    if (!in_range(tensor->axes, 0, MAX_AXES) || !in_range(tensor->row_axis, NO_AXIS, tensor->axes - 1)
        || !in_range(tensor->column_axis, NO_AXIS, tensor->axes - 1))
        return 0;
    for (int64_t axis = 0; axis < tensor->axes; axis++) {
        if (!in_range(tensor->size[axis], 1, MOST_SIZE) || weights > MOST_WEIGHTS / tensor->size[axis])
            return 0;
        weights *= tensor->size[axis];
    }
    return weights == tensor->weights;
}

static int has_vectors(const struct network *network, const struct tensor *tensor)
{
    for (int vector = 0; vector < VECTORS; vector++) {
        int64_t first = tensor->vector[vector];
        if (first == NO_VECTOR)
            continue;
        int is_row = vector == ROW_SCALES || vector == ROW_STEPS;
        int is_column = vector == COLUMN_SCALES || vector == COLUMN_STEPS;
        if ((is_row && tensor->row_axis == NO_AXIS) || (is_column && tensor->column_axis == NO_AXIS)
            || first < 0 || items_of(tensor, vector) > network->vector_items - first)
            return 0;
    }
    return 1;
}

int is_tensor(const struct network *network, const struct tensor *tensor, int64_t model_size)
{
    if (!in_range(tensor->type, TYPE_FLOAT32, TYPE_INT4) || !has_shape(tensor)
        || !in_range(tensor->offset, 0, model_size)
        || (tensor->weights * bits_of(tensor->type) + 7) / 8 > model_size - tensor->offset)
        return 0;
    int64_t least = is_float(tensor) ? -MOST_STEP : 0;
    return in_range(tensor->step, least, is_float(tensor) ? MOST_STEP : MOST_EXPONENT)
        && in_range(tensor->zero, INT32_MIN, INT32_MAX) && in_range(tensor->shape, 0, SHAPES - 1)
        && in_range(tensor->width, -MOST_WIDTH, MOST_WIDTH) && has_vectors(network, tensor);
}

void find_widths(const struct network *network, const struct span *span, int16_t *widths)
{
    const int16_t width = (int16_t)network->tensor[span->tensor].width;
    for (int64_t i = 0; i < span->stop - span->start; i++)
        widths[i] = width;
    for (int vector = ROW_SCALES; vector <= TAP_SCALES; vector++)
        add_vector(network, span, vector, 1, widths);
}

void find_steps(const struct network *network, const struct span *span, int16_t *steps)
{
    const int16_t step = (int16_t)network->tensor[span->tensor].step;
    const int64_t count = span->stop - span->start;
    for (int64_t i = 0; i < count; i++)
        steps[i] = step;
    for (int vector = ROW_STEPS; vector <= COLUMN_STEPS; vector++)
        add_vector(network, span, vector, HALF_OCTAVE, steps);
    for (int64_t i = 0; i < count; i++) {
        int16_t least = steps[i] > -MOST_STEP ? steps[i] : -MOST_STEP;
        steps[i] = least < MOST_STEP ? least : MOST_STEP;
    }
}

void find_quarters(const struct network *network, const struct span *span, int16_t *quarters)
{
    const struct tensor *tensor = &network->tensor[span->tensor];
    /* a shift of a negative number: gcc, clang and MSVC all keep its sign */
    const int16_t quarter = (int16_t)((tensor->step >> 2) - WIDTH_OF_SIGMA_ONE + tensor->width);
    for (int64_t i = 0; i < span->stop - span->start; i++)
        quarters[i] = quarter;
    for (int vector = ROW_SCALES; vector < VECTORS; vector++)
        add_vector(network, span, vector, vector < ROW_STEPS ? 1 : 2, quarters);
}

/* --- neighbours -------------------------------------------------------------------------- */

enum { ROW, COLUMN, LAST_TAP, FIRST_TAP };

/* The axis of each neighbour, and how far back it is. */
static const struct {
    int axis, back;
} neighbours[NEIGHBOURS] = { { ROW, 1 }, { ROW, 2 }, { ROW, 3 }, { ROW, 4 }, { ROW, 6 },
    { COLUMN, 1 }, { COLUMN, 2 }, { LAST_TAP, 1 }, { LAST_TAP, 2 }, { FIRST_TAP, 1 } };

/* Where rows, columns, the last and the first taps are, or NO_AXIS. */
static void name_axes(const struct tensor *tensor, int64_t *axes)
{
    int taps = 0;
    axes[ROW] = tensor->row_axis;
    axes[COLUMN] = tensor->column_axis;
    axes[LAST_TAP] = axes[FIRST_TAP] = NO_AXIS;
    for (int64_t axis = 0; axis < tensor->axes; axis++)
        if (is_tap(tensor, axis) && tensor->size[axis] > 1) {
            axes[FIRST_TAP] = taps++ ? axes[FIRST_TAP] : axis;
            axes[LAST_TAP] = axis;
        }
    axes[FIRST_TAP] = taps > 1 ? axes[FIRST_TAP] : NO_AXIS;
}

/* The terms of one span, in order of neighbours; gives how many. */
static int64_t terms_of(const struct tensor *tensor, struct term *terms)
{
    int64_t axes[FIRST_TAP + 1], count = 0;
    name_axes(tensor, axes);
    for (int i = 0; i < NEIGHBOURS; i++) {
        int64_t axis = axes[neighbours[i].axis];
        if (!tensor->coefficient[i] || axis == NO_AXIS || tensor->size[axis] <= neighbours[i].back)
            continue;
        int64_t steps = neighbours[i].axis == ROW ? tensor->vector[ROW_STEPS]
            : neighbours[i].axis == COLUMN        ? tensor->vector[COLUMN_STEPS]
                                                  : NO_VECTOR;
        terms[count++] = (struct term){ neighbours[i].back, stride_of(tensor, axis),
            tensor->size[axis], tensor->coefficient[i], steps };
    }
    return count;
}

int find_terms(const struct network *network, const struct span *spans, int64_t count,
    struct room *room, struct terms *terms)
{
    struct run *runs = take_room(room, count, sizeof *runs);
    int64_t most = 0, found = 0;
    struct term own[NEIGHBOURS];
    for (int64_t i = 0; i < count; i++)
        most += terms_of(&network->tensor[spans[i].tensor], own);
    struct term *all = take_room(room, most, sizeof *all);
    if (!runs || !all)
        return 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t number = terms_of(&network->tensor[spans[i].tensor], all + found);
        /* longer strides are multiples of the shortest */
        int64_t stride = spans[i].stop;
        for (int64_t t = found; t < found + number; t++)
            stride = t == found || all[t].stride < stride ? all[t].stride : stride;
        runs[i] = (struct run){ spans[i].start, spans[i].stop - spans[i].start, stride, number };
        found += number;
    }
    *terms = (struct terms){ runs, count, all, most, network->vector, network->vector_items };
    return 1;
}

/* The first segment of a run that has a term so far back starts there. */
static int64_t start_of(const struct run *run, const struct term *term)
{
    int64_t first = run->first + term->back * term->stride;
    int64_t start = (first + run->stride - 1) / run->stride * run->stride;
    int64_t missing = term->back - start / term->stride % term->size;
    return missing > 0 ? (start / term->stride + missing) * term->stride : start;
}

int64_t nearest_of(const struct terms *terms)
{
    int64_t nearest = 0;
    const struct term *term = terms->term;
    for (int64_t i = 0; i < terms->runs; i++)
        for (const struct term *end = term + terms->run[i].terms; term < end; term++) {
            int64_t distance = term->back * term->stride;
            if (start_of(&terms->run[i], term) < terms->run[i].first + terms->run[i].weights
                && (!nearest || distance < nearest))
                nearest = distance;
        }
    return nearest;
}
