/* The objects of a TFLite file, where they are and in which order (spec/objects.md).
 *
 * Knows nothing of tensors. The twin in NumPy is bitstream/walking.py and bitstream/objects.py.
 */
#ifndef MIDSTREAM_FINDING_H
#define MIDSTREAM_FINDING_H

#include "columns.h"
#include "gaps.h"

#define HEADER_BYTES 8

/* An object. What it says of itself was read once, when it was found to fit. */
struct thing {
    int64_t start, end;
    int64_t count;  /* its items; which vtable a table has */
    int64_t vtable; /* where that is, and its bytes */
    int64_t vtable_size;
    int kind;
};

/* A vtable: the least extent of its tables is theirs. */
struct shape {
    int64_t start, size, said, extent;
};

/* What refers to objects of a kind. */
struct reference {
    int64_t source, list, target, way;
    int is_kept;
};

struct finding {
    const uint8_t *data;
    int64_t size;
    const struct columns *kinds; /* of which only the kinds are known */
    const struct hole *hole;
    int64_t holes;
    struct thing *thing; /* kind by kind, items of lists in their order */
    int64_t first[MOST_KINDS + 1];
    struct shape *shape; /* rising */
    int64_t shapes;
    int64_t *patched, *given, patches;
    int64_t references;
    int in_order; /* -1 where there is no list of two */
    struct thing **sorted; /* vtables and all of them by their places */
    int64_t sorted_count;
    struct thing **line; /* the same, and bytes between */
    int64_t lined;
    struct thing *other; /* vtables, then bytes between */
    struct reference *reference;
    uint8_t *is_taken; /* a bit for each word */
};

static inline int64_t word_at(const struct finding *finding, int64_t place)
{
    const uint8_t *from = finding->data + place;
    return (int64_t)(from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16
        | (uint32_t)from[3] << 24);
}

static inline int64_t half_at(const struct finding *finding, int64_t place)
{
    return finding->data[place] | finding->data[place + 1] << 8;
}

/* Where a field is in tables of a vtable; 0 where they do not have it. */
static inline int64_t place_in(
    const struct finding *finding, int64_t vtable, int64_t size, int field)
{
    return WORD + 2 * field < size ? half_at(finding, vtable + WORD + 2 * field) : 0;
}

/* Whether a hole starts there. */
int is_hole(const struct finding *finding, int64_t start);

/* Find all objects that references lead to. False where there are none, or too many references. */
int find_things(struct finding *finding);

/* Put them into one line, with bytes wherever what is between them is not as expected. False where
 * they lie over each other, or are too many. */
int line_up(struct finding *finding);

/* Memory for the largest of files; false where there is none. Free it in any case. */
int reserve_finding(struct finding *finding);
void free_finding(struct finding *finding);

/* Bytes that grow. */
struct listing {
    uint8_t *data;
    int64_t size, room;
    int is_full; /* there was no memory */
};

/* Write all objects, kind by kind. */
void write_listing(const struct finding *finding, struct listing *out);

#endif
