#include <stdlib.h>

#include "finding.h"

int is_hole(const struct finding *finding, int64_t start)
{
    int64_t low = 0, high = finding->holes;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (finding->hole[middle].start < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low < finding->holes && finding->hole[low].start == start;
}

/* --- vtables ----------------------------------------------------------------------------- */

static int by_start(const void *one, const void *other)
{
    int64_t a = ((const struct shape *)one)->start, b = ((const struct shape *)other)->start;
    return (a > b) - (a < b);
}

static void find_shapes(struct finding *finding)
{
    int64_t count = 0, all = finding->first[finding->kinds->kind_count];
    for (int64_t i = 0; i < all; i++) {
        const struct thing *table = &finding->thing[i];
        if (table->vtable_size)
            finding->shape[count++] = (struct shape){ table->vtable, table->vtable_size, 0, 0 };
    }
    qsort(finding->shape, (size_t)count, sizeof *finding->shape, by_start);
    for (int64_t i = 0; i < count; i++)
        if (!finding->shapes || finding->shape[finding->shapes - 1].start < finding->shape[i].start)
            finding->shape[finding->shapes++] = finding->shape[i];
    for (int64_t i = 0; i < finding->shapes; i++) {
        struct shape *shape = &finding->shape[i];
        shape->said = shape->extent = half_at(finding, shape->start + 2);
    }
}

static struct shape *shape_of(struct finding *finding, const struct thing *table)
{
    struct shape wanted = { .start = table->vtable };
    return bsearch(
        &wanted, finding->shape, (size_t)finding->shapes, sizeof *finding->shape, by_start);
}

/* --- one line ---------------------------------------------------------------------------- */

/* By their starts; vtables come first, then kind by kind. */
static int by_place(const void *one, const void *other)
{
    const struct thing *a = *(struct thing *const *)one, *b = *(struct thing *const *)other;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->kind > b->kind) - (a->kind < b->kind);
}

static void sort_things(struct finding *finding)
{
    int64_t all = finding->first[finding->kinds->kind_count];
    for (int64_t i = 0; i < finding->shapes; i++) {
        const struct shape *shape = &finding->shape[i];
        finding->other[i] = (struct thing){ .start = shape->start,
            .end = shape->start + shape->size,
            .kind = VTABLE_KIND };
        finding->sorted[finding->sorted_count++] = &finding->other[i];
    }
    for (int64_t i = 0; i < all; i++)
        finding->sorted[finding->sorted_count++] = &finding->thing[i];
    qsort(finding->sorted, (size_t)finding->sorted_count, sizeof *finding->sorted, by_place);
}

static int64_t following(const struct finding *finding, int64_t i)
{
    return i + 1 < finding->sorted_count ? finding->sorted[i + 1]->start : finding->size;
}

static void find_extents(struct finding *finding)
{
    for (int64_t i = 0; i < finding->sorted_count; i++) {
        struct thing *table = finding->sorted[i];
        if (!table->vtable_size)
            continue;
        struct shape *shape = shape_of(finding, table);
        int64_t room = following(finding, i) - table->start;
        table->count = shape - finding->shape;
        shape->extent = room < shape->extent ? room : shape->extent;
    }
    for (int64_t i = 0; i < finding->sorted_count; i++)
        if (finding->sorted[i]->vtable_size)
            finding->sorted[i]->end += finding->shape[finding->sorted[i]->count].extent;
}

static int is_set(const struct finding *finding, int64_t start, int64_t end)
{
    while (start < end && !finding->data[start])
        start++;
    return start < end;
}

/* Whether what is before an object, NULL for the end of the file, is not as expected. */
static int is_odd(const struct finding *finding, int64_t before, const struct thing *thing)
{
    int64_t after = thing ? thing->start : finding->size;
    int64_t size = thing && thing->kind == VTABLE_KIND ? thing->end - thing->start : 0;
    int64_t pad = thing ? -(before + size) & (WORD - 1) : 0;
    int is_holed = thing && is_hole(finding, thing->start + WORD);
    return after > before
        && ((after - before != pad && !is_holed) || is_set(finding, before, after));
}

/* Bytes wherever what is between objects must be told. */
static void fill(struct finding *finding)
{
    struct thing *bytes = finding->other + finding->shapes;
    int64_t before = HEADER_BYTES;
    for (int64_t i = 0; i <= finding->sorted_count; i++) {
        struct thing *thing = i < finding->sorted_count ? finding->sorted[i] : NULL;
        if (is_odd(finding, before, thing)) {
            *bytes = (struct thing){ .start = before,
                .end = thing ? thing->start : finding->size,
                .kind = BYTES_KIND };
            finding->line[finding->lined++] = bytes++;
        }
        if (thing) {
            finding->line[finding->lined++] = thing;
            before = thing->end;
        }
    }
}

int line_up(struct finding *finding)
{
    find_shapes(finding);
    sort_things(finding);
    find_extents(finding);
    for (int64_t i = 0; i < finding->sorted_count; i++)
        if (finding->sorted[i]->end > following(finding, i))
            return 0;
    fill(finding);
    return finding->lined <= MOST_OBJECTS;
}
