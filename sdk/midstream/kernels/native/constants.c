#include "constants.h"

#include <stdlib.h>

#define MOST_ITEMS ((int64_t)1 << 20) /* of a vector */
#define MOST_NAME ((int64_t)1 << 16)
#define MOST_FORWARDED ((int64_t)1 << 62) /* what was read is read again */

enum { MODEL_CODES = 1, MODEL_GRAPHS = 2, MODEL_BUFFERS = 4 };
enum { GRAPH_TENSORS = 0, GRAPH_OPERATORS = 3 };
enum { TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_VARIABLE = 5, TENSOR_SPARSITY };
enum { BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE };
enum { OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS };
enum { CODE_OLD = 0, CODE_NEW = 3 };
enum { CONV = 3, DEPTHWISE_CONV = 4, DEQUANTIZE = 6, FULLY_CONNECTED = 9 };
enum { TRANSPOSE_CONV = 67, CONV_3D = 132, TRANSPOSE_CONV_3D = 141 };

/* What a kind of operator does with all that it reads, and which input is its bias. */
struct reader {
    uint8_t uses;
    int8_t bias;
    int8_t forwards; /* whether who reads its result reads what it reads */
};

struct graphs {
    struct flatbuffer file;
    const struct constant_bounds *bounds;
    struct reader *reader;
    struct vector *buffer;
    int64_t readers, buffers, tensors;
};

/* --- operators and buffers --------------------------------------------------------------- */

static struct reader operator_of(int64_t code)
{
    switch (code) {
    case CONV:
        return (struct reader){ CONVOLVED, 2, 0 };
    case DEPTHWISE_CONV:
        return (struct reader){ DEPTHWISE, 2, 0 };
    case DEQUANTIZE:
        return (struct reader){ 0, -1, 1 };
    case FULLY_CONNECTED:
        return (struct reader){ 0, 2, 0 };
    case TRANSPOSE_CONV:
        return (struct reader){ CONVOLVED, 3, 0 };
    case CONV_3D:
        return (struct reader){ CONVOLVED_3D, 2, 0 };
    case TRANSPOSE_CONV_3D:
        return (struct reader){ TRANSPOSED_3D, 3, 0 };
    default:
        return (struct reader){ 0, -1, 0 };
    }
}

/* The old field holds numbers below 127, the new one all. */
static int read_readers(struct graphs *graphs, const struct table *model)
{
    struct vector codes;
    struct table table;
    int64_t old, new;
    if (!read_vector(&graphs->file, model, MODEL_CODES, 4, MOST_ITEMS, &codes))
        return 0;
    graphs->reader = malloc(sizeof *graphs->reader * (size_t)(codes.count + 1));
    for (int64_t i = 0; graphs->reader && i < codes.count; i++) {
        if (!read_item(&graphs->file, &codes, i, &table)
            || !read_field(&graphs->file, &table, CODE_OLD, 1, &old)
            || !read_field(&graphs->file, &table, CODE_NEW, 4, &new))
            return 0;
        old = (int8_t)(uint8_t)old;
        graphs->reader[i] = operator_of(old > new ? old : new);
    }
    graphs->readers = codes.count;
    return graphs->reader != NULL;
}

/* In the flatbuffer, or after it in a large file. */
static int read_place(struct graphs *graphs, const struct table *table, struct vector *place)
{
    const struct flatbuffer *file = &graphs->file;
    if (!read_vector(file, table, BUFFER_DATA, 1, graphs->bounds->model_size, place))
        return 0;
    if (place->count)
        return 1;
    if (!read_field(file, table, BUFFER_OFFSET, 8, &place->start)
        || !read_field(file, table, BUFFER_SIZE, 8, &place->count))
        return 0;
    if (place->start > 1) /* 0 is absent, 1 is the writers' placeholder */
        return is_span(file, place->start, place->count);
    *place = (struct vector){ 0, 0 };
    return 1;
}

static int read_buffers(struct graphs *graphs, const struct table *model)
{
    struct vector buffers;
    struct table table;
    if (!read_vector(&graphs->file, model, MODEL_BUFFERS, 4, graphs->bounds->tensors, &buffers))
        return 0;
    graphs->buffer = malloc(sizeof *graphs->buffer * (size_t)(buffers.count + 1));
    for (int64_t i = 0; graphs->buffer && i < buffers.count; i++)
        if (!read_item(&graphs->file, &buffers, i, &table)
            || !read_place(graphs, &table, &graphs->buffer[i]))
            return 0;
    graphs->buffers = buffers.count;
    return graphs->buffer != NULL;
}

/* --- who reads a tensor ------------------------------------------------------------------ */

/* Its kind and inputs, and the outputs of one that forwards. */
static int read_operator(struct graphs *graphs, const struct vector *operators, int64_t index,
    struct reader *kind, struct vector *inputs, struct vector *outputs)
{
    struct table table;
    int64_t code;
    *outputs = (struct vector){ 0, 0 };
    if (!read_item(&graphs->file, operators, index, &table)
        || !read_field(&graphs->file, &table, OPERATOR_CODE, 4, &code) || code >= graphs->readers
        || !read_items(&graphs->file, &table, OPERATOR_INPUTS, 4, MOST_ITEMS, inputs))
        return 0;
    *kind = graphs->reader[code];
    return !kind->forwards
        || read_items(&graphs->file, &table, OPERATOR_OUTPUTS, 4, MOST_ITEMS, outputs);
}

static int find_uses(
    struct graphs *graphs, const struct vector *operators, uint8_t *uses, int64_t count)
{
    struct reader kind;
    struct vector inputs, outputs;
    for (int64_t i = 0; i < operators->count; i++) {
        if (!read_operator(graphs, operators, i, &kind, &inputs, &outputs))
            return 0;
        for (int64_t place = 0; place < inputs.count; place++) {
            int64_t tensor = item_of(&graphs->file, &inputs, place);
            if (tensor >= 0 && tensor < count)
                uses[tensor] |= (uint8_t)(kind.uses | (place == kind.bias ? IS_BIAS : 0));
        }
    }
    return 1;
}

/* What dequantises weights is read once more: now it is known who reads its results. */
static int forward_uses(
    struct graphs *graphs, const struct vector *operators, uint8_t *uses, int64_t count)
{
    struct reader kind;
    struct vector inputs, outputs;
    for (int64_t i = 0; i < operators->count; i++) {
        if (!read_operator(graphs, operators, i, &kind, &inputs, &outputs))
            return 0;
        for (int64_t place = 0; place < inputs.count && place < outputs.count; place++) {
            int64_t source = item_of(&graphs->file, &inputs, place);
            int64_t result = item_of(&graphs->file, &outputs, place);
            if (source >= 0 && source < count && result >= 0 && result < count)
                uses[source] |= uses[result] & (uint8_t)~IS_BIAS;
        }
    }
    return 1;
}

/* --- tensors ----------------------------------------------------------------------------- */

static struct constant *add_constant(struct constants *found)
{
    if (found->count == found->room) {
        int64_t room = 2 * found->room + 64;
        struct constant *more = realloc(found->constant, sizeof *more * (size_t)room);
        if (!more)
            return NULL;
        found->constant = more;
        found->room = room;
    }
    struct constant *constant = &found->constant[found->count++];
    *constant = (struct constant){ 0 };
    return constant;
}

static int read_shape(
    struct graphs *graphs, const struct table *table, struct constant *constant, int *has_weights)
{
    struct vector shape;
    if (!read_items(&graphs->file, table, TENSOR_SHAPE, 4, graphs->bounds->dimensions, &shape))
        return 0;
    constant->axes = shape.count;
    for (int64_t i = 0; i < shape.count; i++) {
        constant->shape[i] = item_of(&graphs->file, &shape, i);
        *has_weights &= constant->shape[i] > 0;
    }
    return 1;
}

static int read_constant(struct graphs *graphs, const struct table *table, struct constant *constant)
{
    struct flatbuffer *file = &graphs->file;
    struct vector name;
    int64_t is_variable = 0;
    int has_weights = 1;
    if (!read_field(file, table, TENSOR_TYPE, 1, &constant->type)
        || !read_shape(graphs, table, constant, &has_weights))
        return 0;
    int is_known = constant->type < 64 && graphs->bounds->types >> constant->type & 1;
    if (is_known && !read_field(file, table, TENSOR_VARIABLE, 1, &is_variable))
        return 0;
    if (!is_known || is_variable || !has_weights) {
        constant->type = -1;
        return 1;
    }
    constant->is_sparse = find_field(file, table, TENSOR_SPARSITY) != 0;
    if (!read_items(file, table, TENSOR_NAME, 1, MOST_NAME, &name))
        return 0;
    constant->name = name.start;
    constant->name_size = name.count;
    return 1;
}

static int read_tensors(struct graphs *graphs, const struct table *tensors, const uint8_t *uses,
    int64_t count, struct constants *found)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t number;
        if (!read_field(&graphs->file, &tensors[i], TENSOR_BUFFER, 4, &number)
            || number >= graphs->buffers)
            return 0;
        if (!graphs->buffer[number].count)
            continue;
        struct constant *constant = add_constant(found);
        if (!constant || !read_constant(graphs, &tensors[i], constant))
            return 0;
        constant->buffer = number;
        constant->start = graphs->buffer[number].start;
        constant->size = graphs->buffer[number].count;
        constant->uses = uses[i];
    }
    return 1;
}

static int read_graph(struct graphs *graphs, const struct table *graph, struct constants *found)
{
    struct vector tensors, operators;
    if (!read_vector(&graphs->file, graph, GRAPH_TENSORS, 4, graphs->bounds->tensors, &tensors)
        || !read_vector(&graphs->file, graph, GRAPH_OPERATORS, 4, MOST_ITEMS, &operators))
        return 0;
    struct table *table = malloc(sizeof *table * (size_t)(tensors.count + 1));
    uint8_t *uses = calloc((size_t)(tensors.count + 1), 1);
    int is_good = table && uses;
    for (int64_t i = 0; is_good && i < tensors.count; i++)
        is_good = read_item(&graphs->file, &tensors, i, &table[i]);
    struct graphs again = *graphs;
    again.file.budget = MOST_FORWARDED;
    is_good = is_good && find_uses(graphs, &operators, uses, tensors.count)
        && forward_uses(&again, &operators, uses, tensors.count)
        && read_tensors(graphs, table, uses, tensors.count, found);
    free(table);
    free(uses);
    graphs->tensors += tensors.count;
    return is_good && graphs->tensors <= graphs->bounds->tensors;
}

int find_constants(
    struct flatbuffer file, const struct constant_bounds *bounds, struct constants *found)
{
    struct graphs graphs = { .file = file, .bounds = bounds };
    struct table model, graph;
    struct vector all;
    int is_good = read_root(&graphs.file, &model) && read_readers(&graphs, &model)
        && read_buffers(&graphs, &model)
        && read_vector(&graphs.file, &model, MODEL_GRAPHS, 4, MOST_ITEMS, &all);
    for (int64_t i = 0; is_good && i < all.count; i++)
        is_good = read_item(&graphs.file, &all, i, &graph) && read_graph(&graphs, &graph, found);
    free(graphs.reader);
    free(graphs.buffer);
    return is_good;
}
