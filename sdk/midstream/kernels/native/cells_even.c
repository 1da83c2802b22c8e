#include "cells_even.h"

#include "counts.h"
#include "floats_wide.h"
#include "ordinals.h"

#define LEVEL_CELLS 6144 /* of small levels; the others are made where they are met */
#define WINDOW_BITS 57 /* that are ahead at least */
#define EACH (WINDOW_BITS / MAX_CELL_BITS) /* weights whose parts are */
#define MOST_LAST 48 /* weights, whose last bits are */

INLINE void add_cell(struct table *table, int64_t first, int64_t end)
{
    const uint32_t ordinals = (uint32_t)(end > first ? end - first : 1);
    const int width = log2_of(ordinals);
    table->cell[table->count]
        = (struct cell){ (int32_t)first, (uint32_t)((UINT64_C(2) << width) - ordinals) };
    table->packed[table->count] = ((uint32_t)first & MOST_PLACE) | (uint32_t)width << PACKED_WIDTH
        | (ordinals - (UINT32_C(1) << width)) << PACKED_MORE;
    table->width[table->count++] = (uint8_t)width;
    table->widest = width > table->widest ? width : table->widest;
}

INLINE void add_level(const struct cells *cells, struct table *table, int32_t level, int width)
{
    const double step = cells->steps[0];
    int64_t first = part_start(cells, level, step, width, 0), end;
    for (int part = 0; part < 1 << width; part++, first = end) {
        end = part_start(cells, level, step, width, part + 1);
        add_cell(table, first, end);
    }
}

INLINE int width_of(const struct cells *cells, int32_t level)
{
    const double step = cells->steps[0];
    return split_bits(
        part_start(cells, level, step, 0, 1) - part_start(cells, level, step, 0, 0));
}

INLINE void add_zeros(const struct cells *cells, struct table *table)
{
    const double step = cells->steps[0], edge = step / (2 << OCTAVES);
    for (int i = 0; i < 2 * OCTAVES; i++) {
        int64_t far = octave_end(cells, step, i % OCTAVES, i >= OCTAVES);
        int64_t near = octave_end(cells, step, i % OCTAVES + 1, i >= OCTAVES);
        add_cell(table, i < OCTAVES ? near : far, i < OCTAVES ? far : near);
    }
    if (cells->mode == 3)
        add_cell(table, first_at(-edge, cells), first_at(edge, cells));
    else
        add_cell(table, 1 - cells->mode, 1);
}

/* The cells of level 0, and of -1, 1, -2, ... as far as there are such levels, and room. */
INLINE void make_table(const struct cells *cells, struct table *table)
{
    int32_t least = 0, most = 0;
    for (int64_t i = 0; i < cells->count; i++) {
        least = cells->levels[i] < least ? cells->levels[i] : least;
        most = cells->levels[i] > most ? cells->levels[i] : most;
    }
    table->count = table->widest = table->low = table->high = 0;
    add_zeros(cells, table);
    table->level[SMALL_LEVEL] = 0; /* until it is known what they are */
    for (int turn = 1; turn <= 2 * SMALL_LEVEL; turn++) {
        const int32_t level = turn & 1 ? -(turn + 1) / 2 : turn / 2;
        if (level < least || level > most)
            continue;
        const int width = width_of(cells, level);
        if (table->count + (1 << width) > LEVEL_CELLS)
            break;
        table->level[level + SMALL_LEVEL] = (uint32_t)table->count | (uint32_t)width << PLACE_BITS;
        add_level(cells, table, level, width);
        table->low = level < table->low ? level : table->low;
        table->high = level > table->high ? level : table->high;
    }
}

int add_other(
    const struct cells *cells, struct table *table, int32_t level, struct section *parts)
{
    const double step = cells->steps[0];
    const int width = width_of(cells, level);
    const int64_t part = take(parts, width);
    add_cell(table, part_start(cells, level, step, width, part),
        part_start(cells, level, step, width, part + 1));
    return table->count - 1;
}

/* The cells of up to EACH weights from one on, level 0 aside; bits of their places, or -1 where
 * there are too many. */
INLINE int64_t read_some_parts(const struct cells *cells, struct table *table,
    struct section *parts, uint16_t *which, int64_t i, int64_t stop)
{
    const uint32_t *small = &table->level[table->low + SMALL_LEVEL];
    const uint32_t range = (uint32_t)(table->high - table->low);
    uint64_t window = ahead(parts);
    int64_t bits = 0;
    for (; i < stop; i++) {
        const uint32_t place = (uint32_t)cells->levels[i] - (uint32_t)table->low;
        uint32_t cell;
        if (place <= range) {
            const int width = (int)(small[place] >> PLACE_BITS);
            cell = (small[place] & MOST_PLACE) + (uint32_t)(window & ((UINT64_C(1) << width) - 1));
            window >>= width;
            parts->bit += width;
        } else {
            if (table->count == MOST_CELLS)
                return -1;
            cell = (uint32_t)add_other(cells, table, cells->levels[i], parts);
            window = ahead(parts);
        }
        which[i] = (uint16_t)cell;
        bits += table->width[cell];
    }
    return bits;
}

/* The cell of each weight, level 0 aside; bits of their places, or -1 where there are too many. */
INLINE int64_t read_parts(
    const struct cells *cells, struct table *table, struct section *parts, uint16_t *which)
{
    int64_t bits = 0, some = 0, zero = 0;
    for (int64_t i = 0, stop; i < cells->count && some >= 0; i = stop, bits += some) {
        stop = cells->count - i < EACH ? cells->count : i + EACH;
        some = read_some_parts(cells, table, parts, which, i, stop);
    }
    for (int64_t i = 0; i < cells->count; i++) {
        cells->zero_at[zero] = (int32_t)i;
        zero += !cells->levels[i];
    }
    return some < 0 ? -1 : bits - cells->zeros * table->width[0];
}

/* The cells of levels 0; bits of their places, or what is wrong. */
INLINE int64_t read_octaves(const struct cells *cells, const struct table *table,
    struct section *section, uint16_t *which)
{
    const int64_t inner = zero_bytes(cells->core, cells->zeros);
    int64_t bits = 0;
    struct section signs = *section;
    section->bit = inner;
    if (!next_section(section))
        return CELLS_SHORT;
    for (int64_t zero = 0; zero < cells->zeros; zero++) {
        int place = CORE;
        if (!cells->core[zero]) {
            const uint64_t unary = ahead(section) & ((1 << OCTAVES) - 1);
            if (!unary)
                return CELLS_MALFORMED;
            const int octave = log2_of(unary & -unary);
            section->bit += octave + 1;
            place = (int)take(&signs, 1) * OCTAVES + octave;
        }
        which[cells->zero_at[zero]] = (uint16_t)place;
        bits += table->width[place];
    }
    return next_section(section) ? bits : CELLS_SHORT;
}

/* Where values are read from: the places without their last bits, and these. */
struct places {
    struct section upper, lower;
    uint64_t low;  /* the next of the last bits */
    int64_t taken; /* of them */
};

/* So many values from one on, all of whose places, but for last bits, are ahead. */
INLINE void read_some_values(const struct table *table, const uint16_t *which,
    struct places *places, const int64_t i, const int count, void *out, const int is_single)
{
    uint64_t window = ahead(&places->upper);
    uint16_t *halves = out;
    uint32_t *singles = out;
    for (int k = 0; k < count; k++) {
        const struct cell cell = table->cell[which[i + k]];
        const int width = table->width[which[i + k]];
        const uint32_t place = (uint32_t)(window & ((UINT64_C(1) << width) - 1));
        window >>= width;
        places->upper.bit += width;
        /* no branch: which places have a last bit cannot be foretold */
        const uint32_t is_long = place >= cell.spare;
        const uint32_t further = (place - cell.spare) & -is_long;
        const uint32_t last = (uint32_t)places->low & is_long;
        places->low >>= is_long;
        places->taken += is_long;
        const uint32_t ordinal = (uint32_t)cell.first + place + further + last;
        /* nor which are negative: -1 - ordinal, and the sign */
        const uint32_t negative = -(ordinal >> 31);
        const uint32_t value = ordinal ^ negative >> 1;
        if (is_single)
            singles[i + k] = value;
        else
            halves[i + k] = (uint16_t)((ordinal ^ negative) | (negative & 1 << 15));
    }
}

/* All values, so many from each window. */
INLINE void read_values(const struct cells *cells, const struct table *table,
    const uint16_t *which, struct places *places, void *out, const int each, const int is_single)
{
    int64_t i = 0;
    while (cells->count - i >= each) {
        const int64_t most = cells->count - i < MOST_LAST ? cells->count : i + MOST_LAST;
        places->low = ahead(&places->lower);
        places->taken = 0;
        for (; most - i >= each; i += each)
            read_some_values(table, which, places, i, each, out, is_single);
        places->lower.bit += places->taken;
    }
    for (; i < cells->count; i++, places->lower.bit += places->taken) {
        places->low = ahead(&places->lower);
        places->taken = 0;
        read_some_values(table, which, places, i, 1, out, is_single);
    }
}

INLINE void read_any_values(const struct cells *cells, const struct table *table,
    const uint16_t *which, struct places *places, void *out)
{
    if (cells->bits == 16)
        read_values(cells, table, which, places, out, WINDOW_BITS / 16, 0);
    else if (2 * table->widest <= WINDOW_BITS)
        read_values(cells, table, which, places, out, 2, 1);
    else
        read_values(cells, table, which, places, out, 1, 1);
}

INLINE int64_t read_all(const struct cells *cells, const uint8_t *data, int64_t size, void *out,
    const int can_halves)
{
    struct table table;
    struct section section = { data, size, 0 };
    uint16_t *which = (uint16_t *)cells->first; /* its memory is for us */
    make_table(cells, &table);
    if (can_halves && cells->bits == 16) {
        int64_t taken = read_even_halves(cells, &table, data, size, out);
        if (taken != CELLS_UNKNOWN)
            return taken;
        make_table(cells, &table);
    }
    int64_t outer = read_parts(cells, &table, &section, which);
    if (outer < 0)
        return CELLS_UNKNOWN;
    if (!next_section(&section))
        return CELLS_SHORT;
    int64_t inner = read_octaves(cells, &table, &section, which);
    if (inner < 0)
        return inner;
    struct places places = { .upper = section };
    section.bit = outer + inner;
    if (!next_section(&section))
        return CELLS_SHORT;
    places.lower = section;
    read_any_values(cells, &table, which, &places, out);
    return next_section(&places.lower) ? size - places.lower.size : CELLS_SHORT;
}

#if defined(__GNUC__) && defined(__x86_64__)
__attribute__((target("avx2,bmi,bmi2"))) static int64_t read_wide(
    const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    return read_all(cells, data, size, out, 1);
}
#else
#define read_wide(cells, data, size, out) read_all(cells, data, size, out, 0)
#endif

int64_t read_even(const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    return has_wide() ? read_wide(cells, data, size, out) : read_all(cells, data, size, out, 0);
}
