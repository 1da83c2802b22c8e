/* The Python face of fitting.c: parses arguments, checks their sizes, releases the GIL. */
#include "fitting.h"

#include "buffers.h"

enum { CLASSES, DIMS, TRIED, COSTS, SENT, DELTAS, STATE, MEMORY, BUFFERS };
enum { SHAPE, WIDTH, BITS, SPREADS, STATES = FIT_STATES };
#define PLACE_MEMORY ((int64_t)(sizeof(int64_t) + sizeof(uint32_t)) * FIT_WINDOW + 14)
#define MAX_WEIGHTS ((int64_t)1 << 32)

int read_dims(struct fit *fit, const Py_buffer *buffer)
{
    Py_ssize_t found = items(buffer, sizeof(int64_t));
    if (found < 0)
        return 0;
    fit->dims = buffer->buf;
    fit->dim_count = found / 3;
    if (found != 3 * fit->dim_count || fit->dim_count < 1 || fit->dim_count > FIT_DIMS)
        return refuse("no dimensions, or too many");
    int64_t weights = 1;
    for (int64_t a = 0; a < FIT_AXES; a++)
        fit->axes[a].size = 1;
    for (int64_t d = fit->dim_count - 1; d >= 0; d--) {
        const struct fit_dim *dim = &fit->dims[d];
        if (dim->axis < 0 || dim->axis >= FIT_AXES || dim->size < 1
            || dim->size > fit->count / weights || dim->step != fit->axes[dim->axis].size)
            return refuse("dimensions of other weights");
        weights *= dim->size;
        fit->axes[dim->axis].size *= dim->size;
    }
    return weights == fit->count ? 1 : refuse("dimensions of other weights");
}

int read_axes(struct fit *fit, const Py_buffer *deltas, const Py_buffer *state)
{
    if (!has_items(state, sizeof(int64_t), STATES))
        return 0;
    const int64_t *known = state->buf;
    int8_t *first = deltas->buf;
    int64_t places = 0;
    fit->shape = known[SHAPE];
    fit->width = known[WIDTH];
    for (int64_t a = 0; a < FIT_AXES; a++) {
        struct fit_axis *axis = &fit->axes[a];
        axis->deltas = first + places;
        axis->spread = known[SPREADS + a];
        axis->is_used = axis->spread >= 0;
        places += axis->size;
        if (axis->spread < -1 || axis->spread >= FIT_SPREADS)
            return refuse("a spread out of range");
    }
    if (fit->shape < 0 || fit->shape >= FIT_SHAPES || fit->width < -FIT_WIDTHS
        || fit->width > 2 * FIT_WIDTHS)
        return refuse("a shape or a width out of range");
    if (!has_items(deltas, 1, places))
        return 0;
    for (int64_t i = 0; i < places; i++)
        if (first[i] < -FIT_MARGIN || first[i] > FIT_MARGIN)
            return refuse("a log-scale out of range");
    return 1;
}

int read_memory(struct fit *fit, const Py_buffer *memory)
{
    int64_t most = 1;
    for (int64_t a = 0; a < FIT_AXES; a++)
        most = fit->axes[a].size > most ? fit->axes[a].size : most;
    if ((uintptr_t)memory->buf % sizeof(int64_t)
        || !has_items(memory, 1,
            most * PLACE_MEMORY + (int64_t)sizeof(uint32_t) * FIT_SHIFTS * FIT_CLASSES))
        return PyErr_Occurred() ? 0 : refuse("memory that is not aligned");
    fit->totals = memory->buf;
    fit->least = fit->totals + FIT_WINDOW * most;
    fit->sums = (uint32_t *)(fit->least + most);
    fit->counts = fit->sums + FIT_WINDOW * most;
    fit->starts = (int32_t *)(fit->counts + FIT_SHIFTS * FIT_CLASSES);
    fit->is_open = (uint8_t *)(fit->starts + most);
    fit->guesses = (int8_t *)(fit->is_open + most);
    for (int64_t k = 0; k < FIT_WINDOW * most; k++)
        fit->sums[k] = 0;
    return 1;
}

int read_thin(struct fit *fit, long long thin)
{
    if (thin < 0 || thin > FIT_MOST_THIN)
        return refuse("too few weights that are looked at");
    fit->thin = (int)thin;
    return 1;
}

static int read_classes(struct fit *fit, const Py_buffer *classes)
{
    fit->classes = classes->buf;
    for (int64_t i = 0; i < classes->len; i++)
        fit->depth = fit->classes[i] >= fit->depth ? fit->classes[i] + 1 : fit->depth;
    if (!classes->len || fit->depth > FIT_CLASSES)
        return refuse("no weights, or classes that there are not");
    return classes->len == count_seen(fit) ? 1 : refuse("classes of other weights");
}

static int read_fit(struct fit *fit, const Py_buffer *b, long long weights, long long thin)
{
    fit->count = weights;
    fit->costs = b[COSTS].buf;
    fit->sent = b[SENT].buf;
    const uint8_t *tried = b[TRIED].buf;
    for (Py_ssize_t k = 0; k < b[TRIED].len; k++)
        if (tried[k] >= FIT_AXES)
            return refuse("an axis that there is not");
    if (fit->count < 1 || fit->count >= MAX_WEIGHTS)
        return refuse("no weights, or too many");
    return has_items(&b[COSTS], 2, FIT_SHAPES * FIT_CLASSES * FIT_ROW)
        && has_items(&b[SENT], 2, FIT_SPREADS * FIT_DELTAS) && read_dims(fit, &b[DIMS])
        && read_thin(fit, thin) && read_classes(fit, &b[CLASSES])
        && read_axes(fit, &b[DELTAS], &b[STATE]) && read_memory(fit, &b[MEMORY]);
}

PyObject *fit_scales(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    struct fit fit = { 0 };
    long long axis_cost, weights, thin;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*w*w*w*LLL", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
            &b[6], &b[7], &axis_cost, &weights, &thin))
        return NULL;
    int fits = read_fit(&fit, b, weights, thin);
    if (fits) {
        int64_t *state = b[STATE].buf;
        fit.axis_cost = axis_cost;
        Py_BEGIN_ALLOW_THREADS
        fit_tensor(&fit, b[TRIED].buf, b[TRIED].len);
        Py_END_ALLOW_THREADS
        state[SHAPE] = fit.shape;
        state[WIDTH] = fit.width;
        state[BITS] = fit.bits;
        for (int64_t a = 0; a < FIT_AXES; a++)
            state[SPREADS + a] = fit.axes[a].is_used ? fit.axes[a].spread : -1;
    }
    release(b, BUFFERS);
    return fits ? Py_NewRef(Py_None) : NULL;
}
