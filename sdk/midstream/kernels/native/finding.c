#include "finding.h"

#include <stdlib.h>
#include <string.h>

#define MOST_TEXT ((int64_t)1 << 20)

/* As many as there may be; of most of it nothing is ever written. */
int reserve_finding(struct finding *finding)
{
    size_t most = MOST_OBJECTS + 1;
    finding->thing = malloc(sizeof *finding->thing * most);
    finding->shape = malloc(sizeof *finding->shape * most);
    finding->patched = malloc(sizeof *finding->patched * most);
    finding->given = malloc(sizeof *finding->given * most);
    finding->reference = malloc(sizeof *finding->reference * most);
    finding->other = malloc(sizeof *finding->other * 3 * most);
    finding->sorted = malloc(sizeof *finding->sorted * 2 * most);
    finding->line = malloc(sizeof *finding->line * 4 * most);
    finding->is_taken = calloc((size_t)(finding->size / (8 * WORD) + 1), 1);
    return finding->thing && finding->shape && finding->patched && finding->given
        && finding->reference && finding->other && finding->sorted && finding->line
        && finding->is_taken;
}

void free_finding(struct finding *finding)
{
    free(finding->thing);
    free(finding->shape);
    free(finding->patched);
    free(finding->given);
    free(finding->reference);
    free(finding->other);
    free(finding->sorted);
    free(finding->line);
    free(finding->is_taken);
}

/* --- what refers to a kind --------------------------------------------------------------- */

static int add_reference(struct finding *finding, int64_t *count, int64_t source, int64_t list)
{
    if (finding->references + *count == MOST_OBJECTS)
        return 0;
    int64_t way = word_at(finding, source);
    finding->reference[(*count)++] = (struct reference){ source, list, source + way, way, 0 };
    return 1;
}

static int add_items(struct finding *finding, int parent, int64_t *count)
{
    for (int64_t i = finding->first[parent]; i < finding->first[parent + 1]; i++)
        for (int64_t item = 0; item < finding->thing[i].count; item++)
            if (!add_reference(finding, count, finding->thing[i].start + WORD + WORD * item, i))
                return 0;
    return 1;
}

static int add_fields(struct finding *finding, int parent, int field, int64_t *count)
{
    for (int64_t i = finding->first[parent]; i < finding->first[parent + 1]; i++) {
        const struct thing *table = &finding->thing[i];
        int64_t place = place_in(finding, table->vtable, table->vtable_size, field);
        if (place && table->start + place + WORD <= finding->size
            && !add_reference(finding, count, table->start + place, -1))
            return 0;
    }
    return 1;
}

/* Where a kind is referred to; false where there are more references than there may be. */
static int find_references(struct finding *finding, int kind, int64_t *count)
{
    const struct kind *own = kind_at(finding->kinds, kind);
    *count = 0;
    if (kind == ROOT_KIND)
        return add_reference(finding, count, 0, -1);
    if (kind_at(finding->kinds, own->parent)->form == FORM_TABLE)
        return add_fields(finding, own->parent, own->field, count);
    return add_items(finding, own->parent, count);
}

/* --- what references lead to ------------------------------------------------------------- */

static int is_table(struct finding *finding, struct thing *table)
{
    int64_t vtable = table->start - (int32_t)(uint32_t)word_at(finding, table->start);
    if (vtable < HEADER_BYTES || vtable + WORD > finding->size)
        return 0;
    int64_t size = half_at(finding, vtable), end = vtable + size;
    table->vtable = vtable;
    table->vtable_size = size;
    table->end = table->start;
    return size >= WORD && size % 2 == 0 && end <= finding->size && end % WORD == 0
        && half_at(finding, vtable + 2) >= WORD;
}

/* Whether an object of a kind may start there; text is not looked at yet. */
static int may_be(struct finding *finding, int kind, int64_t start, struct thing *thing)
{
    const struct kind *own = kind_at(finding->kinds, kind);
    *thing = (struct thing){ .start = start, .kind = kind };
    if (start < HEADER_BYTES || start % WORD || start + WORD > finding->size)
        return 0;
    if (own->form == FORM_TABLE)
        return is_table(finding, thing);
    thing->count = word_at(finding, start) + (own->form == FORM_TEXT);
    thing->end = start + WORD + own->item_size * thing->count;
    return thing->end <= finding->size;
}

/* Whether it ends with a zero, and has no other. */
static int is_text(const struct finding *finding, const struct thing *text)
{
    const uint8_t *from = finding->data + text->start + WORD;
    return memchr(from, 0, (size_t)text->count) == from + text->count - 1;
}

static int64_t bytes_of_texts(struct finding *finding, int kind, int64_t count)
{
    struct thing text;
    int64_t bytes = 0;
    for (int64_t i = 0; i < count; i++)
        if (may_be(finding, kind, finding->reference[i].target, &text))
            bytes += text.count;
    return bytes;
}

/* Whether items of lists stand in their order: the first list of two tells. */
static void find_order(struct finding *finding, int64_t count)
{
    const struct reference *reference = finding->reference;
    for (int64_t i = 1; finding->in_order < 0 && i < count; i++)
        if (reference[i].list >= 0 && reference[i].list == reference[i - 1].list)
            finding->in_order = reference[i].target > reference[i - 1].target;
}

static int is_taken(const struct finding *finding, int64_t start)
{
    int64_t word = start / WORD;
    return finding->is_taken[word / 8] >> word % 8 & 1;
}

/* Add what a reference leads to, if it stands as expected. */
static void follow(
    struct finding *finding, int kind, struct reference *reference, int64_t *last, int are_texts)
{
    struct thing thing;
    int is_text_kind = kind_at(finding->kinds, kind)->form == FORM_TEXT;
    if (reference->target <= *last || !may_be(finding, kind, reference->target, &thing)
        || is_taken(finding, thing.start) || (is_text_kind && !(are_texts && is_text(finding, &thing))))
        return;
    reference->is_kept = 1;
    *last = thing.start;
    finding->thing[finding->first[kind + 1]++] = thing;
}

/* The same of all, list by list in the order of items or in the reverse one. */
static void follow_all(struct finding *finding, int kind, int64_t count)
{
    struct reference *reference = finding->reference;
    int is_text_kind = kind_at(finding->kinds, kind)->form == FORM_TEXT;
    int are_texts = is_text_kind && bytes_of_texts(finding, kind, count) <= MOST_TEXT;
    int64_t last = -1;
    for (int64_t start = 0, stop; start < count; start = stop) {
        int is_listed = reference[start].list >= 0 && finding->in_order != 1;
        for (stop = start + 1; stop < count && reference[stop].list == reference[start].list;)
            stop++;
        for (int64_t i = start; i < stop; i++)
            follow(finding, kind, &reference[is_listed ? start + stop - 1 - i : i], &last, are_texts);
    }
}

static void take(struct finding *finding, int kind)
{
    for (int64_t i = finding->first[kind]; i < finding->first[kind + 1]; i++) {
        int64_t word = finding->thing[i].start / WORD;
        finding->is_taken[word / 8] |= (uint8_t)(1 << word % 8);
    }
}

static void patch(struct finding *finding, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!finding->reference[i].is_kept) {
            finding->patched[finding->patches] = finding->references + i;
            finding->given[finding->patches++] = finding->reference[i].way;
        }
}

int find_things(struct finding *finding)
{
    finding->in_order = -1;
    for (int kind = ROOT_KIND; kind < finding->kinds->kind_count; kind++) {
        int64_t count;
        finding->first[kind + 1] = finding->first[kind];
        if (!find_references(finding, kind, &count))
            return 0;
        find_order(finding, count);
        follow_all(finding, kind, count);
        take(finding, kind);
        patch(finding, count);
        finding->references += count;
    }
    return finding->first[ROOT_KIND + 1] > finding->first[ROOT_KIND];
}
