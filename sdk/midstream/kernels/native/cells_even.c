#include "cells_even.h"

#include "floats_wide.h"
#include "ordinals.h"

#define SMALL_LEVEL 255
#define MOST_CELLS 8192
#define LEVEL_CELLS 6144 /* of small levels; the others are made where they are met */
#define CORE (2 * OCTAVES)

/* A cell, with the numbers that places in it are read by. */
struct cell {
    int32_t first;
    uint32_t spare, width;
};

/* First the octaves of level 0, those of positive numbers before those of negative ones, then the
 * core, then small levels part by part, then others. */
struct table {
    struct cell cell[MOST_CELLS];
    int count;
    int low, high; /* the small levels */
    uint16_t first[2 * SMALL_LEVEL + 1];
    uint8_t widths[2 * SMALL_LEVEL + 1];
};

INLINE void add_cell(struct table *table, int64_t first, int64_t end)
{
    const uint32_t ordinals = (uint32_t)(end > first ? end - first : 1);
    const int width = log2_of(ordinals);
    table->cell[table->count++] = (struct cell){ (int32_t)first,
        (uint32_t)((UINT64_C(2) << width) - ordinals), (uint32_t)width };
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
    table->count = table->low = table->high = 0;
    add_zeros(cells, table);
    /* until it is known what they are */
    table->first[SMALL_LEVEL] = 0;
    table->widths[SMALL_LEVEL] = 0;
    for (int turn = 1; turn <= 2 * SMALL_LEVEL; turn++) {
        const int32_t level = turn & 1 ? -(turn + 1) / 2 : turn / 2;
        if (level < least || level > most)
            continue;
        const int width = width_of(cells, level);
        if (table->count + (1 << width) > LEVEL_CELLS)
            break;
        table->first[level + SMALL_LEVEL] = (uint16_t)table->count;
        table->widths[level + SMALL_LEVEL] = (uint8_t)width;
        add_level(cells, table, level, width);
        table->low = level < table->low ? level : table->low;
        table->high = level > table->high ? level : table->high;
    }
}

/* The part of a level that is not small. */
INLINE int add_other(
    const struct cells *cells, struct table *table, int32_t level, struct section *parts)
{
    const double step = cells->steps[0];
    const int width = width_of(cells, level);
    const int64_t part = take(parts, width);
    add_cell(table, part_start(cells, level, step, width, part),
        part_start(cells, level, step, width, part + 1));
    return table->count - 1;
}

/* The cell of each weight, level 0 aside; bits of their places, or -1 where there are too many. */
INLINE int64_t read_parts(
    const struct cells *cells, struct table *table, struct section *parts, uint16_t *which)
{
    int64_t bits = 0;
    for (int64_t i = 0, zero = 0; i < cells->count; i++) {
        const int32_t level = cells->levels[i];
        int place;
        cells->zero_at[zero] = (int32_t)i;
        zero += !level;
        if (level >= table->low && level <= table->high)
            place = table->first[level + SMALL_LEVEL]
                + (int)take(parts, table->widths[level + SMALL_LEVEL]);
        else if (table->count == MOST_CELLS)
            return -1;
        else
            place = add_other(cells, table, level, parts);
        which[i] = (uint16_t)place;
        bits += table->cell[place].width;
    }
    return bits - cells->zeros * table->cell[0].width;
}

/* The cells of levels 0; bits of their places, or what is wrong. */
INLINE int64_t read_octaves(const struct cells *cells, const struct table *table,
    struct section *section, uint16_t *which)
{
    int64_t inner = 0, bits = 0;
    for (int64_t i = 0; i < cells->zeros; i++)
        inner += !cells->core[i];
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
        bits += table->cell[place].width;
    }
    return next_section(section) ? bits : CELLS_SHORT;
}

INLINE void read_values(const struct cells *cells, const struct table *table,
    const uint16_t *which, struct section *upper, struct section *lower, void *out,
    const int is_single)
{
    const int64_t sign = is_single ? INT64_C(1) << 31 : 1 << 15;
    uint16_t *halves = out;
    uint32_t *singles = out;
    for (int64_t i = 0; i < cells->count; i++) {
        const struct cell cell = table->cell[which[i]];
        const int64_t place = take(upper, (int)cell.width), last = (int64_t)(ahead(lower) & 1);
        /* no branch: which places have a last bit cannot be foretold */
        const int64_t is_long = place >= (int64_t)cell.spare;
        lower->bit += is_long;
        const int64_t ordinal = cell.first + place + ((place + last - (int64_t)cell.spare) & -is_long);
        /* nor which are negative: -1 - ordinal, and the sign */
        const int64_t negative = -(int64_t)(ordinal < 0);
        const int64_t value = (ordinal ^ negative) | (sign & negative);
        if (is_single)
            singles[i] = (uint32_t)value;
        else
            halves[i] = (uint16_t)value;
    }
}

INLINE int64_t read_all(const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    struct table table;
    struct section section = { data, size, 0 };
    uint16_t *which = (uint16_t *)cells->first; /* its memory is for us */
    make_table(cells, &table);
    int64_t outer = read_parts(cells, &table, &section, which);
    if (outer < 0)
        return CELLS_UNKNOWN;
    if (!next_section(&section))
        return CELLS_SHORT;
    int64_t inner = read_octaves(cells, &table, &section, which);
    if (inner < 0)
        return inner;
    struct section upper = section;
    section.bit = outer + inner;
    if (!next_section(&section))
        return CELLS_SHORT;
    if (cells->bits == 32)
        read_values(cells, &table, which, &upper, &section, out, 1);
    else
        read_values(cells, &table, which, &upper, &section, out, 0);
    return next_section(&section) ? size - section.size : CELLS_SHORT;
}

#if defined(__GNUC__) && defined(__x86_64__)
__attribute__((target("bmi,bmi2"))) static int64_t read_wide(
    const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    return read_all(cells, data, size, out);
}
#else
#define read_wide read_all
#endif

int64_t read_even(const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    return has_wide() ? read_wide(cells, data, size, out) : read_all(cells, data, size, out);
}
