#include "partitions.h"

#include <stdlib.h>

#define TYPES (TYPE_INT4 + 1)
#define MOST_WEIGHTS ((int64_t)1 << 38)
#define NO_SLICE (-1)

/* The slice of small tensors of a kind that is still open. */
struct shared {
    int64_t slice, weights;
};

/* A partition while tensors are given their slices. */
struct cutting {
    const struct parsed *parsed;
    const struct bounds *bounds;
    struct partition *cut;
    int64_t *first; /* of the slices of each tensor */
    struct shared shared[TYPES][2];
};

void free_partition(struct partition *cut)
{
    free(cut->span);
    free(cut->entry);
    free(cut->group);
}

static int64_t pieces_of(const struct tensor *tensor, const struct bounds *bounds)
{
    return (tensor->weights + bounds->slice_weights - 1) / bounds->slice_weights;
}

static int is_small(const struct cutting *cutting, int64_t at)
{
    return cutting->parsed->tensor[at].weights < cutting->bounds->small;
}

static int is_tied(const struct cutting *cutting, int64_t at)
{
    return cutting->parsed->same_as[at] != NO_TENSOR;
}

/* Memory for as many slices and spans as there may be. */
static int reserve(struct cutting *cutting)
{
    const struct parsed *parsed = cutting->parsed;
    struct partition *cut = cutting->cut;
    int64_t most = 1;
    for (int64_t i = 0; i < parsed->count; i++) {
        if (parsed->tensor[i].weights > MOST_WEIGHTS)
            return 0;
        most += pieces_of(&parsed->tensor[i], cutting->bounds);
    }
    cutting->first = malloc(sizeof *cutting->first * (size_t)(parsed->count + 1));
    cut->span = malloc(sizeof *cut->span * (size_t)most);
    cut->entry = calloc((size_t)most, sizeof *cut->entry);
    cut->group = malloc(sizeof *cut->group * (size_t)most);
    return cutting->first && cut->span && cut->entry && cut->group;
}

/* --- slices ------------------------------------------------------------------------------ */

/* The slice of a small tensor: the open one of its kind, or a new one where it is full. */
static int64_t share(struct cutting *cutting, int64_t at)
{
    const struct tensor *tensor = &cutting->parsed->tensor[at];
    struct shared *shared = &cutting->shared[tensor->type][cutting->parsed->is_coded[at]];
    if (shared->slice == NO_SLICE
        || shared->weights + tensor->weights > cutting->bounds->shared_weights)
        *shared = (struct shared){ cutting->cut->entries++, 0 };
    shared->weights += tensor->weights;
    cutting->cut->entry[shared->slice].spans++;
    return shared->slice;
}

/* Slices in order of their first weights: a shared one is where its first tensor is. */
static void find_slices(struct cutting *cutting)
{
    struct partition *cut = cutting->cut;
    for (int64_t i = 0; i < cutting->parsed->count; i++) {
        if (is_tied(cutting, i))
            continue;
        if (is_small(cutting, i)) {
            cutting->first[i] = share(cutting, i);
            continue;
        }
        cutting->first[i] = cut->entries;
        for (int64_t k = pieces_of(&cutting->parsed->tensor[i], cutting->bounds); k > 0; k--)
            cut->entry[cut->entries++].spans = 1;
    }
}

/* --- spans ------------------------------------------------------------------------------- */

/* Where a piece starts: even, so that no byte of two int4 weights is cut. */
static int64_t edge(int64_t weights, int64_t piece, int64_t pieces)
{
    return piece == pieces ? weights : (weights * piece / pieces + 1) & ~(int64_t)1;
}

static void add_span(struct partition *cut, int64_t slice, int64_t tensor, int64_t start, int64_t stop)
{
    struct entry *entry = &cut->entry[slice];
    cut->span[entry->first_span + entry->spans++] = (struct span){ tensor, start, stop };
}

static void find_spans(struct cutting *cutting)
{
    struct partition *cut = cutting->cut;
    for (int64_t i = 0; i < cut->entries; i++) {
        cut->entry[i].first_span = cut->spans;
        cut->spans += cut->entry[i].spans;
        cut->entry[i].spans = 0; /* counted again while they are added */
    }
    for (int64_t i = 0; i < cutting->parsed->count; i++) {
        const struct tensor *tensor = &cutting->parsed->tensor[i];
        if (is_tied(cutting, i))
            continue;
        int64_t pieces = is_small(cutting, i) ? 1 : pieces_of(tensor, cutting->bounds);
        for (int64_t k = 0; k < pieces; k++)
            add_span(cut, cutting->first[i] + k, i, edge(tensor->weights, k, pieces),
                edge(tensor->weights, k + 1, pieces));
    }
}

/* --- groups ------------------------------------------------------------------------------ */

static int64_t weights_of(const struct partition *cut, int64_t slice)
{
    const struct entry *entry = &cut->entry[slice];
    int64_t weights = 0;
    for (int64_t i = entry->first_span; i < entry->first_span + entry->spans; i++)
        weights += cut->span[i].stop - cut->span[i].start;
    return weights;
}

static void add_group(struct partition *cut, int64_t entries, int64_t weights)
{
    cut->group[cut->groups++] = entries;
    cut->most_entries = entries > cut->most_entries ? entries : cut->most_entries;
    cut->most_weights = weights > cut->most_weights ? weights : cut->most_weights;
}

static void find_groups(struct partition *cut, int64_t most)
{
    int64_t first = 0, weights = 0;
    for (int64_t i = 0; i < cut->entries; i++) {
        int64_t own = weights_of(cut, i);
        if (weights && weights + own > most) {
            add_group(cut, i - first, weights);
            first = i;
            weights = 0;
        }
        weights += own;
    }
    if (cut->entries)
        add_group(cut, cut->entries - first, weights);
}

int cut_slices(const struct parsed *parsed, const struct bounds *bounds, struct partition *cut)
{
    struct cutting cutting = { .parsed = parsed, .bounds = bounds, .cut = cut };
    for (int i = 0; i < TYPES; i++)
        cutting.shared[i][0].slice = cutting.shared[i][1].slice = NO_SLICE;
    *cut = (struct partition){ 0 };
    int is_reserved = reserve(&cutting);
    if (is_reserved) {
        find_slices(&cutting);
        find_spans(&cutting);
        find_groups(cut, bounds->group_weights);
    }
    free(cutting.first);
    return is_reserved;
}
