#include "cells.h"

#include "cells_even.h"
#include "core.h"
#include "counts.h"
#include "floats_wide.h"
#include "ordinals.h"

/* --- cells ------------------------------------------------------------------------------- */

INLINE void set_cell(const struct cells *cells, int64_t i, int64_t first, int64_t end)
{
    cells->first[i] = (int32_t)first;
    cells->ordinals[i] = (uint32_t)(end > first ? end - first : 1);
}

/* The part of its cell that a level other than 0 is in; nothing of use for others. */
INLINE void read_part(const struct cells *cells, int64_t i, struct section *parts)
{
    const int32_t level = cells->levels[i];
    if (!level)
        return;
    const double step = cells->steps[i];
    int64_t first = part_start(cells, level, step, 0, 0);
    int64_t end = part_start(cells, level, step, 0, 1);
    int width = split_bits(end - first);
    if (width) {
        int64_t part = take(parts, width);
        first = part_start(cells, level, step, width, part);
        end = part_start(cells, level, step, width, part + 1);
    }
    set_cell(cells, i, first, end);
}

INLINE void set_core(const struct cells *cells, int64_t i)
{
    const double edge = cells->steps[i] / (2 << OCTAVES);
    if (cells->mode == 3)
        set_cell(cells, i, first_at(-edge, cells), first_at(edge, cells));
    else
        set_cell(cells, i, 1 - cells->mode, 1);
}

/* The octave of a level 0 that is not core. False where it is malformed. */
INLINE int read_octave(
    const struct cells *cells, int64_t i, struct section *signs, struct section *octaves)
{
    const uint64_t bits = ahead(octaves) & ((1 << OCTAVES) - 1);
    const int is_negative = (int)take(signs, 1);
    if (!bits)
        return 0;
    const int octave = log2_of(bits & -bits);
    octaves->bit += octave + 1;
    const int64_t far = octave_end(cells, cells->steps[i], octave, is_negative);
    const int64_t near = octave_end(cells, cells->steps[i], octave + 1, is_negative);
    set_cell(cells, i, is_negative ? far : near, is_negative ? near : far);
    return 1;
}

/* Cells of all levels 0. */
INLINE int read_zeros(const struct cells *cells, struct section *section)
{
    const int64_t inner = zero_bytes(cells->core, cells->zeros);
    struct section signs = *section;
    section->bit = inner;
    if (!next_section(section))
        return CELLS_SHORT;
    for (int64_t zero = 0; zero < cells->zeros; zero++) {
        if (cells->core[zero])
            set_core(cells, cells->zero_at[zero]);
        else if (!read_octave(cells, cells->zero_at[zero], &signs, section))
            return CELLS_MALFORMED;
    }
    return next_section(section) ? 0 : CELLS_SHORT;
}

/* The bits of each float. */
INLINE int read_places(const struct cells *cells, struct section *section, void *out)
{
    const int64_t sign = INT64_C(1) << (cells->bits - 1);
    const int is_single = cells->bits == 32;
    uint16_t *halves = out;
    uint32_t *singles = out;
    int64_t bits = 0;
    for (int64_t i = 0; i < cells->count; i++)
        bits += log2_of(cells->ordinals[i]);
    struct section upper = *section;
    section->bit = bits;
    if (!next_section(section))
        return CELLS_SHORT;
    for (int64_t i = 0; i < cells->count; i++) {
        const int64_t ordinals = cells->ordinals[i];
        const int width = log2_of((uint64_t)ordinals);
        int64_t spare = (INT64_C(2) << width) - ordinals, place = take(&upper, width);
        /* no branch: which places have a last bit cannot be foretold */
        int64_t is_long = place >= spare, last = (int64_t)(ahead(section) & 1);
        section->bit += is_long;
        int64_t ordinal = cells->first[i] + place + (is_long ? place + last - spare : 0);
        int64_t negative = -(int64_t)(ordinal < 0);
        int64_t value = (ordinal ^ negative) | (sign & negative);
        if (is_single)
            singles[i] = (uint32_t)value;
        else
            halves[i] = (uint16_t)value;
    }
    return next_section(section) ? 0 : CELLS_SHORT;
}

INLINE int64_t read_any(const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    struct section section = { data, size, 0 };
    for (int64_t i = 0, zero = 0; i < cells->count; i++) {
        cells->zero_at[zero] = (int32_t)i;
        zero += !cells->levels[i];
        read_part(cells, i, &section);
    }
    int wrong = next_section(&section) ? read_zeros(cells, &section) : CELLS_SHORT;
    wrong = wrong ? wrong : read_places(cells, &section, out);
    return wrong ? wrong : size - section.size;
}

#if defined(__GNUC__) && defined(__x86_64__)
__attribute__((target("bmi,bmi2"))) static int64_t read_wide(
    const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    return read_any(cells, data, size, out);
}
#else
#define read_wide read_any
#endif

static int have_one_step(const struct cells *cells)
{
    int differ = cells->count < EVEN_WEIGHTS;
    for (int64_t i = 1; i < cells->count && !differ; i++)
        differ = cells->steps[i] != cells->steps[0];
    return !differ;
}

int64_t read_ordinals(const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    struct section section = { data, size, 0 };
    int wrong = cells->mode && cells->zeros ? read_core(cells, &section) : 0;
    if (wrong)
        return wrong;
    int64_t taken = CELLS_UNKNOWN;
    if (cells->is_even || have_one_step(cells))
        taken = read_even(cells, section.data, section.size, out);
    if (taken == CELLS_UNKNOWN && !cells->is_even)
        taken = has_wide() ? read_wide(cells, section.data, section.size, out)
                           : read_any(cells, section.data, section.size, out);
    return taken < 0 ? taken : size - section.size + taken;
}
