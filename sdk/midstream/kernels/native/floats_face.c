/* The Python face of floats.c: parses arguments, checks their sizes, releases the GIL. */
#include "floats.h"

#include "buffers.h"

enum { PAYLOAD, QUARTERS, STOPS, SPLITS, NARROW, WIDE, FREQUENCIES, PLACES, MOVES, WIDTHS, MEMORY,
    OUT, BUFFERS };
#define QUARTER_TABLES 4
#define WIDEST 32

/* The rows that tables have been given, in the order of their first use. */
struct rows {
    int count;
    int16_t table[FLOAT_ROWS / QUARTER_TABLES];
};

/* The first of the four rows of a table and the next three; -1 where there is none. */
static int row_of(struct rows *rows, int16_t table, const Py_buffer *frequencies, uint32_t *slots)
{
    const uint16_t *all = frequencies->buf;
    Py_ssize_t tables = frequencies->len / 2 / FLOAT_SYMBOLS;
    int place = 0;
    while (place < rows->count && rows->table[place] != table)
        place++;
    if (place < rows->count)
        return place * QUARTER_TABLES;
    if (table < 0 || table > tables - QUARTER_TABLES || place == FLOAT_ROWS / QUARTER_TABLES)
        return -1;
    for (int i = 0; i < QUARTER_TABLES; i++)
        if (!spread_table(all + (table + i) * FLOAT_SYMBOLS,
                slots + (place * QUARTER_TABLES + i) * SLOTS))
            return -1;
    rows->table[rows->count++] = table;
    return place * QUARTER_TABLES;
}

/* The row of each weight, and the slots of all rows. */
static int lay_rows(const Py_buffer *b, uint32_t *slots, uint8_t *rows_of)
{
    const int64_t *stops = b[STOPS].buf;
    const int16_t *splits = b[SPLITS].buf, *narrow = b[NARROW].buf, *wide = b[WIDE].buf;
    Py_ssize_t runs = b[STOPS].len / 8, count = b[QUARTERS].len / 2;
    struct rows rows = { 0 };
    int64_t start = 0;
    for (Py_ssize_t i = 0; i < runs; i++) {
        int first = row_of(&rows, narrow[i], &b[FREQUENCIES], slots);
        int second = row_of(&rows, wide[i], &b[FREQUENCIES], slots);
        if (first < 0 || second < 0 || stops[i] < start || stops[i] > count)
            return 0;
        choose_rows((const int16_t *)b[QUARTERS].buf + start, stops[i] - start, splits[i],
            (uint8_t)first, (uint8_t)second, rows_of + start);
        start = stops[i];
    }
    return start == count;
}

static int layout_fits(const Py_buffer *b, const struct layout *layout)
{
    if (!has_items(&b[PLACES], 2, FLOAT_SYMBOLS) || !has_items(&b[MOVES], 2, FLOAT_SYMBOLS)
        || !has_items(&b[WIDTHS], 1, FLOAT_SYMBOLS))
        return 0;
    if ((layout->bits != 16 && layout->bits != 32) || layout->mantissa < 3
        || layout->mantissa > layout->bits - 2 || layout->trailing < 0
        || layout->trailing > layout->mantissa || layout->whole < 0 || layout->whole > 2)
        return refuse("a float that there is not");
    for (int i = 0; i < FLOAT_SYMBOLS; i++)
        if (layout->widths[i] > WIDEST - (i ? 8 * layout->whole : WIDEST))
            return refuse("a field is too wide");
    return 1;
}

static int slice_fits(const Py_buffer *b, const struct layout *layout, int64_t at, int64_t lanes)
{
    Py_ssize_t count = items(&b[QUARTERS], 2), runs = items(&b[STOPS], 8);
    if (count < 0 || runs < 0 || !has_items(&b[SPLITS], 2, runs) || !has_items(&b[NARROW], 2, runs)
        || !has_items(&b[WIDE], 2, runs) || items(&b[FREQUENCIES], 2) < 0
        || !has_items(&b[MEMORY], 1, FLOAT_MEMORY + count))
        return 0;
    if ((uintptr_t)b[MEMORY].buf % sizeof(uint32_t))
        return refuse("memory that is not aligned");
    if (at < 0 || at > b[OUT].len || b[OUT].len - at < count * (layout->bits / 8))
        return refuse("floats go beyond their buffer");
    return !count || (lanes >= 1 && lanes <= FLOAT_LANES) || refuse("lanes that are too few or too many");
}

static int64_t decode(const Py_buffer *b, const struct layout *layout, int64_t at, int64_t lanes,
    int wide)
{
    uint32_t *slots = b[MEMORY].buf;
    uint8_t *symbols = (uint8_t *)b[MEMORY].buf + FLOAT_MEMORY;
    int64_t count = b[QUARTERS].len / 2;
    if (!lay_rows(b, slots, symbols))
        return FLOATS_UNKNOWN;
    if (!count)
        return 0;
    int64_t first
        = decode_symbols(slots, b[PAYLOAD].buf, b[PAYLOAD].len, lanes, symbols, count, wide);
    if (first < 0)
        return first;
    int64_t second = read_floats(layout, (const uint8_t *)b[PAYLOAD].buf + first,
        b[PAYLOAD].len - first, symbols, b[QUARTERS].buf, count, (uint8_t *)b[OUT].buf + at, wide);
    return second < 0 ? second : first + second;
}

PyObject *decode_floats(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    struct layout layout = { 0 };
    long long at, lanes;
    int wide;
    int64_t size = FLOATS_UNKNOWN;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*y*y*w*w*LLiiiii", &b[0], &b[1], &b[2], &b[3],
            &b[4], &b[5], &b[6], &b[7], &b[8], &b[9], &b[10], &b[11], &at, &lanes, &layout.bits,
            &layout.mantissa, &layout.trailing, &layout.whole, &wide))
        return NULL;
    layout.places = b[PLACES].buf;
    layout.moves = b[MOVES].buf;
    layout.widths = b[WIDTHS].buf;
    if (layout_fits(b, &layout) && slice_fits(b, &layout, at, lanes)) {
        Py_BEGIN_ALLOW_THREADS
        size = decode(b, &layout, at, lanes, wide < widest_floats() ? wide : widest_floats());
        Py_END_ALLOW_THREADS
        if (size == FLOATS_UNKNOWN)
            refuse("runs or tables that there are not");
    }
    release(b, BUFFERS);
    return size == FLOATS_UNKNOWN ? NULL : PyLong_FromLongLong(size);
}
