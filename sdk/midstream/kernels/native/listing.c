#include <stdlib.h>
#include <string.h>

#include "finding.h"

#define LEAST_ROOM ((int64_t)1 << 14)
#define MOST_VARINT 10 /* bytes */

/* --- bytes ------------------------------------------------------------------------------- */

/* So many more bytes; NULL where there is no memory. */
static uint8_t *extend(struct listing *out, int64_t size)
{
    if (out->size + size > out->room) {
        int64_t room = 2 * (out->size + size) + LEAST_ROOM;
        uint8_t *data = out->is_full ? NULL : realloc(out->data, (size_t)room);
        if (!data) {
            out->is_full = 1;
            return NULL;
        }
        out->data = data;
        out->room = room;
    }
    out->size += size;
    return out->data + out->size - size;
}

static void add_copy(struct listing *out, const uint8_t *from, int64_t size)
{
    uint8_t *to = size > 0 ? extend(out, size) : NULL;
    if (to)
        memcpy(to, from, (size_t)size);
}

static void add_varint(struct listing *out, uint64_t value)
{
    uint8_t bytes[MOST_VARINT];
    int size = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[size++] = (uint8_t)(value | 0x80);
    bytes[size++] = (uint8_t)value;
    add_copy(out, bytes, size);
}

static void add_signed(struct listing *out, int64_t value)
{
    add_varint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

/* --- vectors, lists and texts ------------------------------------------------------------ */

static int32_t integer_at(const struct finding *finding, int64_t place)
{
    return (int32_t)(uint32_t)word_at(finding, place);
}

static void add_items(const struct finding *finding, const struct thing *thing, int form,
    int item_size, int64_t *last, struct listing *out)
{
    int64_t start = thing->start + WORD;
    if (form < FORM_INTEGERS) {
        add_copy(out, finding->data + start, thing->count * item_size);
        return;
    }
    for (int64_t i = 0; i < thing->count; i++) {
        int64_t value = integer_at(finding, start + WORD * i);
        add_signed(out, value - *last);
        *last = form == FORM_INDICES ? value : 0;
    }
}

static void add_vectors(const struct finding *finding, int kind, struct listing *out)
{
    const struct kind *own = kind_at(finding->kinds, kind);
    int64_t last = 0;
    int may_be_hole = own->form != FORM_TEXT && own->form != FORM_LIST;
    for (int64_t i = finding->first[kind]; own->form != FORM_TEXT && i < finding->first[kind + 1]; i++) {
        const struct thing *thing = &finding->thing[i];
        int is_holed = may_be_hole && is_hole(finding, thing->start + WORD);
        add_varint(out, is_holed ? 0 : (uint64_t)(thing->count + may_be_hole));
    }
    for (int64_t i = finding->first[kind]; own->form != FORM_LIST && i < finding->first[kind + 1]; i++) {
        const struct thing *thing = &finding->thing[i];
        if (!may_be_hole || !is_hole(finding, thing->start + WORD))
            add_items(finding, thing, own->form, own->item_size, &last, out);
    }
}

/* --- tables ------------------------------------------------------------------------------ */

/* Where in tables of a kind references are, rising, and the number that is told by differences. */
struct skips {
    int64_t place[MOST_KINDS];
    int count;
    int64_t counter; /* 0 where there is none */
};

static void add_skip(struct skips *skips, int64_t place)
{
    int at = skips->count++;
    for (; at > 0 && skips->place[at - 1] > place; at--)
        skips->place[at] = skips->place[at - 1];
    skips->place[at] = place;
}

static void find_skips(const struct finding *finding, int kind, const struct shape *shape,
    struct skips *skips)
{
    *skips = (struct skips){ .count = 0 };
    for (int child = kind + 1; child < finding->kinds->kind_count; child++) {
        const struct kind *own = kind_at(finding->kinds, child);
        int64_t place = own->parent == kind
            ? place_in(finding, shape->start, shape->size, own->field)
            : 0;
        if (place)
            add_skip(skips, place);
    }
    int64_t counter = kind == COUNTED_KIND
        ? place_in(finding, shape->start, shape->size, COUNTER_FIELD)
        : 0;
    int is_plain = counter >= WORD && counter + WORD <= shape->extent;
    for (int i = 0; i < skips->count; i++)
        is_plain &= skips->place[i] + WORD <= counter || counter + WORD <= skips->place[i];
    skips->counter = is_plain ? counter : 0;
}

/* Bytes of a table from one place to another. */
static void add_piece(const struct finding *finding, const struct thing *table,
    const struct skips *skips, int64_t start, int64_t stop, int64_t *last, struct listing *out)
{
    const uint8_t *from = finding->data + table->start;
    if (!skips->counter || skips->counter < start || skips->counter >= stop) {
        add_copy(out, from + start, stop - start);
        return;
    }
    int64_t number = word_at(finding, table->start + skips->counter), change = number - *last;
    uint8_t bytes[WORD];
    for (int i = 0; i < WORD; i++)
        bytes[i] = (uint8_t)((uint64_t)change >> 8 * i);
    *last = number;
    add_copy(out, from + start, skips->counter - start);
    add_copy(out, bytes, WORD);
    add_copy(out, from + skips->counter + WORD, stop - skips->counter - WORD);
}

static void add_row(const struct finding *finding, const struct thing *table,
    const struct skips *skips, int64_t *last, struct listing *out)
{
    int64_t place = WORD, extent = finding->shape[table->count].extent;
    for (int i = 0; i <= skips->count; i++) {
        int64_t stop = i < skips->count ? skips->place[i] : extent;
        stop = stop < extent ? stop : extent;
        if (stop > place)
            add_piece(finding, table, skips, place, stop, last, out);
        if (i < skips->count && skips->place[i] + WORD > place)
            place = skips->place[i] + WORD;
    }
}

static void add_tables(const struct finding *finding, int kind, struct listing *out)
{
    struct skips skips = { .count = 0 };
    int64_t known = -1, last = 0;
    for (int64_t i = finding->first[kind]; i < finding->first[kind + 1]; i++)
        add_varint(out, (uint64_t)finding->thing[i].count);
    for (int64_t i = finding->first[kind]; i < finding->first[kind + 1]; i++) {
        const struct thing *table = &finding->thing[i];
        if (table->count != known)
            find_skips(finding, kind, &finding->shape[table->count], &skips);
        known = table->count;
        add_row(finding, table, &skips, &last, out);
    }
}

/* --- all --------------------------------------------------------------------------------- */

static void add_line(const struct finding *finding, struct listing *out)
{
    add_varint(out, (uint64_t)finding->lined);
    add_copy(out, &(uint8_t){ finding->in_order == 1 }, 1);
    for (int64_t i = 0; i < finding->lined; i++)
        add_copy(out, &(uint8_t){ (uint8_t)finding->line[i]->kind }, 1);
    add_varint(out, (uint64_t)finding->patches);
    for (int64_t i = 0; i < finding->patches; i++)
        add_varint(out, (uint64_t)(finding->patched[i] - (i ? finding->patched[i - 1] + 1 : 0)));
    for (int64_t i = 0; i < finding->patches; i++)
        add_varint(out, (uint64_t)finding->given[i]);
}

static void add_shapes(const struct finding *finding, struct listing *out)
{
    for (int64_t i = 0; i < finding->shapes; i++)
        add_varint(out, (uint64_t)(finding->shape[i].size - WORD) / 2);
    for (int64_t i = 0; i < finding->shapes; i++)
        add_varint(out, (uint64_t)(finding->shape[i].said - finding->shape[i].extent));
    for (int64_t i = 0; i < finding->shapes; i++)
        add_copy(out, finding->data + finding->shape[i].start + 2, finding->shape[i].size - 2);
}

static void add_bytes(const struct finding *finding, struct listing *out)
{
    for (int64_t i = 0; i < finding->lined; i++)
        if (finding->line[i]->kind == BYTES_KIND)
            add_varint(out, (uint64_t)(finding->line[i]->end - finding->line[i]->start));
    for (int64_t i = 0; i < finding->lined; i++) {
        const struct thing *bytes = finding->line[i];
        if (bytes->kind == BYTES_KIND)
            add_copy(out, finding->data + bytes->start, bytes->end - bytes->start);
    }
}

void write_listing(const struct finding *finding, struct listing *out)
{
    add_line(finding, out);
    add_shapes(finding, out);
    add_bytes(finding, out);
    for (int kind = ROOT_KIND; kind < finding->kinds->kind_count; kind++) {
        if (kind_at(finding->kinds, kind)->form == FORM_TABLE)
            add_tables(finding, kind, out);
        else
            add_vectors(finding, kind, out);
    }
}
