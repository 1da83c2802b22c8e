#include "columns.h"

#include <string.h>

#define MOST_VARINT (((int64_t)1 << 35) - 1)
#define MOST_SIZE ((int64_t)1 << 31) /* of an object: none is larger than what lies between holes */
#define MOST_GIVEN (((int64_t)1 << 32) - 1)
#define MOST_FIELDS 255
#define MOST_TRIM 65535

static const uint8_t *take(struct input *in, int64_t size)
{
    if (size > in->size - in->place)
        return NULL;
    in->place += size;
    return in->data + in->place - size;
}

int64_t place_of(const struct vtable *vtable, int field)
{
    int64_t at = 2 + 2 * field;
    return at + 2 < vtable->size ? vtable->body[at] | vtable->body[at + 1] << 8 : 0;
}

int set_kinds(struct columns *columns, const struct kind *kinds, int64_t count)
{
    if (count > MOST_KINDS - ROOT_KIND)
        return 0;
    columns->kinds = kinds;
    columns->kind_count = ROOT_KIND + (int)count;
    memset(columns->last_child, 0, sizeof columns->last_child);
    for (int kind = ROOT_KIND + 1; kind < columns->kind_count; kind++) {
        int parent = kind_at(columns, kind)->parent;
        if (parent < ROOT_KIND || parent >= kind)
            return 0;
        columns->last_child[parent] = kind;
    }
    return 1;
}

/* --- tables ------------------------------------------------------------------------------ */

static void insert(struct fields *fields, int64_t place)
{
    int at = fields->count++;
    for (; at > 0 && fields->place[at - 1] > place; at--)
        fields->place[at] = fields->place[at - 1];
    fields->place[at] = place;
}

/* Whether references and the counter lie side by side between the offset and the end. */
static int are_apart(const struct fields *fields, int64_t extent)
{
    int64_t end = WORD;
    int is_counter_passed = !fields->counter;
    for (int i = 0; i <= fields->count; i++) {
        int64_t next = i < fields->count ? fields->place[i] : extent;
        if (!is_counter_passed && fields->counter <= next) {
            if (fields->counter < end)
                return 0;
            end = fields->counter + WORD;
            is_counter_passed = 1;
        }
        if (next < end)
            return 0;
        end = next + WORD;
    }
    return is_counter_passed;
}

const struct fields *fields_of(struct columns *columns, int kind, int64_t index)
{
    struct fields *fields = &columns->fields[kind][index % KEPT_FIELDS];
    const struct vtable *vtable = &columns->vtable[index];
    if (fields->vtable == index)
        return fields;
    fields->vtable = index;
    fields->count = 0;
    fields->counter = 0;
    for (int child = kind + 1; child <= columns->last_child[kind]; child++) {
        const struct kind *other = kind_at(columns, child);
        int64_t place = other->parent == kind ? place_of(vtable, other->field) : 0;
        if (place && fields->count < MOST_REFERENCES)
            insert(fields, place);
    }
    if (kind == COUNTED_KIND)
        fields->counter = place_of(vtable, COUNTER_FIELD);
    if (are_apart(fields, vtable->extent))
        return fields;
    fields->vtable = -1;
    return NULL;
}

/* A number of an object. */
static int read_small(struct input *in, int64_t most, uint32_t *number)
{
    int64_t value;
    if (!read_varint(in, most, &value))
        return 0;
    *number = (uint32_t)value;
    return 1;
}

static int read_tables(struct input *in, struct columns *columns, int kind)
{
    int64_t last = columns->first[kind + 1];
    for (int64_t i = columns->first[kind]; i < last; i++)
        if (!read_small(in, objects_of(columns, VTABLE_KIND) - 1, &columns->object[i].items))
            return 0;
    for (int64_t i = columns->first[kind]; i < last; i++) {
        struct object *object = &columns->object[i];
        const struct fields *fields = fields_of(columns, kind, object->items);
        if (!fields)
            return 0;
        object->size = (uint32_t)columns->vtable[object->items].extent;
        object->data = take(in, (int64_t)object->size - WORD - WORD * fields->count);
        if (!object->data)
            return 0;
    }
    return 1;
}

/* --- what is no table -------------------------------------------------------------------- */

static int read_bytes(struct input *in, struct columns *columns)
{
    int64_t last = columns->first[BYTES_KIND + 1];
    for (int64_t i = 0; i < last; i++)
        if (!read_small(in, MOST_SIZE, &columns->object[i].size) || !columns->object[i].size)
            return 0;
    for (int64_t i = 0; i < last; i++)
        if (!(columns->object[i].data = take(in, columns->object[i].size)))
            return 0;
    return 1;
}

static int read_texts(struct input *in, struct columns *columns, int kind)
{
    for (int64_t i = columns->first[kind]; i < columns->first[kind + 1]; i++) {
        struct object *object = &columns->object[i];
        int64_t left = in->size - in->place;
        object->data = in->data + in->place;
        const uint8_t *end = left ? memchr(object->data, 0, (size_t)left) : NULL;
        if (!end)
            return 0;
        object->items = (uint32_t)(end - object->data);
        object->size = WORD + object->items + 1;
        in->place += object->items + 1;
    }
    return 1;
}

static int skip_varints(struct input *in, int64_t count)
{
    int64_t value;
    for (; count; count--)
        if (!read_varint(in, MOST_VARINT, &value))
            return 0;
    return 1;
}

static int read_vectors(struct input *in, struct columns *columns, int kind)
{
    const struct kind *own = kind_at(columns, kind);
    int64_t last = columns->first[kind + 1];
    for (int64_t i = columns->first[kind]; i < last; i++) {
        struct object *object = &columns->object[i];
        if (!read_small(in, MOST_SIZE / own->item_size, &object->items))
            return 0;
        object->is_holed = own->form != FORM_LIST && !object->items;
        object->items -= own->form != FORM_LIST && object->items;
        object->size = WORD + own->item_size * object->items;
    }
    if (own->form == FORM_LIST)
        return 1;
    for (int64_t i = columns->first[kind]; i < last; i++) {
        struct object *object = &columns->object[i];
        object->data = in->data + in->place;
        if (own->form >= FORM_INTEGERS ? !skip_varints(in, object->items)
                                       : !take(in, (int64_t)object->size - WORD))
            return 0;
    }
    return 1;
}

/* --- all --------------------------------------------------------------------------------- */

static int read_vtables(struct input *in, struct columns *columns)
{
    int64_t count = objects_of(columns, VTABLE_KIND), fields;
    for (int64_t i = 0; i < count; i++) {
        if (!read_varint(in, MOST_FIELDS, &fields))
            return 0;
        columns->vtable[i].size = WORD + 2 * fields;
    }
    for (int64_t i = 0; i < count; i++)
        if (!read_varint(in, MOST_TRIM, &columns->vtable[i].extent))
            return 0;
    for (int64_t i = 0; i < count; i++) {
        struct vtable *vtable = &columns->vtable[i];
        if (!(vtable->body = take(in, vtable->size - 2)))
            return 0;
        vtable->extent = (vtable->body[0] | vtable->body[1] << 8) - vtable->extent;
        if (vtable->extent < WORD)
            return 0;
    }
    return 1;
}

static int read_head(struct input *in, struct columns *columns)
{
    int64_t order;
    if (!read_varint(in, MOST_OBJECTS, &columns->count) || !read_byte(in, &order) || order > 1)
        return 0;
    columns->in_order = (int)order;
    columns->kind_of = take(in, columns->count);
    return columns->kind_of && read_varint(in, MOST_OBJECTS, &columns->patches);
}

static int64_t count_vtables(const struct columns *columns)
{
    int64_t count = 0;
    for (int64_t i = 0; i < columns->count; i++)
        count += columns->kind_of[i] == VTABLE_KIND;
    return count;
}

int64_t room_for_columns(struct input in)
{
    struct columns columns;
    if (!read_head(&in, &columns))
        return 0;
    return columns.count * (int64_t)sizeof(struct object)
        + count_vtables(&columns) * (int64_t)sizeof(struct vtable)
        + columns.patches * 2 * (int64_t)sizeof(int64_t) + 4 * 2 * ROOM_STEP;
}

static int take_arrays(struct room *room, struct columns *columns)
{
    columns->object = take_room(room, columns->count, sizeof(struct object));
    columns->vtable = take_room(room, count_vtables(columns), sizeof(struct vtable));
    columns->patched = take_room(room, columns->patches, sizeof(int64_t));
    columns->given = take_room(room, columns->patches, sizeof(int64_t));
    return columns->object && columns->vtable && columns->patched && columns->given;
}

static int read_patches(struct input *in, struct columns *columns)
{
    int64_t next = 0;
    for (int64_t i = 0; i < columns->patches; i++) {
        if (!read_varint(in, MOST_VARINT, &columns->patched[i]))
            return 0;
        columns->patched[i] += next;
        next = columns->patched[i] + 1;
    }
    for (int64_t i = 0; i < columns->patches; i++)
        if (!read_varint(in, MOST_GIVEN, &columns->given[i]))
            return 0;
    return 1;
}

/* Where the objects of each kind start among all, sorted. */
static int count_kinds(struct columns *columns)
{
    memset(columns->first, 0, sizeof columns->first);
    for (int64_t i = 0; i < columns->count; i++) {
        if (columns->kind_of[i] >= columns->kind_count)
            return 0;
        columns->first[columns->kind_of[i] + 1]++;
    }
    for (int kind = 0; kind < columns->kind_count; kind++)
        columns->first[kind + 1] += columns->first[kind];
    memset(columns->object, 0, (size_t)columns->count * sizeof(struct object));
    return 1;
}

static int read_kind(struct input *in, struct columns *columns, int kind)
{
    for (int i = 0; i < KEPT_FIELDS; i++)
        columns->fields[kind][i].vtable = -1;
    switch (kind_at(columns, kind)->form) {
    case FORM_TABLE:
        return read_tables(in, columns, kind);
    case FORM_TEXT:
        return read_texts(in, columns, kind);
    default:
        return read_vectors(in, columns, kind);
    }
}

int read_columns(struct input in, struct room room, struct columns *columns)
{
    if (!read_head(&in, columns) || !take_arrays(&room, columns) || !read_patches(&in, columns)
        || !count_kinds(columns) || !read_vtables(&in, columns) || !read_bytes(&in, columns))
        return 0;
    for (int kind = ROOT_KIND; kind < columns->kind_count; kind++)
        if (!read_kind(&in, columns, kind))
            return 0;
    return in.place == in.size;
}
