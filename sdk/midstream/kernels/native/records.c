#include "records.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"

#define MAGIC_BYTES 4 /* with the version */
#define MOST_LAYER 255
#define MOST_SLICES ((int64_t)1 << 24)
#define LEAST_RECORD 3 /* bytes */
enum { BASE, ENHANCEMENT, EXACT_UNIT };

/* A record as it stands in its unit. */
struct record {
    int64_t slice, operation;
    struct bytes payload;
};

void free_records(struct records *records)
{
    free(records->operation);
    free(records->payload);
}

/* --- bytes ------------------------------------------------------------------------------- */

static int read_blob(struct input *in, int64_t most, struct bytes *blob)
{
    int64_t size;
    if (!read_varint(in, most, &size) || size > in->size - in->place)
        return 0;
    *blob = (struct bytes){ in->data + in->place, size };
    in->place += size;
    return 1;
}

static int read_record(struct input *in, int64_t most, struct record *record)
{
    return read_varint(in, MOST_SLICES, &record->slice) && read_byte(in, &record->operation)
        && (record->operation <= VALUES || record->operation == REPEATS
            || record->operation == POINTS)
         && read_blob(in, most, &record->payload);
}

/* Read up to the records of a unit in its place, and how many they are. */
static int read_start(
    struct input *in, int64_t place, int64_t most, int64_t *layer, int64_t *count)
{
    static const uint8_t magic[MAGIC_BYTES] = { 'M', 'D', 'U', 0 };
    int64_t kind, before = *layer;
    struct bytes head;
    if (in->size < MAGIC_BYTES || memcmp(in->data, magic, MAGIC_BYTES))
        return 0;
    in->place = MAGIC_BYTES;
    if (!read_byte(in, &kind) || !read_varint(in, MOST_LAYER, layer) || !read_blob(in, most, &head))
        return 0;
    int is_on_top = kind == ENHANCEMENT || kind == EXACT_UNIT;
    return (place ? is_on_top && *layer > before : kind == BASE) && (head.size > 0) == !place
        && read_varint(in, MOST_SLICES, count);
}

/* --- records of slices ------------------------------------------------------------------- */

/* Records of all units as they stand there. Bytes are read once: they may be a file's that
 * another process writes. */
struct found {
    struct record *record;
    int64_t count;
};

static int make_place(struct found *found, int64_t more)
{
    size_t wanted = (size_t)(found->count + more + 1);
    struct record *record = realloc(found->record, sizeof *record * wanted);
    if (record)
        found->record = record;
    return record != NULL;
}

static int find_records(const struct bytes *unit, int64_t place, int64_t most,
    const struct partition *cut, int64_t *layer, struct found *found)
{
    struct input in = { unit->data, unit->size, 0 };
    int64_t count, before = 0;
    if (!read_start(&in, place, most, layer, &count) || count > (in.size - in.place) / LEAST_RECORD
        || !make_place(found, count))
        return 0;
    for (int64_t i = 0; i < count; i++) {
        struct record *record = &found->record[found->count++];
        if (!read_record(&in, most, record) || record->slice < before
            || record->slice >= cut->entries)
            return 0;
        before = record->slice;
        cut->entry[record->slice].records++;
    }
    return in.place == in.size;
}

static int find_all(const struct bytes *units, int64_t count, int64_t most,
    const struct partition *cut, struct found *found)
{
    int64_t layer = 0;
    for (int64_t i = 0; i < count; i++)
        if (!find_records(&units[i], i, most, cut, &layer, found))
            return 0;
    return count > 0;
}

/* Slice after slice, those of each in the order that they were found in. */
static int sort_records(const struct found *found, struct partition *cut, struct records *records)
{
    int64_t done = 0;
    records->count = found->count;
    records->operation = malloc(sizeof *records->operation * (size_t)(found->count + 1));
    records->payload = malloc(sizeof *records->payload * (size_t)(found->count + 1));
    for (int64_t i = 0; i < cut->entries; i++) {
        cut->entry[i].first_record = done;
        done += cut->entry[i].records;
        cut->entry[i].records = 0; /* counted again while they are put there */
    }
    for (int64_t i = 0; records->operation && records->payload && i < found->count; i++) {
        struct entry *entry = &cut->entry[found->record[i].slice];
        int64_t at = entry->first_record + entry->records++;
        records->operation[at] = found->record[i].operation;
        records->payload[at] = found->record[i].payload;
    }
    return records->operation && records->payload;
}

/* --- operations -------------------------------------------------------------------------- */

/* Whether all tensors of a slice can be refined so many times. */
static int may_have_digits(const struct parsed *parsed, const struct span *spans, int64_t count,
    int64_t digits, int64_t most)
{
    for (int64_t i = 0; i < count; i++) {
        const struct tensor *tensor = &parsed->tensor[spans[i].tensor];
        if (tensor->is_lattice || (!is_float(tensor) && tensor->step < digits))
            return 0;
    }
    return digits <= most;
}

/* Whether operations may follow each other on a slice of coded weights. */
static int may_follow(const int64_t *operation, int64_t count, int floats, int64_t *digits)
{
    if (operation[0] == VALUES)
        return count == 1 && floats;
    if (operation[0] == REPEATS && floats && count > 1) {
        operation++;
        count--;
    }
    *digits = 0;
    for (int64_t i = 1; i < count; i++) {
        int may_end = operation[i] == RAW
            || ((operation[i] == EXACT || operation[i] == POINTS) && floats);
        if (operation[i] != DIGITS && !(may_end && i == count - 1))
            return 0;
        *digits += operation[i] == DIGITS || operation[i] == POINTS;
    }
    return operation[0] == LEVELS;
}

static int is_sound(const struct parsed *parsed, const struct partition *cut,
    const struct records *records, const struct entry *entry, int64_t trits)
{
    const struct span *spans = cut->span + entry->first_span;
    const int64_t *operation = records->operation + entry->first_record;
    int64_t digits = 0;
    if (entry->records < 1 || entry->records > trits + 3)
        return 0;
    if (operation[0] == RAW)
        return entry->records == 1;
    return parsed->is_coded[spans->tensor]
        && may_follow(operation, entry->records, is_float(&parsed->tensor[spans->tensor]), &digits)
        && (!digits || may_have_digits(parsed, spans, entry->spans, digits, trits));
}

int read_units(const struct bytes *units, int64_t count, const struct bounds *bounds,
    const struct parsed *parsed, struct partition *cut, struct records *records)
{
    struct found found = { NULL, 0 };
    *records = (struct records){ 0 };
    int is_good = find_all(units, count, bounds->unit_size, cut, &found)
        && sort_records(&found, cut, records);
    free(found.record);
    for (int64_t i = 0; is_good && i < cut->entries; i++)
        is_good = is_sound(parsed, cut, records, &cut->entry[i], bounds->trits);
    return is_good;
}
