#include "flatbuffer.h"

#define TABLE_COST 16
#define LEAST_BUDGET ((int64_t)1 << 16)
#define MOST_BUDGET ((int64_t)16 << 20)

static uint64_t get(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

/* One of eight bytes that needs a 64th bit is INT64_MAX: no file has so many bytes either. */
static int read_number(const struct flatbuffer *file, int64_t start, int bytes, int64_t *number)
{
    if (!is_span(file, start, bytes))
        return 0;
    uint64_t value = get(file->data + start, bytes);
    *number = value < INT64_MAX ? (int64_t)value : INT64_MAX;
    return 1;
}

static int spend(struct flatbuffer *file, int64_t bytes)
{
    file->budget -= bytes;
    return file->budget >= 0;
}

struct flatbuffer open_flatbuffer(const uint8_t *data, int64_t size)
{
    int64_t budget = 2 * size + LEAST_BUDGET;
    return (struct flatbuffer){ data, size, budget < MOST_BUDGET ? budget : MOST_BUDGET };
}

static int read_table_at(struct flatbuffer *file, int64_t start, struct table *table)
{
    int64_t back;
    if (!spend(file, TABLE_COST) || !read_number(file, start, 4, &back))
        return 0;
    table->start = start;
    table->vtable = start - (int32_t)(uint32_t)back;
    return read_number(file, table->vtable, 2, &table->vtable_size) && table->vtable_size >= 4
        && table->vtable_size % 2 == 0 && is_span(file, table->vtable, table->vtable_size);
}

int read_root(struct flatbuffer *file, struct table *table)
{
    int64_t start;
    return read_number(file, 0, 4, &start) && read_table_at(file, start, table);
}

int read_item(struct flatbuffer *file, const struct vector *tables, int64_t index, struct table *table)
{
    int64_t start = tables->start + 4 * index;
    return read_table_at(file, start + (int64_t)get(file->data + start, 4), table);
}

int64_t find_field(const struct flatbuffer *file, const struct table *table, int field)
{
    int64_t entry = 4 + 2 * field;
    if (entry >= table->vtable_size)
        return 0;
    int64_t distance = (int64_t)get(file->data + table->vtable + entry, 2);
    return distance ? table->start + distance : 0;
}

int read_field(const struct flatbuffer *file, const struct table *table, int field, int bytes,
    int64_t *number)
{
    int64_t start = find_field(file, table, field);
    *number = 0;
    return !start || read_number(file, start, bytes, number);
}

int read_vector(const struct flatbuffer *file, const struct table *table, int field, int64_t bytes,
    int64_t most, struct vector *vector)
{
    int64_t start = find_field(file, table, field), distance;
    *vector = (struct vector){ 0, 0 };
    if (!start)
        return 1;
    if (!read_number(file, start, 4, &distance)
        || !read_number(file, start + distance, 4, &vector->count) || vector->count > most)
        return 0;
    vector->start = start + distance + 4;
    return is_span(file, vector->start, bytes * vector->count);
}

int read_items(struct flatbuffer *file, const struct table *table, int field, int64_t bytes,
    int64_t most, struct vector *vector)
{
    return read_vector(file, table, field, bytes, most, vector)
        && spend(file, bytes * vector->count);
}

int32_t item_of(const struct flatbuffer *file, const struct vector *vector, int64_t index)
{
    return (int32_t)(uint32_t)get(file->data + vector->start + 4 * index, 4);
}
