#include "values.h"

#include "holes.h"

#define HEAD 5
#define OCTAVES 16
#define FIRST_OCTAVE (-12)
#define EIGHTH_BITS 3
#define QUARTERS 4 /* of an octave, each with a table */
#define SHAPES 3
#define SLICE_CLASSES 128
#define WIDTH_OF_SIGMA_ONE 12
#define NONE_BELOW INT16_MIN
#define LANE_SYMBOLS 512

/* --- layouts ------------------------------------------------------------------------------- */

enum { ZERO, LOW, PARTS };

/* How the floats of a slice are cut, and where that is kept. */
struct cuts {
    struct layout layout;
    int16_t places[FLOAT_SYMBOLS], moves[FLOAT_SYMBOLS];
    uint8_t widths[FLOAT_SYMBOLS];
};

static uint8_t width_of(const struct layout *layout, int bits)
{
    int left = bits > layout->trailing ? bits - layout->trailing : 0;
    int width = 1 + left - 8 * layout->whole;
    return (uint8_t)(width > 0 ? width : 0);
}

static void find_parts(struct cuts *cuts)
{
    static const int part_bits[OCTAVES] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 2, 0 };
    const int bias = (1 << (cuts->layout.bits - 2 - cuts->layout.mantissa)) - 1;
    int symbol = PARTS;
    for (int octave = 0; octave < OCTAVES; octave++)
        for (int part = 0; part < 1 << part_bits[octave]; part++, symbol++) {
            cuts->places[symbol] = (int16_t)((octave + FIRST_OCTAVE + bias) * (1 << EIGHTH_BITS)
                + (part << (EIGHTH_BITS - part_bits[octave])));
            cuts->moves[symbol] = 1 << EIGHTH_BITS;
            cuts->widths[symbol] = width_of(&cuts->layout, cuts->layout.mantissa - part_bits[octave]);
        }
}

/* Mantissas of so many bits, of which `trailing` are 0, and low magnitudes of so many. */
static void find_cuts(struct cuts *cuts, int bits, int mantissa, int trailing, int low)
{
    int whole = mantissa - 2 - trailing > 0 ? (mantissa - 2 - trailing) / 8 : 0;
    cuts->layout = (struct layout){ cuts->places, cuts->moves, cuts->widths, bits, mantissa,
        trailing, whole };
    const int last = FLOAT_SYMBOLS - 1;
    cuts->places[ZERO] = cuts->places[LOW] = cuts->places[last] = 0;
    cuts->moves[ZERO] = cuts->moves[LOW] = cuts->moves[last] = 0;
    cuts->widths[ZERO] = 0;
    cuts->widths[LOW] = width_of(&cuts->layout, low);
    cuts->widths[last] = width_of(&cuts->layout, bits - 1);
    find_parts(cuts);
}

/* --- tables -------------------------------------------------------------------------------- */

/* The first of the four rows of a table and the next three; -1 where there are none. */
static int row_of(struct value_tables *tables, int64_t table)
{
    int place = 0;
    while (place < tables->known && tables->table[place] != table)
        place++;
    if (place < tables->known)
        return place * QUARTERS;
    if (table > tables->tables - QUARTERS || place == FLOAT_ROWS / QUARTERS)
        return -1;
    for (int i = 0; i < QUARTERS; i++)
        if (!spread_table(tables->frequencies + (table + i) * FLOAT_SYMBOLS,
                tables->slots + (place * QUARTERS + i) * SLOTS))
            return -1;
    tables->table[tables->known++] = table;
    return place * QUARTERS;
}

static int64_t table_of(int64_t class, int64_t shape)
{
    return (class * SHAPES + shape) * QUARTERS;
}

/* The row of each weight of a slice, whose head this is. */
static int lay_rows(const struct network *network, struct value_tables *tables,
    const struct piece *piece, const uint8_t *head, const int16_t *quarters, uint8_t *rows)
{
    int64_t split = head[2], wide = head[3], narrow = head[4], done = 0;
    /* two tables of each shape that it may have: where there is no room, others make it */
    if (tables->known + 2 * (piece->span_count > 1 ? SHAPES : 1) > FLOAT_ROWS / QUARTERS)
        tables->known = 0;
    for (int64_t i = 0; i < piece->span_count; i++) {
        const struct span *span = &piece->spans[i];
        const struct tensor *tensor = &network->tensor[span->tensor];
        int64_t origin = (tensor->step >> 2) - WIDTH_OF_SIGMA_ONE, count = span->stop - span->start;
        int first = row_of(tables, table_of(narrow, tensor->shape));
        int second = row_of(tables, table_of(wide, tensor->shape));
        if (first < 0 || second < 0)
            return 0;
        choose_rows(quarters + done, count, (int16_t)(split ? origin + split : NONE_BELOW),
            (uint8_t)first, (uint8_t)second, rows + done);
        done += count;
    }
    return 1;
}

/* --- floats -------------------------------------------------------------------------------- */

static int64_t lanes_of_floats(int64_t symbols)
{
    int64_t lanes = 1;
    while (lanes < FLOAT_LANES && 2 * lanes * LANE_SYMBOLS <= symbols)
        lanes *= 2;
    return lanes;
}

static int mantissa_of(int64_t type)
{
    return type == TYPE_FLOAT32 ? 23 : type == TYPE_FLOAT16 ? 10 : 7;
}

/* Symbols in the place of rows, and the floats that they begin. */
static int read_payload(const struct value_tables *tables, const struct cuts *cuts,
    struct bytes payload, const int16_t *quarters, int64_t count, uint8_t *rows, uint8_t *out)
{
    int wide = widest_floats();
    int64_t first = decode_symbols(
        tables->slots, payload.data, payload.size, lanes_of_floats(count), rows, count, wide);
    if (first < 0)
        return 0;
    return read_floats(&cuts->layout, payload.data + first, payload.size - first, rows, quarters,
               count, out, wide)
        == payload.size - first;
}

int decode_values_of(const struct network *network, struct value_tables *tables,
    const struct piece *piece, uint8_t *model, struct room room)
{
    const int64_t type = network->tensor[piece->spans[0].tensor].type, count = piece->weights;
    const int bits = bits_of(type), mantissa = mantissa_of(type);
    const uint8_t *head = piece->payload.data;
    int16_t *quarters = take_room(&room, count, sizeof *quarters);
    uint8_t *rows = take_room(&room, count, sizeof *rows);
    uint8_t *out = piece->span_count > 1 ? take_room(&room, count, (size_t)bits / 8)
                                         : hole_of(network, &piece->spans[0], model);
    struct cuts cuts;
    if (!quarters || !rows || !out || type > TYPE_BFLOAT16 || piece->payload.size < HEAD
        || head[0] > mantissa || head[1] >= bits || head[3] >= SLICE_CLASSES || head[4] >= SLICE_CLASSES)
        return 0;
    for (int64_t i = 0, done = 0; i < piece->span_count; i++) {
        find_quarters(network, &piece->spans[i], quarters + done);
        done += piece->spans[i].stop - piece->spans[i].start;
    }
    find_cuts(&cuts, bits, mantissa, head[0], head[1]);
    struct bytes rest = { head + HEAD, piece->payload.size - HEAD };
    if (!lay_rows(network, tables, piece, head, quarters, rows)
        || !read_payload(tables, &cuts, rest, quarters, count, rows, out))
        return 0;
    if (piece->span_count > 1)
        copy_to_holes(network, piece, out, model);
    return 1;
}
