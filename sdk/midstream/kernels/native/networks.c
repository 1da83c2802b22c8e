#include "networks.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"

#define NO_AXIS_GIVEN 15
#define MOST_DIMENSION ((int64_t)1 << 31)
#define MAGIC_BYTES 5 /* with the version and the kind */
#define MOST_LAYER 255

int reserve_tensors(struct parsed *parsed, int64_t count)
{
    size_t wanted = count > 0 ? (size_t)count : 1;
    *parsed = (struct parsed){ .count = count, .tensor = calloc(wanted, sizeof *parsed->tensor),
        .is_coded = calloc(wanted, 1), .same_as = calloc(wanted, sizeof *parsed->same_as) };
    return parsed->tensor && parsed->is_coded && parsed->same_as;
}

void free_tensors(struct parsed *parsed)
{
    free(parsed->tensor);
    free(parsed->is_coded);
    free(parsed->same_as);
    free(parsed->vector);
}

/* --- heads ------------------------------------------------------------------------------- */

static int find_blob(struct input *in, int64_t most, int64_t *start, int64_t *size)
{
    if (!read_varint(in, most, size) || *size > in->size - in->place)
        return 0;
    *start = in->place;
    in->place += *size;
    return 1;
}

/* What is in the topology's blob, which ends where its frame does. */
static int outline_topology(struct input *in, const struct bounds *bounds, struct outline *outline)
{
    int64_t most;
    if (!read_varint(in, bounds->model_size, &outline->model_size)
        || !read_varint(in, bounds->tensors, &outline->tensors))
        return 0;
    most = outline->model_size + 64 * outline->tensors;
    most = most < bounds->topology_size ? most : bounds->topology_size;
    if (!read_varint(in, most, &outline->content_size))
        return 0;
    outline->frame = in->place;
    outline->frame_size = in->size - in->place;
    return 1;
}

int read_outline(struct bytes unit, const struct bounds *bounds, struct outline *outline)
{
    static const uint8_t start[MAGIC_BYTES] = { 'M', 'D', 'U', 0, 0 };
    struct input in = { unit.data, unit.size, MAGIC_BYTES };
    int64_t layer, head, size, topology, topology_size;
    if (unit.size < MAGIC_BYTES || memcmp(unit.data, start, MAGIC_BYTES)
        || !read_varint(&in, MOST_LAYER, &layer) || !find_blob(&in, bounds->unit_size, &head, &size))
        return 0;
    in = (struct input){ unit.data, head + size, head };
    if (!find_blob(&in, bounds->unit_size, &topology, &topology_size))
        return 0;
    struct input inner = { unit.data, topology + topology_size, topology };
    if (!outline_topology(&inner, bounds, outline)
        || !find_blob(&in, 64 + 4 * outline->tensors, &outline->flags, &outline->flags_size))
        return 0;
    outline->rest = in.place;
    outline->rest_size = in.size - in.place;
    return 1;
}

/* --- the table of tensors ---------------------------------------------------------------- */

static int read_axis(int64_t given, int64_t axes, int64_t *axis)
{
    *axis = given == NO_AXIS_GIVEN ? NO_AXIS : given;
    return *axis < axes;
}

static int read_shape(struct input *in, const struct bounds *bounds, int64_t most_weights,
    struct tensor *tensor)
{
    tensor->weights = 1;
    if (!read_byte(in, &tensor->axes) || tensor->axes > MAX_AXES || tensor->axes > bounds->dimensions)
        return 0;
    for (int64_t i = 0; i < tensor->axes; i++) {
        int64_t size;
        if (!read_varint(in, MOST_DIMENSION, &size) || !size || tensor->weights > most_weights / size)
            return 0;
        tensor->size[i] = size;
        tensor->weights *= size;
    }
    return 1;
}

/* A tensor after the end of the one before it; gives where it ends, or -1. */
static int64_t read_tensor(struct input *in, const struct bounds *bounds, int64_t model_size,
    int64_t end, struct tensor *tensor)
{
    int64_t gap, named;
    if (!read_varint(in, bounds->model_size, &gap) || !read_byte(in, &tensor->type)
        || tensor->type < TYPE_FLOAT32 || tensor->type > TYPE_INT4 || !read_byte(in, &named)
        || !read_shape(in, bounds, 2 * model_size, tensor)
        || !read_axis(named & 15, tensor->axes, &tensor->row_axis)
        || !read_axis(named >> 4, tensor->axes, &tensor->column_axis))
        return -1;
    tensor->offset = end + gap;
    end = tensor->offset + (tensor->weights * bits_of(tensor->type) + 7) / 8;
    return end <= model_size ? end : -1;
}

int read_table(struct bytes content, const struct bounds *bounds, int64_t model_size,
    struct parsed *parsed)
{
    struct input in = { content.data, content.size, 0 };
    int64_t end = 0, between = model_size;
    for (int64_t i = 0; i < parsed->count; i++) {
        end = read_tensor(&in, bounds, model_size, end, &parsed->tensor[i]);
        if (end < 0)
            return 0;
        between -= end - parsed->tensor[i].offset;
    }
    parsed->table_size = in.place;
    return content.size - in.place == between;
}
