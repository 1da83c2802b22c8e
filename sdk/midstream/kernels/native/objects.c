#include "objects.h"

#include <string.h>

#define HEADER_SIZE 8
#define MOST_WAY (((int64_t)1 << 32) - 1)

static const uint8_t identifier[4] = "TFL3";

static void put_word(uint8_t *to, int64_t value)
{
    uint32_t word = (uint32_t)(uint64_t)value; /* one store: compilers see that */
    to[0] = (uint8_t)word;
    to[1] = (uint8_t)(word >> 8);
    to[2] = (uint8_t)(word >> 16);
    to[3] = (uint8_t)(word >> 24);
}

static uint32_t get_word(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static int64_t align(int64_t place)
{
    return (place + WORD - 1) & ~(int64_t)(WORD - 1);
}

/* --- where objects are ------------------------------------------------------------------- */

/* How far the file is laid out. */
struct layout {
    int64_t place, shift, hole;
    int64_t next[MOST_KINDS]; /* object of each kind */
};

static int place_holed(struct layout *layout, const struct between *between, int item_size,
    struct object *object)
{
    if (layout->hole == between->holes)
        return 0;
    const struct hole *hole = &between->hole[layout->hole++];
    object->start = hole->start - WORD;
    object->at = (uint32_t)(object->start - layout->shift);
    object->items = (uint32_t)(hole->size / item_size);
    if (object->start < layout->place || hole->size % item_size)
        return 0;
    layout->shift += hole->size;
    layout->place = hole->start + hole->size;
    return 1;
}

/* Where one that starts there ends, if no hole is before that. */
static int pass(struct layout *layout, const struct between *between, int64_t start, int64_t size)
{
    int has_hole = layout->hole < between->holes;
    layout->place = start + size;
    return layout->place
        <= (has_hole ? between->hole[layout->hole].start : between->model_size);
}

static int place_object(struct columns *columns, const struct between *between,
    struct layout *layout, int kind)
{
    int64_t index = layout->next[kind]++;
    if (kind == VTABLE_KIND) {
        struct vtable *vtable = &columns->vtable[index - columns->first[VTABLE_KIND]];
        vtable->start = align(layout->place + vtable->size) - vtable->size;
        vtable->at = vtable->start - layout->shift;
        return pass(layout, between, vtable->start, vtable->size);
    }
    struct object *object = &columns->object[index];
    if (object->is_holed)
        return place_holed(layout, between, kind_at(columns, kind)->item_size, object);
    object->start = kind == BYTES_KIND ? layout->place : align(layout->place);
    object->at = (uint32_t)(object->start - layout->shift);
    return pass(layout, between, object->start, object->size);
}

static int place_objects(struct columns *columns, const struct between *between)
{
    struct layout layout = { .place = HEADER_SIZE };
    memcpy(layout.next, columns->first, sizeof layout.next);
    for (int64_t i = 0; i < columns->count; i++)
        if (!place_object(columns, between, &layout, columns->kind_of[i]))
            return 0;
    return layout.hole == between->holes && layout.place == between->model_size;
}

/* --- what they hold ---------------------------------------------------------------------- */

static void write_integers(const struct object *object, int64_t *last, uint8_t *to)
{
    struct input in = { object->data, INT64_MAX, 0 }; /* they were read before */
    int64_t folded = 0;
    for (uint32_t i = 0; i < object->items; i++) {
        (void)read_varint(&in, INT64_MAX, &folded);
        int64_t value = folded >> 1 ^ -(folded & 1);
        if (last)
            value = *last += value;
        put_word(to + (size_t)WORD * i, value);
    }
}

static void write_plain(struct columns *columns, int kind, uint8_t *out)
{
    int form = kind == BYTES_KIND ? FORM_BYTES : kind_at(columns, kind)->form;
    int64_t last = 0;
    for (int64_t i = columns->first[kind]; i < columns->first[kind + 1]; i++) {
        const struct object *object = &columns->object[i];
        uint8_t *to = out + object->at;
        if (kind != BYTES_KIND) {
            put_word(to, object->items);
            to += WORD;
        }
        if (object->is_holed || form == FORM_LIST)
            continue;
        if (form >= FORM_INTEGERS)
            write_integers(object, form == FORM_INDICES ? &last : NULL, to);
        else
            memcpy(to, object->data, (size_t)(object->size - (kind == BYTES_KIND ? 0 : WORD)));
    }
}

/* The row of a table goes to where no offsets are. */
static void write_row(const struct object *object, const struct fields *fields, uint8_t *to)
{
    const uint8_t *from = object->data;
    int64_t place = WORD;
    for (int i = 0; i <= fields->count; i++) {
        int64_t stop = i < fields->count ? fields->place[i] : object->size;
        memcpy(to + place, from, (size_t)(stop - place));
        from += stop - place;
        place = stop + WORD;
    }
}

static void write_tables(struct columns *columns, int kind, uint8_t *out)
{
    int64_t counter = 0;
    for (int64_t i = columns->first[kind]; i < columns->first[kind + 1]; i++) {
        const struct object *object = &columns->object[i];
        const struct fields *fields = fields_of(columns, kind, object->items);
        uint8_t *to = out + object->at;
        write_row(object, fields, to);
        put_word(to, object->start - columns->vtable[object->items].start);
        if (fields->counter) {
            counter += get_word(to + fields->counter);
            put_word(to + fields->counter, counter);
        }
    }
}

static void write_vtables(struct columns *columns, uint8_t *out)
{
    for (int64_t i = 0; i < objects_of(columns, VTABLE_KIND); i++) {
        const struct vtable *vtable = &columns->vtable[i];
        uint8_t *to = out + vtable->at;
        to[0] = (uint8_t)vtable->size;
        to[1] = (uint8_t)(vtable->size >> 8);
        memcpy(to + 2, vtable->body, (size_t)vtable->size - 2);
    }
}

/* --- where references lead --------------------------------------------------------------- */

/* How far references were matched with what they lead to. */
struct match {
    int64_t number, patch; /* of the next reference, of the next one that is given */
    int64_t target, last;  /* objects of the kind that they lead to */
};

/* References that stand side by side, in a list or by themselves. */
struct sources {
    int64_t count, start; /* the place of the first in the file */
    uint8_t *to;
};

static int point(struct columns *columns, struct match *match, const struct sources *sources, int64_t i)
{
    if (match->target == match->last)
        return 0;
    int64_t way = columns->object[match->target++].start - sources->start - WORD * i;
    put_word(sources->to + WORD * i, way);
    return way > 0 && way <= MOST_WAY;
}

static int refer_patched(
    struct columns *columns, struct match *match, const struct sources *sources)
{
    int64_t stop = match->patch, number = match->number;
    while (stop < columns->patches && columns->patched[stop] < number + sources->count)
        stop++;
    int64_t patch = columns->in_order ? match->patch : stop - 1;
    for (int64_t n = 0; n < sources->count; n++) {
        int64_t i = columns->in_order ? n : sources->count - 1 - n;
        if (patch >= match->patch && patch < stop && columns->patched[patch] == number + i) {
            put_word(sources->to + WORD * i, columns->given[patch]);
            patch += columns->in_order ? 1 : -1;
        } else if (!point(columns, match, sources, i))
            return 0;
    }
    match->number += sources->count;
    match->patch = stop;
    return 1;
}

static int refer(struct columns *columns, struct match *match, const struct sources *sources)
{
    if (match->patch < columns->patches
        && columns->patched[match->patch] < match->number + sources->count)
        return refer_patched(columns, match, sources);
    for (int64_t n = 0; n < sources->count; n++)
        if (!point(columns, match, sources, columns->in_order ? n : sources->count - 1 - n))
            return 0;
    match->number += sources->count;
    return 1;
}

/* All references to a kind. */
static int refer_to(struct columns *columns, struct match *match, int kind, uint8_t *out)
{
    const struct kind *own = kind_at(columns, kind);
    int parent = own->parent;
    if (kind == ROOT_KIND)
        return refer(columns, match, &(struct sources){ 1, 0, out });
    for (int64_t i = columns->first[parent]; i < columns->first[parent + 1]; i++) {
        const struct object *object = &columns->object[i];
        int is_item = own->field == ITEMS_FIELD;
        int64_t at = is_item ? WORD : place_of(&columns->vtable[object->items], own->field);
        struct sources sources = { is_item ? (int64_t)object->items : at > 0, object->start + at,
            out + object->at + at };
        if (!refer(columns, match, &sources))
            return 0;
    }
    return 1;
}

static int refer_to_all(struct columns *columns, uint8_t *out)
{
    struct match match = { 0 };
    for (int kind = ROOT_KIND; kind < columns->kind_count; kind++) {
        match.target = columns->first[kind];
        match.last = columns->first[kind + 1];
        if (!refer_to(columns, &match, kind, out) || match.target != match.last)
            return 0;
    }
    return match.patch == columns->patches;
}

int write_objects(struct columns *columns, const struct between *between)
{
    uint8_t *out = between->out;
    if (!place_objects(columns, between))
        return 0;
    memcpy(out + WORD, identifier, sizeof identifier);
    write_vtables(columns, out);
    write_plain(columns, BYTES_KIND, out);
    for (int kind = ROOT_KIND; kind < columns->kind_count; kind++) {
        if (kind_at(columns, kind)->form == FORM_TABLE)
            write_tables(columns, kind, out);
        else
            write_plain(columns, kind, out);
    }
    return refer_to_all(columns, out);
}
