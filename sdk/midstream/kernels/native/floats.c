#include "floats.h"

#include <string.h>

#include "counts.h"
#include "floats_wide.h"
#include "floats_wider.h"
#include "rans.h"

#define WIDEST 32  /* bits of a field beyond its whole bytes */
#define WINDOW 8   /* bytes that are loaded at once */
#define ZERO_SYMBOL 0
#define LOW_SYMBOL 1

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

static inline uint32_t load16(const uint8_t *data)
{
    return (uint32_t)data[0] | (uint32_t)data[1] << 8;
}

static inline uint64_t load64(const uint8_t *data)
{
    return (uint64_t)data[0] | (uint64_t)data[1] << 8 | (uint64_t)data[2] << 16
        | (uint64_t)data[3] << 24 | (uint64_t)data[4] << 32 | (uint64_t)data[5] << 40
        | (uint64_t)data[6] << 48 | (uint64_t)data[7] << 56;
}

int widest_floats(void)
{
    return has_wide() ? 1 + has_wider() : 0;
}

/* --- tables ------------------------------------------------------------------------------ */

int spread_table(const uint16_t *frequencies, uint32_t *slots)
{
    uint32_t start = 0;
    for (uint32_t symbol = 0; symbol < FLOAT_SYMBOLS; symbol++) {
        uint32_t frequency = frequencies[symbol];
        if (frequency % 4 || frequency >= TOTAL || frequency > TOTAL - start)
            return 0;
        uint32_t slot = symbol << 24 | start << 12 | frequency;
        for (uint32_t i = start / 4; i < (start + frequency) / 4; i++)
            slots[i] = slot;
        start += frequency;
    }
    return start == TOTAL;
}

void choose_rows(const int16_t *quarters, int64_t count, int16_t split, uint8_t narrow,
    uint8_t wide, uint8_t *rows)
{
    for (int64_t i = 0; i < count; i++)
        rows[i] = (uint8_t)((quarters[i] < split ? narrow : wide) + (quarters[i] & 3));
}

/* --- symbols ----------------------------------------------------------------------------- */

/* The words that are left. */
struct input {
    const uint8_t *next;
    const uint8_t *end;
};

static inline uint32_t slot_of(const uint32_t *slots, uint32_t row, uint32_t state)
{
    return slots[row << SLOT_BITS | (state & (TOTAL - 1)) >> (TOTAL_BITS - SLOT_BITS)];
}

static inline uint32_t stepped(uint32_t slot, uint32_t state)
{
    uint32_t frequency = slot & (TOTAL - 1), start = slot >> 12 & (TOTAL - 1);
    return frequency * (state >> TOTAL_BITS) + (state & (TOTAL - 1)) - start;
}

/* Symbols of rounds of all lanes, as long as a word for each of them is left; gives how many. No
 * branch: whether a lane takes a word cannot be foretold. */
INLINE int64_t decode_rounds(const uint32_t *restrict slots, struct input *input,
    uint32_t *restrict states, const int lanes, uint8_t *restrict rows, int64_t count)
{
    const uint8_t *restrict next = input->next;
    uint32_t own[FLOAT_LANES];
    int64_t i = 0;
    memcpy(own, states, (size_t)lanes * sizeof *own);
    for (; count - i >= lanes && input->end - next > 2 * lanes; i += lanes, rows += lanes)
        for (int lane = 0; lane < lanes; lane++) {
            uint32_t slot = slot_of(slots, rows[lane], own[lane]);
            uint32_t state = stepped(slot, own[lane]);
            uint32_t refilled = state << 16 | load16(next), hungry = state < STATE_START;
            rows[lane] = (uint8_t)(slot >> 24);
            next += 2 * hungry;
            own[lane] = state ^ ((state ^ refilled) & -hungry);
        }
    memcpy(states, own, (size_t)lanes * sizeof *own);
    input->next = next;
    return i;
}

/* The same with all numbers known where the code is made. */
static int64_t decode_any_rounds(const uint32_t *slots, struct input *input, uint32_t *states,
    int64_t lanes, uint8_t *rows, int64_t count)
{
    switch (lanes) {
    case 1:
        return decode_rounds(slots, input, states, 1, rows, count);
    case 2:
        return decode_rounds(slots, input, states, 2, rows, count);
    case 4:
        return decode_rounds(slots, input, states, 4, rows, count);
    case 8:
        return decode_rounds(slots, input, states, 8, rows, count);
    default:
        return decode_rounds(slots, input, states, (int)lanes, rows, count);
    }
}

static int refill(uint32_t *state, struct input *input)
{
    if (*state >= STATE_START)
        return 1;
    if (input->end - input->next < 2)
        return 0;
    *state = *state << 16 | load16(input->next);
    input->next += 2;
    return 1;
}

/* The symbols that are left, where words may end. */
static int decode_last(const uint32_t *slots, struct input *input, uint32_t *states,
    int64_t lanes, uint8_t *rows, int64_t count)
{
    int64_t lane = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t slot = slot_of(slots, rows[i], states[lane]);
        rows[i] = (uint8_t)(slot >> 24);
        states[lane] = stepped(slot, states[lane]);
        if (!refill(&states[lane], input))
            return 0;
        lane = lane + 1 < lanes ? lane + 1 : 0;
    }
    /* as in rans.c: lanes of a damaged slice that are below their bound read on */
    for (; lane && lane < lanes; lane++)
        if (!refill(&states[lane], input))
            return 0;
    return 1;
}

int64_t decode_symbols(const uint32_t *slots, const uint8_t *data, int64_t size, int64_t lanes,
    uint8_t *rows, int64_t count, int wide)
{
    uint32_t states[FLOAT_LANES], bad = 0;
    if (size < 4 * lanes)
        return FLOATS_SHORT;
    for (int64_t lane = 0; lane < lanes; lane++) {
        states[lane] = load16(data + 4 * lane) | load16(data + 4 * lane + 2) << 16;
        bad |= states[lane] < STATE_START;
    }
    if (bad)
        return FLOATS_BAD_STATE;
    struct input input = { data + 4 * lanes, data + size };
    int64_t i = 0;
    if (wide > 1)
        i = wider_symbols(slots, &input.next, input.end, states, lanes, rows, count);
    else if (wide)
        i = wide_symbols(slots, &input.next, input.end, states, lanes, rows, count);
    i += decode_any_rounds(slots, &input, states, lanes, rows + i, count - i);
    if (!decode_last(slots, &input, states, lanes, rows + i, count - i))
        return FLOATS_SHORT;
    for (int64_t lane = 0; lane < lanes; lane++)
        bad |= states[lane] != STATE_START;
    return bad ? FLOATS_BAD_STATE : input.next - data;
}

/* --- fields ------------------------------------------------------------------------------ */

/* Eight bytes from a place on; what is beyond the end is 0. */
static uint64_t load_last(const uint8_t *data, int64_t size, int64_t place)
{
    uint64_t word = 0;
    for (int64_t i = 0; i < WINDOW && place + i < size; i++)
        word |= (uint64_t)data[place + i] << 8 * i;
    return word;
}

static inline void store(uint8_t *out, int64_t i, uint32_t value, const int bits)
{
    out += i * (bits / 8);
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
    if (bits == 32) {
        out[2] = (uint8_t)(value >> 16);
        out[3] = (uint8_t)(value >> 24);
    }
}

/* Weights from `i` to `stop`. `careful` looks at the ends, where they are near. */
static inline void read_some(const struct layout *layout, struct fields *fields,
    const uint8_t *symbols, const int16_t *quarters, int64_t i, int64_t stop, uint8_t *out,
    const int bits, const int whole, const int careful)
{
    const uint8_t *restrict next = fields->whole, *restrict rest = fields->rest;
    const int unit = layout->mantissa - 3, trailing = layout->trailing;
    const uint32_t sign = UINT32_C(1) << (bits - 1);
    int64_t bit = fields->bit;
    for (; i < stop; i++) {
        uint32_t symbol = symbols[i], width = layout->widths[symbol], low = 0;
        uint64_t window = careful ? load_last(rest, fields->rest_size, bit >> 3)
                                  : load64(rest + (bit >> 3));
        if (whole && (!careful || symbol))
            low = whole == 2 ? load16(next) : *next;
        uint32_t high = (uint32_t)(window >> (bit & 7) & ((UINT64_C(1) << width) - 1));
        uint32_t field = symbol ? high << 8 * whole | low : 0;
        int32_t place = layout->places[symbol] + (quarters[i] >> 2) * layout->moves[symbol];
        uint32_t magnitude = ((uint32_t)place << unit) + (field >> 1 << trailing);
        store(out, i, (magnitude & (sign - 1)) | (field & 1) << (bits - 1), bits);
        next += symbol ? whole : 0;
        bit += width;
    }
    fields->whole = next;
    fields->bit = bit;
}

/* How many weights can be read without a look at the ends. */
static int64_t safe_run(const struct fields *fields, int64_t left, int whole)
{
    int64_t most = (fields->rest_size - (fields->bit >> 3) - WINDOW) * 8 / WIDEST;
    if (whole && (fields->whole_end - fields->whole) / whole < most)
        most = (fields->whole_end - fields->whole) / whole;
    return left < most ? left : most;
}

static inline int64_t bytes_ahead(const struct fields *fields)
{
    return fields->rest_size - (fields->bit >> 3);
}

/* How many of some weights come up to the first whose symbol wide_floats leaves to others. */
static int64_t up_to_odd_one(const struct layout *layout, const uint8_t *symbols, int64_t count)
{
    const uint32_t least = layout->widths[LOW_SYMBOL] > 8 ? LOW_SYMBOL : ZERO_SYMBOL, last = FLOAT_SYMBOLS - 1;
    int64_t i = 0;
    while (i < count && symbols[i] - least - 1u < last - least - 1)
        i++;
    return i < count ? i + 1 : count;
}

/* Groups of weights from `i` on, each odd one and those before it one by one, as long as more bytes
 * are left than a group takes; gives where it stopped. */
static inline int64_t read_groups(const struct layout *layout, const struct wide_parts *parts,
    struct fields *fields, const uint8_t *symbols, const int16_t *quarters, int64_t i,
    int64_t count, uint8_t *out, const int bits, const int whole)
{
    for (int64_t run;; i += run) {
        i += wide_floats(
            layout, parts, fields, symbols + i, quarters + i, count - i, out + i * (bits / 8));
        run = safe_run(fields, WIDE_GROUP, whole);
        if (count - i < WIDE_GROUP || run < 1 || bytes_ahead(fields) < WIDE_REST)
            return i;
        run = up_to_odd_one(layout, symbols + i, run);
        read_some(layout, fields, symbols, quarters, i, i + run, out, bits, whole, 0);
    }
}

/* The same where the rests end soon: with zeros behind them. */
static inline int64_t read_last_groups(const struct layout *layout,
    const struct wide_parts *parts, struct fields *fields, const uint8_t *symbols,
    const int16_t *quarters, int64_t i, int64_t count, uint8_t *out, const int bits,
    const int whole)
{
    uint8_t tail[2 * WIDE_REST] = { 0 };
    const int64_t first = fields->bit >> 3, left = bytes_ahead(fields);
    struct fields near = *fields;
    if (left < 0 || left > WIDE_REST)
        return i;
    memcpy(tail, fields->rest + first, (size_t)left);
    near.rest = tail;
    near.rest_size = sizeof tail;
    near.bit -= 8 * first;
    i = read_groups(layout, parts, &near, symbols, quarters, i, count, out, bits, whole);
    fields->whole = near.whole;
    fields->bit = near.bit + 8 * first;
    return i;
}

static inline void read_all(const struct layout *layout, struct fields *fields,
    const uint8_t *symbols, const int16_t *quarters, int64_t count, uint8_t *out,
    const int bits, const int whole, int wide)
{
    struct wide_parts parts;
    int64_t i = 0, run;
    if (wide && find_wide_parts(layout, &parts)) {
        i = read_groups(layout, &parts, fields, symbols, quarters, 0, count, out, bits, whole);
        i = read_last_groups(
            layout, &parts, fields, symbols, quarters, i, count, out, bits, whole);
    }
    for (; (run = safe_run(fields, count - i, whole)) > 0; i += run)
        read_some(layout, fields, symbols, quarters, i, i + run, out, bits, whole, 0);
    read_some(layout, fields, symbols, quarters, i, count, out, bits, whole, 1);
}

int64_t read_floats(const struct layout *layout, const uint8_t *data, int64_t size,
    const uint8_t *symbols, const int16_t *quarters, int64_t count, uint8_t *out, int wide)
{
    int64_t whole = (count - zero_bytes(symbols, count)) * layout->whole;
    if (whole > size)
        return FLOATS_SHORT;
    struct fields fields = { data, data + whole, data + whole, size - whole, 0 };
    switch (layout->bits + layout->whole) {
#define CASE(bits, whole) \
    case bits + whole: \
        read_all(layout, &fields, symbols, quarters, count, out, bits, whole, wide); \
        break
        CASE(32, 0);
        CASE(32, 1);
        CASE(32, 2);
        CASE(16, 0);
        CASE(16, 1);
        CASE(16, 2);
#undef CASE
    }
    int64_t rest = (fields.bit + 7) / 8;
    return rest > fields.rest_size ? FLOATS_SHORT : whole + rest;
}
