#include "folds.h"

#include <string.h>

#include "holes.h"
#include "input.h"

#define LEAST_RUN 3 /* bytes */
#define KIND_BITS 3

/* The next run, after one that ends at `end`. */
static int read_run(struct input *in, int64_t weights, int64_t end, struct repeat *repeat)
{
    int64_t gap, back, size;
    if (!read_varint(in, weights, &gap) || !read_varint(in, weights, &back)
        || !read_varint(in, (weights + 1) << KIND_BITS, &size))
        return 0;
    *repeat = (struct repeat){ end + gap, end + gap - back, size >> KIND_BITS,
        size & ((1 << KIND_BITS) - 1) };
    return 1;
}

static int read_runs(struct input *in, int64_t weights, struct fold *fold)
{
    int64_t end = 0;
    for (int64_t i = 0; i < fold->count; i++) {
        struct repeat *repeat = &fold->repeats[i];
        if (!read_run(in, weights, end, repeat))
            return 0;
        end = repeat->start + repeat->length;
    }
    return in->place == in->size && are_repeats(fold->repeats, fold->count, weights);
}

/* A place among the spans of a slice. */
struct cursor {
    const struct span *span;
    int64_t before; /* weights of the spans before it */
};

/* Append the spans of weights of the slice, which come after those of the call before. */
static void add_spans(
    struct cursor *at, int64_t start, int64_t stop, struct span *spans, int64_t *count)
{
    while (start < stop) {
        int64_t end = at->before + at->span->stop - at->span->start;
        if (end > start) {
            int64_t first = at->span->start - at->before, last = end < stop ? end : stop;
            spans[(*count)++] = (struct span){ at->span->tensor, first + start, first + last };
            start = last;
        } else {
            at->before = end;
            at->span++;
        }
    }
}

/* What is between runs. */
static void find_spans(const struct fold *fold, struct span *spans, struct piece *piece)
{
    struct cursor at = { fold->spans, 0 };
    int64_t start = 0, weights = 0, count = 0;
    for (int64_t i = 0; i <= fold->count; i++) {
        const struct repeat *repeat = &fold->repeats[i];
        int64_t stop = i < fold->count ? repeat->start : fold->weights;
        add_spans(&at, start, stop, spans, &count);
        weights += stop - start;
        start = i < fold->count ? stop + repeat->length : stop;
    }
    piece->spans = spans;
    piece->span_count = count;
    piece->weights = weights;
    piece->is_folded = 1;
}

int read_fold(struct bytes payload, struct room *room, struct fold *fold, struct piece *piece)
{
    struct input in = { payload.data, payload.size, 0 };
    *fold = (struct fold){ NULL, 0, piece->spans, piece->span_count, piece->weights };
    if (!read_varint(&in, payload.size / LEAST_RUN, &fold->count))
        return 0;
    fold->repeats = take_room(room, fold->count + 1, sizeof *fold->repeats);
    struct span *spans = take_room(room, fold->count + 1 + fold->span_count, sizeof *spans);
    if (!fold->repeats || !spans || !read_runs(&in, fold->weights, fold))
        return 0;
    find_spans(fold, spans, piece);
    return 1;
}

/* Several tensors: their weights are put next to each other, and back. */
static int unfold_all(const struct network *network, const struct fold *fold, int64_t size,
    uint8_t *model, struct room room)
{
    const struct piece all = { .spans = fold->spans, .span_count = fold->span_count };
    uint8_t *weights = take_room(&room, fold->weights, (size_t)size), *next = weights;
    if (!weights)
        return 0;
    for (int64_t i = 0; i < fold->span_count; i++) {
        const struct span *span = &fold->spans[i];
        size_t bytes = (size_t)((span->stop - span->start) * size);
        memcpy(next, hole_of(network, span, model), bytes);
        next += bytes;
    }
    copy_repeats(fold->repeats, fold->count, size, weights);
    copy_to_holes(network, &all, weights, model);
    return 1;
}

int unfold(const struct network *network, const struct fold *fold, uint8_t *model, struct room room)
{
    if (!fold->count)
        return 1;
    int64_t size = bits_of(network->tensor[fold->spans->tensor].type) / 8;
    if (fold->span_count > 1)
        return unfold_all(network, fold, size, model, room);
    copy_repeats(fold->repeats, fold->count, size, hole_of(network, fold->spans, model));
    return 1;
}
