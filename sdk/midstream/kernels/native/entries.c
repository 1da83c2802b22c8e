#include "entries.h"

#include <string.h>

#include "input.h"

int64_t entry_columns(const struct layout *layout)
{
    int64_t columns = 0;
    if (layout->count > MOST_FIELDS)
        return -1;
    for (int64_t i = 0; i < layout->count; i++) {
        switch (layout->fields[i]) {
        case BYTE:
        case VARINT:
            columns += 1;
            break;
        case BLOB:
            columns += 2;
            break;
        case LIST:
            columns += 1 + LIST_ITEMS;
            break;
        default:
            return -1;
        }
    }
    return columns;
}

static int read_blob(struct input *in, int64_t most, int64_t *values)
{
    if (!read_varint(in, most, &values[1]) || values[1] > in->size - in->place)
        return 0;
    values[0] = in->place;
    in->place += values[1];
    return 1;
}

static int read_list(struct input *in, int64_t most, int64_t *values)
{
    memset(values, 0, (1 + LIST_ITEMS) * sizeof *values);
    if (!read_byte(in, values) || values[0] > LIST_ITEMS)
        return 0;
    for (int64_t i = 1; i <= values[0]; i++)
        if (!read_varint(in, most, &values[i]))
            return 0;
    return 1;
}

static int64_t *read_row(struct input *in, const struct layout *layout, int64_t *out)
{
    for (int64_t i = 0; i < layout->count; i++) {
        int64_t most = layout->most[i];
        int fits = 0;
        switch (layout->fields[i]) {
        case BYTE:
            fits = read_byte(in, out) && *out <= most;
            out += 1;
            break;
        case VARINT:
            fits = read_varint(in, most, out);
            out += 1;
            break;
        case BLOB:
            fits = read_blob(in, most, out);
            out += 2;
            break;
        case LIST:
            fits = read_list(in, most, out);
            out += 1 + LIST_ITEMS;
            break;
        }
        if (!fits)
            return 0;
    }
    return out;
}

int64_t read_rows(const uint8_t *data, int64_t size, int64_t start, const struct layout *layout,
    int64_t count, int64_t *rows)
{
    struct input in = { data, size, start };
    for (int64_t i = 0; i < count; i++)
        if (!(rows = read_row(&in, layout, rows)))
            return -1;
    return in.place;
}
