#include "packing.h"

#include <string.h>

#include "clones.h"
#include "thrift.h"

#define OCTAVE 4 /* quarters */
#define CODEWORD_BITS 5

/* The table for each quarter that is expected of a number; the last one is a mirror image. */
static const int8_t phase_of[4] = { 0, 2, 1, 2 };

static void put_varint(struct packing *packing, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *packing->out++ = (uint8_t)(value | 0x80);
    *packing->out++ = (uint8_t)value;
}

/* Low bits of the levels that have some, least significant bit first. */
static void put_low(struct packing *packing, int64_t count)
{
    uint64_t buffer = 0;
    int filled = 0;
    for (int64_t i = 0; i < count; i++) {
        buffer |= (uint64_t)(uint32_t)packing->low[i] << filled;
        for (filled += packing->shifts[i]; filled >= 8; filled -= 8) {
            *packing->out++ = (uint8_t)buffer;
            buffer >>= 8;
        }
    }
    if (filled)
        *packing->out++ = (uint8_t)buffer;
}

static void put_escapes(struct packing *packing, int64_t count)
{
    put_varint(packing, (uint64_t)count);
    for (int64_t i = 0; i < count; i++) {
        int64_t value = packing->escapes[i];
        put_varint(packing, value < 0 ? (uint64_t)(-1 - 2 * value) : (uint64_t)(2 * value));
    }
}

/* Bits of escapes and low bits. */
static void count_bits(struct packing *packing, int64_t count, int64_t escapes)
{
    for (int64_t i = 0; i < count; i++)
        packing->bits += packing->shifts[i];
    for (int64_t i = 0; i < escapes; i++) {
        int64_t value = packing->escapes[i];
        uint64_t left = value < 0 ? (uint64_t)(-1 - 2 * value) : (uint64_t)(2 * value);
        for (packing->bits += 8; left >= 0x80; left >>= 7)
            packing->bits += 8;
    }
}

static int put_symbols(struct packing *packing, int64_t count, int64_t lanes)
{
    uint32_t states[MAX_LANES];
    uint16_t *end = packing->words + count;
    int64_t taken
        = rans_encode_slice(&packing->entries, packing->symbols, count, states, lanes, end);
    if (taken < 0)
        return 0;
    for (int64_t lane = 0; lane < lanes; lane++)
        for (int byte = 0; byte < 4; byte++)
            *packing->out++ = (uint8_t)(states[lane] >> 8 * byte);
    for (const uint16_t *word = end - taken; word < end; word++) {
        *packing->out++ = (uint8_t)*word;
        *packing->out++ = (uint8_t)(*word >> 8);
    }
    return 1;
}

static int has_any(const uint8_t *values, int64_t count)
{
    uint8_t any = 0;
    for (int64_t i = 0; i < count; i++)
        any |= values[i];
    return any;
}

/* One stream, and what stands before it; nothing where there are no levels. */
static int put_stream(struct packing *packing, const struct packed_levels *own,
    const int8_t *phases, const int64_t *halves, int64_t lanes)
{
    if (!own->count)
        return 1;
    fold_widths_of(&packing->folds, own->widths, own->count, packing->folded, packing->shifts);
    find_rows(&packing->choices, own->shapes, packing->folded, phases, own->count, packing->tables);
    int has_low = has_any(packing->shifts, own->count);
    struct levels levels
        = { own->levels, halves, packing->tables, has_low ? packing->shifts : NULL, own->count };
    struct symbols symbols = { packing->out ? packing->symbols : NULL, packing->low,
        packing->out ? NULL : packing->counts, packing->places, packing->escapes };
    int64_t escapes = find_symbols(&symbols, &levels, &packing->alphabets);
    if (escapes < 0)
        return 0;
    if (!packing->out) {
        count_bits(packing, own->count, escapes);
        return 1;
    }
    if (has_low)
        put_low(packing, own->count);
    put_escapes(packing, escapes);
    return put_symbols(packing, own->count, lanes);
}

/* What is expected of all levels in `halves`; NULL for nothing. False where terms are no terms. */
static int find_halves(
    struct packing *packing, const struct packed_levels *given, const int64_t **halves)
{
    *halves = given->terms ? packing->halves : given->halves;
    return !given->terms
        || predict_slice(given->levels, given->count, given->terms, packing->halves);
}

int pack_integers(struct packing *packing, const struct packed_levels *given)
{
    const int64_t *halves;
    return find_halves(packing, given, &halves)
        && put_stream(packing, given, NULL, halves, packing->lanes);
}

/* --- points ---------------------------------------------------------------------------------- */

/* The number of each point's codeword, by which of its levels are odd. */
static void put_codewords(struct packing *packing, const int32_t *levels, int64_t points)
{
    uint32_t buffer = 0;
    int filled = 0;
    for (int64_t p = 0; p < points; p++) {
        uint32_t first = levels[p] & 1, number = first;
        for (int bit = 0; bit < CODEWORD_BITS - 1; bit++)
            number |= (first ^ (levels[p + points * (1 << bit)] & 1)) << (bit + 1);
        buffer |= number << filled;
        for (filled += CODEWORD_BITS; filled >= 8; filled -= 8) {
            *packing->out++ = (uint8_t)buffer;
            buffer >>= 8;
        }
    }
    if (filled)
        *packing->out++ = (uint8_t)buffer;
}

/* What the other levels of each point say of its last one, modulo four. */
FOR_EVERY_WIDTH static void find_rests(
    int32_t *restrict rests, const int32_t *levels, int64_t points)
{
    memset(rests, 0, sizeof *rests * (size_t)points);
    for (int k = 0; k < BLOCK - 1; k++)
        for (int64_t p = 0; p < points; p++)
            rests[p] = (int32_t)((uint32_t)rests[p] - (uint32_t)levels[k * points + p]);
    for (int64_t p = 0; p < points; p++)
        rests[p] &= 3;
}

/* Of so many weights in a row: the number beyond half of whether each is odd, unless all are even. */
FOR_EVERY_WIDTH static void split_some(int32_t *restrict numbers, int8_t *restrict phases,
    const int32_t *levels, int64_t count, int is_odd)
{
    for (int64_t i = 0; i < count; i++) {
        int32_t odd = levels[i] & is_odd;
        phases[i] = (int8_t)odd;
        numbers[i] = (levels[i] + odd) >> 1;
    }
}

FOR_EVERY_WIDTH static void narrow_some(
    int16_t *restrict narrow, const int16_t *widths, int64_t count, int less)
{
    for (int64_t i = 0; i < count; i++)
        narrow[i] = (int16_t)(widths[i] - less);
}

/* Numbers and phases of the last weights of points; `numbers` are what is known of them. */
FOR_EVERY_WIDTH static void split_last(
    int32_t *restrict numbers, int8_t *restrict phases, const int32_t *levels, int64_t points)
{
    for (int64_t p = 0; p < points; p++) {
        int32_t rest = numbers[p], last = levels[p];
        phases[p] = (int8_t)(rest & 1 ? 2 : rest >> 1); /* as phase_of */
        numbers[p] = (rest == 1 ? 1 - last : last + (-rest & 3)) >> 2;
    }
}

/* Numbers, widths and phases of all weights but the last ones of points, where nothing is
 * expected; of the last ones behind them. */
static void split_points(
    struct packing *packing, const struct packed_levels *given, int64_t points)
{
    const int64_t inside = (BLOCK - 1) * points, stop = BLOCK * points, over = given->count - stop;
    const int64_t first = inside + over;
    const int32_t *levels = given->levels;
    split_some(packing->numbers, packing->phases, levels, inside, 1);
    split_some(packing->numbers + inside, packing->phases + inside, levels + stop, over, 0);
    find_rests(packing->numbers + first, levels, points);
    split_last(packing->numbers + first, packing->phases + first, levels + inside, points);
    narrow_some(packing->narrow, given->widths, inside, OCTAVE);
    narrow_some(packing->narrow + inside, given->widths + stop, over, OCTAVE);
    narrow_some(packing->narrow + first, given->widths + inside, points, 2 * OCTAVE);
    memcpy(packing->shapes, given->shapes, (size_t)inside);
    memcpy(packing->shapes + inside, given->shapes + stop, (size_t)over);
    memcpy(packing->shapes + first, given->shapes + inside, (size_t)points);
}

static int pack_free(struct packing *packing, const struct packed_levels *given, int64_t points)
{
    const int64_t first = given->count - points;
    split_points(packing, given, points);
    struct packed_levels own = { packing->numbers, packing->shapes, packing->narrow, first, NULL, NULL };
    struct packed_levels last = { packing->numbers + first, packing->shapes + first,
        packing->narrow + first, points, NULL, NULL };
    return put_stream(packing, &own, packing->phases, NULL, packing->lanes)
        && put_stream(packing, &last, packing->phases + first, NULL, packing->last_lanes);
}

/* A number beyond what is expected in quarters of it. */
static void put_number(struct packing *packing, int64_t i, int64_t whole, int64_t quarters)
{
    int64_t number = whole - (quarters >> 2);
    packing->numbers[i] = (int32_t)((quarters & 3) == 3 ? 1 - number : number);
    packing->phases[i] = phase_of[quarters & 3];
}

static int pack_expected(
    struct packing *packing, const struct packed_levels *given, const int64_t *halves, int64_t points)
{
    const int32_t *levels = given->levels;
    const int64_t inside = (BLOCK - 1) * points, stop = BLOCK * points;
    for (int64_t i = 0; i < given->count; i++)
        packing->narrow[i] = (int16_t)(given->widths[i]
            - (i >= inside && i < stop ? 2 * OCTAVE : OCTAVE));
    for (int64_t i = 0; i < inside; i++) {
        int64_t odd = levels[i] & 1;
        put_number(packing, i, (levels[i] + odd) >> 1, halves[i] + 2 * odd);
    }
    find_rests(packing->numbers + inside, levels, points);
    for (int64_t p = 0; p < points; p++) {
        int64_t i = inside + p, rest = packing->numbers[i];
        put_number(packing, i, (levels[i] - rest) >> 2, (halves[i] - 2 * rest) >> 1);
    }
    for (int64_t i = stop; i < given->count; i++)
        put_number(packing, i, levels[i] >> 1, halves[i]);
    struct packed_levels own
        = { packing->numbers, given->shapes, packing->narrow, given->count, NULL, NULL };
    return put_stream(packing, &own, packing->phases, NULL, packing->lanes);
}

int pack_points(struct packing *packing, const struct packed_levels *given)
{
    const int64_t points = given->count / BLOCK, *halves;
    if (!find_halves(packing, given, &halves))
        return 0;
    if (packing->out)
        put_codewords(packing, given->levels, points);
    packing->bits += CODEWORD_BITS * points;
    return halves ? pack_expected(packing, given, halves, points)
                  : pack_free(packing, given, points);
}
