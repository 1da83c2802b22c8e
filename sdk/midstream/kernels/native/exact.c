#include "exact.h"

#include <string.h>

#include "bits.h"
#include "cells.h"
#include "cells_even.h"
#include "counts.h"
#include "holes.h"

#define BINARY_TABLES 32

/* The size of the step of each weight. */
static double *find_sizes(const struct network *network, const struct piece *piece, int64_t trits,
    const double *sizes, struct room *room)
{
    double *steps = take_room(room, piece->weights, sizeof *steps);
    int16_t *indices = take_room(room, piece->weights, sizeof *indices);
    if (!steps || !indices)
        return NULL;
    for (int64_t i = 0, done = 0; i < piece->span_count; i++) {
        const struct span *span = &piece->spans[i];
        const int64_t count = span->stop - span->start;
        const struct tensor *tensor = &network->tensor[span->tensor];
        const double size = size_of(tensor->step, trits, 1, sizes);
        for (int64_t k = done; k < done + count; k++)
            steps[k] = size;
        if (!is_even(tensor))
            find_steps(network, span, indices);
        for (int64_t k = 0; k < count && !is_even(tensor); k++)
            steps[done + k] = k && indices[k] == indices[k - 1]
                ? steps[done + k - 1]
                : size_of(indices[k], trits, 1, sizes);
        done += count;
    }
    return steps;
}

/* Whether a slice is of one step, and as many weights as that pays for. */
static int is_of_one_step(const struct network *network, const struct piece *piece)
{
    const struct tensor *tensor = network->tensor;
    int is_one = piece->weights >= EVEN_WEIGHTS;
    for (int64_t i = 0; i < piece->span_count; i++)
        is_one &= is_even(&tensor[piece->spans[i].tensor])
            && tensor[piece->spans[i].tensor].step == tensor[piece->spans[0].tensor].step;
    return is_one;
}

/* Ordinals as read_ordinals gives them, step by step where there is more than one. */
static int64_t read_with_steps(struct cells *cells, const struct network *network,
    const struct piece *piece, int64_t trits, const double *sizes, struct bytes payload,
    struct room room, void *out)
{
    const double size = size_of(network->tensor[piece->spans[0].tensor].step, trits, 1, sizes);
    cells->is_even = is_of_one_step(network, piece);
    cells->steps = &size;
    int64_t taken = CELLS_UNKNOWN;
    if (cells->is_even)
        taken = read_ordinals(cells, payload.data, payload.size, out);
    if (taken != CELLS_UNKNOWN)
        return taken;
    cells->is_even = 0;
    cells->steps = find_sizes(network, piece, trits, sizes, &room);
    return cells->steps ? read_ordinals(cells, payload.data, payload.size, out) : CELLS_SHORT;
}

static int prepare(struct cells *cells, const struct piece *piece, int64_t type, struct room *room)
{
    cells->levels = piece->levels;
    cells->count = piece->weights;
    cells->bits = bits_of(type);
    cells->mantissa = type == TYPE_FLOAT32 ? 23 : type == TYPE_FLOAT16 ? 10 : 7;
    cells->first = take_room(room, cells->count, sizeof *cells->first);
    cells->ordinals = take_room(room, cells->count, sizeof *cells->ordinals);
    cells->zero_at = take_room(room, cells->count, sizeof *cells->zero_at);
    cells->core = take_room(room, cells->count, 1);
    if (!cells->first || !cells->ordinals || !cells->zero_at || !cells->core)
        return 0;
    cells->zeros = zero_levels(cells->levels, cells->count);
    memset(cells->core, 0, (size_t)cells->count);
    return 1;
}

/* Values of weights that are not in their cells, to the end of the payload. */
static int read_exceptions(struct bytes payload, const struct cells *cells, uint8_t *out)
{
    uint64_t count, gap;
    const int64_t item = cells->bits / 8;
    int64_t size = read_leb128(payload.data, payload.size, 1, &count);
    if (size < 0 || count > (uint64_t)cells->count || payload.size - size < (int64_t)count * item)
        return 0;
    const uint8_t *value = payload.data + payload.size - (int64_t)count * item;
    const uint8_t *next = payload.data + size, *end = value;
    for (int64_t place = -1; count; count--, value += item) {
        size = read_leb128(next, end - next, 1, &gap);
        if (size < 0 || gap >= (uint64_t)(cells->count - place - 1))
            return 0;
        place += (int64_t)gap + 1;
        next += size;
        memcpy(out + place * item, value, (size_t)item);
    }
    return next == end;
}

int decode_exact_of(const struct network *network, const struct piece *piece, int64_t trits,
    const double *sizes, uint8_t *model, struct room room)
{
    const int64_t type = network->tensor[piece->spans[0].tensor].type;
    struct bytes payload = piece->payload;
    struct cells cells = { 0 };
    if (type > TYPE_BFLOAT16 || !payload.size || !prepare(&cells, piece, type, &room))
        return 0;
    void *out = take_room(&room, cells.count, (size_t)cells.bits / 8);
    cells.mode = payload.data[0] & 3;
    cells.table = payload.data[0] >> 2;
    if (!out || cells.table >= BINARY_TABLES || (cells.table && !cells.mode))
        return 0;
    payload = (struct bytes){ payload.data + 1, payload.size - 1 };
    int64_t taken = read_with_steps(&cells, network, piece, trits, sizes, payload, room, out);
    if (taken < 0)
        return 0;
    payload = (struct bytes){ payload.data + taken, payload.size - taken };
    if (!read_exceptions(payload, &cells, out))
        return 0;
    copy_to_holes(network, piece, out, model);
    return 1;
}
