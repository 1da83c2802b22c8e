#include "cells.h"

#include <string.h>

#include "floats_wide.h"
#include "rans.h"

#define DOUBLE_BITS 52
#define DOUBLE_BIAS 1023
#define OCTAVES 16
#define RANGE_BITS 6
#define MAX_CELL_BITS 6
#define WINDOW 8
#define SMALL_LEVEL 255
#define MOST_STARTS 4096
#define CORE_LANES 32
#define LANE_SYMBOLS 2048
#ifdef __GNUC__
/* all of it in one function, so that it is compiled for each kind of processor */
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* --- ordinals ---------------------------------------------------------------------------- */

/* The magnitude of a positive number in a smaller float, rounded down or up. */
INLINE int64_t magnitude_of(uint64_t number, const struct cells *cells, int up)
{
    const int bias = (1 << (cells->bits - 2 - cells->mantissa)) - 1;
    int64_t exponent = (int64_t)(number >> DOUBLE_BITS) - DOUBLE_BIAS + bias, magnitude = 0;
    uint64_t digits = number & ((UINT64_C(1) << DOUBLE_BITS) - 1);
    int64_t shift = DOUBLE_BITS - cells->mantissa;
    if (exponent > 2 * bias)
        return ((int64_t)(2 * bias + 1) << cells->mantissa) - !up;
    if (exponent >= 1) {
        magnitude = exponent << cells->mantissa;
    } else {
        digits |= UINT64_C(1) << DOUBLE_BITS;
        shift += 1 - exponent;
    }
    if (shift > DOUBLE_BITS + 1)
        return up;
    /* all that is cut off adds up to one more where it is rounded up */
    uint64_t rest = up ? (UINT64_C(1) << shift) - 1 : 0;
    return magnitude + (int64_t)((digits + rest) >> shift);
}

/* The ordinal of the least value that is not below a point. */
INLINE int64_t first_at(double point, const struct cells *cells)
{
    uint64_t number;
    memcpy(&number, &point, sizeof number);
    int64_t is_negative = (int64_t)(number >> 63);
    if (point == 0)
        return -1;
    /* -1 - m of a negative one: no branch, since signs cannot be foretold */
    return magnitude_of(number & (UINT64_MAX >> 1), cells, !is_negative) ^ -is_negative;
}

INLINE void set_cell(const struct cells *cells, int64_t i, int64_t first, int64_t end)
{
    cells->first[i] = (int32_t)first;
    cells->ordinals[i] = (uint32_t)(end > first ? end - first : 1);
}

/* The whole part of the binary logarithm of a number that is not 0. */
INLINE int log2_of(uint64_t number)
{
#ifdef __GNUC__
    return 63 - __builtin_clzll(number);
#else
    int whole = 0;
    while (number >>= 1)
        whole++;
    return whole;
#endif
}

/* --- bits -------------------------------------------------------------------------------- */

struct section {
    const uint8_t *data;
    int64_t size, bit;
};

/* At least 57 bits from the next one on; beyond the end they are 0. */
INLINE uint64_t ahead(const struct section *section)
{
    int64_t place = section->bit >> 3;
    uint64_t window = 0;
    if (section->size - place >= WINDOW) {
        const uint8_t *data = section->data + place;
        window = (uint64_t)data[0] | (uint64_t)data[1] << 8 | (uint64_t)data[2] << 16
            | (uint64_t)data[3] << 24 | (uint64_t)data[4] << 32 | (uint64_t)data[5] << 40
            | (uint64_t)data[6] << 48 | (uint64_t)data[7] << 56;
    } else {
        for (int64_t i = 0; i < WINDOW && place + i < section->size; i++)
            window |= (uint64_t)section->data[place + i] << 8 * i;
    }
    return window >> (section->bit & 7);
}

INLINE int64_t take(struct section *section, int width)
{
    uint64_t field = ahead(section) & ((UINT64_C(1) << width) - 1);
    section->bit += width;
    return (int64_t)field;
}

/* Go on with the next section. False where this one ends early. */
static int next_section(struct section *section)
{
    int64_t taken = (section->bit + 7) / 8;
    if (taken > section->size)
        return 0;
    section->data += taken;
    section->size -= taken;
    section->bit = 0;
    return 1;
}

/* --- core -------------------------------------------------------------------------------- */

static int64_t lanes_of(int64_t symbols)
{
    int64_t lanes = 1;
    while (lanes < CORE_LANES && 2 * lanes * LANE_SYMBOLS <= symbols)
        lanes *= 2;
    return lanes;
}

static inline uint32_t word_at(const struct section *section, int64_t place)
{
    if (section->size - place < 2)
        return 0; /* beyond the end: that is seen afterwards */
    return (uint32_t)section->data[place] | (uint32_t)section->data[place + 1] << 8;
}

/* Whether each level 0 is core. */
static int read_core(const struct cells *cells, struct section *section)
{
    const uint32_t ones = (2 * (uint32_t)cells->table + 1) << 6, zeros = TOTAL - ones;
    const int64_t lanes = lanes_of(cells->zeros);
    uint32_t states[CORE_LANES], bad = 0;
    int64_t place = 4 * lanes, lane = 0;
    if (section->size < place)
        return CELLS_SHORT;
    for (int64_t i = 0; i < lanes; i++) {
        states[i] = word_at(section, 4 * i) | word_at(section, 4 * i + 2) << 16;
        bad |= states[i] < STATE_START;
    }
    /* as in rans.c: lanes of the last round that are below their bound read on, too */
    for (int64_t i = 0; i < cells->zeros || (lane && lane < lanes); i++) {
        uint32_t state = states[lane];
        if (i < cells->zeros) {
            uint32_t rest = state & (TOTAL - 1), one = rest >= zeros;
            cells->core[i] = (uint8_t)one;
            state = (one ? ones : zeros) * (state >> TOTAL_BITS) + rest - (one ? zeros : 0);
        }
        if (state < STATE_START) {
            state = state << 16 | word_at(section, place);
            place += 2;
        }
        states[lane] = state;
        lane = lane + 1 < lanes ? lane + 1 : 0;
    }
    for (int64_t i = 0; i < lanes; i++)
        bad |= states[i] != STATE_START;
    section->bit = 8 * place;
    return bad || !next_section(section) ? CELLS_MALFORMED : 0;
}

/* --- cells ------------------------------------------------------------------------------- */

/* Into how many parts, as a power of two, a cell of so many ordinals is cut. */
INLINE int split_bits(int64_t ordinals)
{
    int width = log2_of((uint64_t)(ordinals > 1 ? ordinals : 1)) - RANGE_BITS;
    return width < 0 ? 0 : width < MAX_CELL_BITS ? width : MAX_CELL_BITS;
}

/* Where a part starts; that of the next one is where it ends. */
INLINE int64_t part_start(
    const struct cells *cells, double level, double step, int width, int64_t part)
{
    const double share = 1.0 / (1 << width);
    return first_at((level - 0.5 + (double)part * share) * step, cells);
}

/* Where all parts of small levels start, in a slice of one step: of level l from
 * `first[l + SMALL_LEVEL]` on, with a width of `widths[...]`. */
struct starts {
    int64_t place[MOST_STARTS];
    int16_t first[2 * SMALL_LEVEL + 1];
    uint8_t widths[2 * SMALL_LEVEL + 1];
    int low, high; /* the levels that are here */
    /* of level 0: where each octave ends, first of positive numbers, then of negative ones */
    int64_t octaves[2][OCTAVES + 1];
};

/* Where octaves of level 0 end; the last one is the core. */
INLINE int64_t octave_end(
    const struct cells *cells, double step, int octave, int is_negative)
{
    const double end = step / (2 << octave);
    return first_at(is_negative ? -end : end, cells);
}

/* Levels 0, -1, 1, -2, ... as long as there is room. */
INLINE void find_starts(const struct cells *cells, struct starts *starts)
{
    int is_even = cells->count >= MOST_STARTS;
    starts->low = 0;
    starts->high = -1;
    for (int64_t i = 1; i < cells->count; i++)
        is_even &= cells->steps[i] == cells->steps[0];
    for (int turn = 0, taken = 0; is_even && turn <= 2 * SMALL_LEVEL; turn++) {
        const int level = turn & 1 ? -(turn + 1) / 2 : turn / 2;
        const double step = cells->steps[0];
        int width = split_bits(part_start(cells, level, step, 0, 1)
            - part_start(cells, level, step, 0, 0));
        if (taken + (1 << width) + 1 > MOST_STARTS)
            break;
        starts->first[level + SMALL_LEVEL] = (int16_t)taken;
        starts->widths[level + SMALL_LEVEL] = (uint8_t)width;
        for (int part = 0; part <= 1 << width; part++)
            starts->place[taken++] = part_start(cells, level, step, width, part);
        starts->low = level < starts->low ? level : starts->low;
        starts->high = level > starts->high ? level : starts->high;
    }
    starts->widths[SMALL_LEVEL] = 0; /* level 0 has no parts: no branch then asks for it */
    for (int i = 0; starts->high >= 0 && i < 2 * (OCTAVES + 1); i++)
        starts->octaves[i & 1][i >> 1] = octave_end(cells, cells->steps[0], i >> 1, i & 1);
}

/* The part of its cell that a level other than 0 is in; nothing of use for others. */
INLINE void read_part(
    const struct cells *cells, const struct starts *starts, int64_t i, struct section *parts)
{
    const int32_t level = cells->levels[i];
    if (level >= starts->low && level <= starts->high) {
        const int64_t *place = starts->place + starts->first[level + SMALL_LEVEL];
        place += take(parts, starts->widths[level + SMALL_LEVEL]);
        set_cell(cells, i, place[0], place[1]);
        return;
    }
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
INLINE int read_octave(const struct cells *cells, const struct starts *starts, int64_t i,
    struct section *signs, struct section *octaves)
{
    const uint64_t bits = ahead(octaves) & ((1 << OCTAVES) - 1);
    const int is_negative = (int)take(signs, 1);
    if (!bits)
        return 0;
    const int octave = log2_of(bits & -bits);
    octaves->bit += octave + 1;
    int64_t far, near;
    if (starts->high >= 0) {
        far = starts->octaves[is_negative][octave];
        near = starts->octaves[is_negative][octave + 1];
    } else {
        far = octave_end(cells, cells->steps[i], octave, is_negative);
        near = octave_end(cells, cells->steps[i], octave + 1, is_negative);
    }
    set_cell(cells, i, is_negative ? far : near, is_negative ? near : far);
    return 1;
}

/* Cells of all levels 0. */
INLINE int read_zeros(
    const struct cells *cells, const struct starts *starts, struct section *section)
{
    int64_t inner = 0;
    for (int64_t i = 0; i < cells->zeros; i++)
        inner += !cells->core[i];
    struct section signs = *section;
    section->bit = inner;
    if (!next_section(section))
        return CELLS_SHORT;
    for (int64_t zero = 0; zero < cells->zeros; zero++) {
        if (cells->core[zero])
            set_core(cells, cells->zero_at[zero]);
        else if (!read_octave(cells, starts, cells->zero_at[zero], &signs, section))
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
        int64_t value = ordinal < 0 ? (-1 - ordinal) | sign : ordinal;
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
    struct starts starts;
    int wrong = cells->mode && cells->zeros ? read_core(cells, &section) : 0;
    if (wrong)
        return wrong;
    find_starts(cells, &starts);
    for (int64_t i = 0, zero = 0; i < cells->count; i++) {
        cells->zero_at[zero] = (int32_t)i;
        zero += !cells->levels[i];
        read_part(cells, &starts, i, &section);
    }
    wrong = next_section(&section) ? read_zeros(cells, &starts, &section) : CELLS_SHORT;
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

int64_t read_ordinals(const struct cells *cells, const uint8_t *data, int64_t size, void *out)
{
    return has_wide() ? read_wide(cells, data, size, out) : read_any(cells, data, size, out);
}
