/* The Python face of ways.c: parses arguments, checks their sizes, releases the GIL. */
#include "ways_face.h"

#include "faces.h"

#define MAX_WEIGHTS ((int64_t)1 << 32)
#define MAX_STRIDE ((int64_t)1 << 40)
#define ROOM_MEMORY (8 * WAYS_PIECE + 2 * CHOICE_SAMPLE)

static int is_neighbour(const struct neighbour *one, int64_t least)
{
    return one->back >= 1 && one->back <= 64 && one->size >= 1 && one->size < MAX_STRIDE
        && one->stride >= least && one->stride < MAX_STRIDE && one->stride % least == 0;
}

static int read_neighbours(struct ways *ways, const Py_buffer *b)
{
    Py_ssize_t found = items(&b[NEIGHBOURS], sizeof(int64_t));
    if (found < 0 || !has_items(&b[SCALES], sizeof(float), CHOICE_SCALES))
        return 0;
    ways->candidates.neighbour = b[NEIGHBOURS].buf;
    ways->candidates.count = found / 3;
    ways->candidates.scales = b[SCALES].buf;
    if (found % 3 || found / 3 > MAX_TERMS)
        return refuse("more neighbours than there may be");
    /* whichever are chosen, longer strides are multiples of the shortest */
    for (int64_t p = 0; p < ways->candidates.count; p++)
        for (int64_t q = 0; q < ways->candidates.count; q++) {
            const struct neighbour *one = &ways->candidates.neighbour[p];
            const struct neighbour *other = &ways->candidates.neighbour[q];
            int64_t least = one->stride < other->stride ? one->stride : other->stride;
            if (least < 1 || !is_neighbour(one, least))
                return refuse("a neighbour is out of range");
        }
    return 1;
}

/* What is known: a way, or nothing. */
static int read_known(struct ways *ways, const Py_buffer *b, int64_t terms)
{
    const int64_t *pairs = b[PREDICTOR].buf;
    if (!has_items(&b[PREDICTOR], sizeof(int64_t), 2 * CHOICE_TERMS))
        return 0;
    if (terms < 0 || terms > CHOICE_TERMS)
        return refuse("more neighbours count than may");
    for (int64_t t = 0; t < terms; t++) {
        int64_t index = pairs[2 * t], coefficient = pairs[2 * t + 1];
        if (index < 0 || index >= ways->candidates.count || coefficient < -64 || coefficient > 64)
            return refuse("a neighbour that there is not, or counts too much");
        ways->best.choice.index[t] = index;
        ways->best.choice.coefficient[t] = coefficient;
    }
    ways->best.choice.count = terms;
    return 1;
}

static void read_state(struct way *way, const struct fit *fit)
{
    way->shape = fit->shape;
    way->width = fit->width;
    for (int64_t a = 0; a < FIT_AXES; a++)
        way->spread[a] = fit->axes[a].spread;
}

/* Log-scales: three times as many as there are places. */
static int read_scales(struct ways *ways, const Py_buffer *b)
{
    for (int64_t a = 0; a < FIT_AXES; a++)
        ways->places += ways->fit.axes[a].size;
    if (!has_items(&b[DELTAS], 1, 3 * ways->places))
        return 0;
    ways->best.deltas = (int8_t *)b[DELTAS].buf + ways->places;
    ways->unpredicted.deltas = ways->best.deltas + ways->places;
    Py_buffer best = b[DELTAS];
    best.buf = ways->best.deltas;
    best.len = ways->places;
    if (!read_axes(&ways->fit, &best, &b[BEST]))
        return 0;
    read_state(&ways->best, &ways->fit);
    best.buf = b[DELTAS].buf;
    return read_axes(&ways->fit, &best, &b[BEST])
        && (!b[UNPREDICTED].len || has_items(&b[UNPREDICTED], sizeof(int64_t), FIT_STATES));
}

int read_ways(struct ways *ways, const Py_buffer *b, int64_t terms)
{
    struct fit *fit = &ways->fit;
    fit->count = items(&b[LEVELS], sizeof(int32_t));
    fit->costs = b[COSTS].buf;
    fit->sent = b[SENT].buf;
    ways->levels = b[LEVELS].buf;
    ways->tried = b[TRIED].buf;
    ways->tried_count = b[TRIED].len;
    for (Py_ssize_t k = 0; k < b[TRIED].len; k++)
        if (ways->tried[k] >= FIT_AXES)
            return refuse("an axis that there is not");
    if (fit->count < 0)
        return 0;
    if (!fit->count || fit->count >= MAX_WEIGHTS)
        return refuse("no weights, or too many");
    if (!has_items(&b[COSTS], 2, FIT_SHAPES * FIT_CLASSES * FIT_ROW)
        || !has_items(&b[SENT], 2, FIT_SPREADS * FIT_DELTAS) || !read_dims(fit, &b[DIMS])
        || !read_scales(ways, b) || !read_memory(fit, &b[MEMORY])
        || !has_items(&b[ROOM], 1, ROOM_MEMORY + fit->count))
        return 0;
    if ((uintptr_t)b[ROOM].buf % sizeof(int64_t))
        return refuse("room that is not aligned");
    ways->halves = b[ROOM].buf;
    ways->candidates.widths = (int16_t *)(ways->halves + WAYS_PIECE);
    ways->classes = (uint8_t *)(ways->candidates.widths + CHOICE_SAMPLE);
    fit->classes = ways->classes;
    return read_neighbours(ways, b) && read_known(ways, b, terms);
}

static void write_state(int64_t *state, const struct way *way)
{
    state[0] = way->shape;
    state[1] = way->width;
    state[2] = way->bits;
    for (int64_t a = 0; a < FIT_AXES; a++)
        state[3 + a] = way->spread[a];
}

static void write_predictor(int64_t *pairs, const struct choice *choice)
{
    for (int64_t t = 0; t < choice->count; t++) {
        pairs[2 * t] = choice->index[t];
        pairs[2 * t + 1] = choice->coefficient[t];
    }
}

void write_ways(const Py_buffer *b, const struct ways *ways)
{
    write_state(b[BEST].buf, &ways->best);
    write_predictor(b[PREDICTOR].buf, &ways->best.choice);
    if (b[UNPREDICTED].len)
        write_state(b[UNPREDICTED].buf, &ways->unpredicted);
}

PyObject *fit_ways(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[WAYS_BUFFERS];
    struct ways ways = { 0 };
    long long axis_cost, term_cost, terms, thin;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*w*w*w*w*w*w*LLLL", &b[0], &b[1], &b[2], &b[3], &b[4],
            &b[5], &b[6], &b[7], &b[8], &b[9], &b[10], &b[11], &b[12], &axis_cost, &term_cost,
            &terms, &thin))
        return NULL;
    int is_known = !b[UNPREDICTED].len;
    int fits = read_ways(&ways, b, terms) && read_thin(&ways.fit, thin);
    if (fits) {
        ways.fit.axis_cost = axis_cost;
        ways.term_cost = term_cost;
        Py_BEGIN_ALLOW_THREADS
        (is_known ? refit_way : find_ways)(&ways);
        Py_END_ALLOW_THREADS
        write_ways(b, &ways);
    }
    release(b, WAYS_BUFFERS);
    return fits ? PyLong_FromLongLong(ways.best.choice.count) : NULL;
}
