/* Bounded reading of flatbuffers, as formats/flatbuffer.py reads them, what it counts included.
 *
 * Knows nothing of what the tables mean.
 */
#ifndef MIDSTREAM_FLATBUFFER_H
#define MIDSTREAM_FLATBUFFER_H

#include <stdint.h>

struct flatbuffer {
    const uint8_t *data;
    int64_t size;
    int64_t budget; /* bytes that may still be read */
};

/* One table: fields by their number in the schema. */
struct table {
    int64_t start, vtable, vtable_size;
};

/* Where the items of a vector start, and how many there are. */
struct vector {
    int64_t start, count;
};

struct flatbuffer open_flatbuffer(const uint8_t *data, int64_t size);

/* The table that the file begins with. All of these are false where what is asked for is not
 * there, or more is read than there may be. */
int read_root(struct flatbuffer *file, struct table *table);

/* A table in a vector of them. */
int read_item(struct flatbuffer *file, const struct vector *tables, int64_t index, struct table *table);

/* Where a field is; 0 where it is absent. */
int64_t find_field(const struct flatbuffer *file, const struct table *table, int field);

/* An integer without sign of so many bytes; 0 where it is absent. */
int read_field(const struct flatbuffer *file, const struct table *table, int field, int bytes,
    int64_t *number);

/* A vector of items of so many bytes; none where it is absent. */
int read_vector(const struct flatbuffer *file, const struct table *table, int field, int64_t bytes,
    int64_t most, struct vector *vector);

/* The same, whose items are read: they are counted. */
int read_items(struct flatbuffer *file, const struct table *table, int field, int64_t bytes,
    int64_t most, struct vector *vector);

/* Whether so many bytes are there. */
static inline int is_span(const struct flatbuffer *file, int64_t start, int64_t bytes)
{
    return start >= 0 && bytes >= 0 && start <= file->size && bytes <= file->size - start;
}

/* An item of a vector of int32. */
int32_t item_of(const struct flatbuffer *file, const struct vector *vector, int64_t index);

#endif
