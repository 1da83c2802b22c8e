/* Entries of a table, each of the same fields. Knows nothing of what they say.
 *
 * (spec/bitstream.md, "Primitive types".)
 */
#ifndef MIDSTREAM_ENTRIES_H
#define MIDSTREAM_ENTRIES_H

#include <stdint.h>

/* A byte; a varint; a varint and so many bytes; a byte and so many varints. */
enum field { BYTE = 'b', VARINT = 'v', BLOB = 'x', LIST = 'l' };

#define MOST_FIELDS 8
#define LIST_ITEMS 8

/* Fields of one entry, and the most that a number of each may be. */
struct layout {
    const uint8_t *fields;
    const int64_t *most;
    int64_t count;
};

/* Numbers that an entry is read into: a blob gives its start and size, a list its size and 8
 * items. -1 where a field is unknown or there are too many. */
int64_t entry_columns(const struct layout *layout);

/* Read entries from `start` on, row by row; gives where they end, or -1 where one is malformed,
 * ends early or has a number that is too large. */
int64_t read_rows(const uint8_t *data, int64_t size, int64_t start, const struct layout *layout,
    int64_t count, int64_t *rows);

#endif
