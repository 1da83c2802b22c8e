/* Columns of the objects of a flatbuffer, kind by kind.
 *
 * Knows nothing of where objects go (spec/objects.md, "Columns").
 */
#ifndef MIDSTREAM_COLUMNS_H
#define MIDSTREAM_COLUMNS_H

#include <stdint.h>

#include "input.h"
#include "room.h"

enum { BYTES_KIND, VTABLE_KIND, ROOT_KIND, MOST_KINDS = 64 };
enum { FORM_TABLE, FORM_LIST, FORM_TEXT, FORM_BYTES, FORM_SINGLES, FORM_DOUBLES, FORM_INTEGERS, FORM_INDICES };

#define ITEMS_FIELD 255
#define COUNTED_KIND 9 /* tables whose field COUNTER_FIELD is a difference */
#define COUNTER_FIELD 2
#define MOST_OBJECTS 65536
#define MOST_REFERENCES 16 /* fields of a kind of table that refer to something */
#define KEPT_FIELDS 4   /* tables of one kind have few vtables */
#define WORD 4

/* Rows of the table of kinds, as kernels/objects.py lays it out, from ROOT_KIND on. */
struct kind {
    uint8_t parent, field, form, item_size;
};

struct vtable {
    const uint8_t *body; /* but for its size */
    int64_t size, extent;
    int64_t start, at; /* as those of an object */
};

struct object {
    const uint8_t *data; /* of tables a row, of integers varints */
    int64_t start;       /* where it is in the file */
    uint32_t at;         /* where it is between holes */
    uint32_t size;       /* in the file; of one with a hole what is before that */
    uint32_t items;      /* its count, or which vtable a table has */
    uint32_t is_holed;
};

/* Where fields of interest are in the tables of one kind with one vtable. */
struct fields {
    int64_t vtable;
    int count;
    int64_t place[MOST_REFERENCES]; /* of references, rising */
    int64_t counter;                /* 0 where there is none */
};

struct columns {
    const struct kind *kinds;
    int kind_count;             /* those that come before ROOT_KIND included */
    int last_child[MOST_KINDS]; /* the last kind that one refers to */
    int64_t count, patches;
    int in_order;
    const uint8_t *kind_of;
    struct object *object; /* sorted by their kinds */
    int64_t first[MOST_KINDS + 1];
    struct vtable *vtable;
    int64_t *patched, *given; /* numbers of references, and where they lead */
    struct fields fields[MOST_KINDS][KEPT_FIELDS]; /* of the vtables that were seen last */
};

static inline const struct kind *kind_at(const struct columns *columns, int kind)
{
    return &columns->kinds[kind - ROOT_KIND];
}

static inline int64_t objects_of(const struct columns *columns, int kind)
{
    return columns->first[kind + 1] - columns->first[kind];
}

/* Where a field is in tables of a vtable; 0 where they do not have it. */
int64_t place_of(const struct vtable *vtable, int field);

/* Find out which kinds refer to which. False where there are too many, or a parent comes later. */
int set_kinds(struct columns *columns, const struct kind *kinds, int64_t count);

/* Where references are in a table; NULL where they overlap or leave it. */
const struct fields *fields_of(struct columns *columns, int kind, int64_t vtable);

/* Bytes that reading takes, from the counts at the start; 0 where those are malformed. */
int64_t room_for_columns(struct input in);

/* Read all columns. False where they are malformed. */
int read_columns(struct input in, struct room room, struct columns *columns);

#endif
