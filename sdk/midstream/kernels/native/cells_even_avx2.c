/* Cells of eight weights and values of sixteen at a time, where the processor can. Same results as
 * cells_even.c. */
#include "cells_even.h"

#include "counts.h"
#include "ordinals.h"

#if defined(__GNUC__) && defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define EIGHT 8
#define SIXTEEN 16
#define LOADED 8      /* bytes of a window */
#define WINDOWS 32    /* bytes that four of them reach, each 48 bits on at most */
#define EACH_BYTE UINT64_C(0x0101010101010101)
#define EVEN_BITS 0x55555555u

static inline int64_t bytes_ahead(const struct section *section)
{
    return section->size - (section->bit >> 3);
}

/* The next 57 bits, where eight bytes are ahead. */
static inline uint64_t window_of(const struct section *section)
{
    uint64_t window;
    memcpy(&window, section->data + (section->bit >> 3), sizeof window);
    return window >> (section->bit & 7);
}

/* --- cells ------------------------------------------------------------------------------- */

/* The cells of some weights one by one; false where there are too many. */
static int find_some_cells(const struct cells *cells, struct table *table, struct section *parts,
    uint32_t *packed, int64_t i, int64_t stop)
{
    for (; i < stop; i++) {
        const int32_t level = cells->levels[i];
        int place;
        if (level >= table->low && level <= table->high) {
            const uint32_t own = table->level[level + SMALL_LEVEL];
            place = (int)(own & MOST_PLACE) + (int)take(parts, (int)(own >> PLACE_BITS));
        } else {
            if (table->count == MOST_CELLS)
                return 0;
            place = add_other(cells, table, level, parts);
        }
        packed[i] = table->packed[place];
    }
    return 1;
}

/* Where the first parts of eight levels are, and how many bits say which part. False where a level
 * is not small. */
WIDE static inline int look_up_levels(
    const struct table *table, const int32_t *levels, __m256i *places, __m256i *widths)
{
    const __m256i range = _mm256_set1_epi32(table->high - table->low);
    __m256i index = _mm256_sub_epi32(
        _mm256_loadu_si256((const void *)levels), _mm256_set1_epi32(table->low));
    __m256i inside = _mm256_cmpeq_epi32(_mm256_max_epu32(index, range), range);
    if (_mm256_movemask_epi8(inside) != -1)
        return 0;
    const uint32_t *first = &table->level[table->low + SMALL_LEVEL];
    __m256i own = _mm256_i32gather_epi32((const int *)first, index, 4);
    *places = _mm256_and_si256(own, _mm256_set1_epi32(MOST_PLACE));
    *widths = _mm256_srli_epi32(own, PLACE_BITS);
    return 1;
}

/* Eight fields of at most six bits. */
WIDE static inline __m256i eight_parts(struct section *section, __m256i widths)
{
    const __m256i lowest = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i one = _mm256_set1_epi32(1);
    __m256i ones = _mm256_sub_epi32(_mm256_sllv_epi32(one, widths), one);
    ones = _mm256_shuffle_epi8(ones, lowest);
    uint64_t mask = (uint64_t)_mm_cvtsi128_si64(
        _mm_or_si128(_mm256_castsi256_si128(ones), _mm256_extracti128_si256(ones, 1)));
    uint64_t parts = _pdep_u64(window_of(section), mask);
    section->bit += __builtin_popcountll(mask);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)parts));
}

/* The cell of each weight, level 0 aside; false where there are too many. */
WIDE static int find_cells(
    const struct cells *cells, struct table *table, struct section *parts, uint32_t *packed)
{
    int64_t i = 0;
    __m256i places, widths;
    for (; cells->count - i >= EIGHT && bytes_ahead(parts) >= LOADED; i += EIGHT) {
        if (look_up_levels(table, cells->levels + i, &places, &widths)) {
            places = _mm256_add_epi32(places, eight_parts(parts, widths));
            _mm256_storeu_si256((void *)(packed + i),
                _mm256_i32gather_epi32((const int *)table->packed, places, 4));
        } else if (!find_some_cells(cells, table, parts, packed, i, i + EIGHT)) {
            return 0;
        }
    }
    return find_some_cells(cells, table, parts, packed, i, cells->count);
}

/* --- zeros ------------------------------------------------------------------------------- */

/* Where octaves are read from. */
struct octaves {
    struct section signs, sizes;
};

/* The cell of a level 0 that is not core; false where it is malformed. */
static inline int find_octave(const struct table *table, struct octaves *octaves, uint32_t *packed)
{
    const uint64_t unary = ahead(&octaves->sizes) & ((1 << OCTAVES) - 1);
    if (!unary)
        return 0;
    const int octave = log2_of(unary & -unary);
    octaves->sizes.bit += octave + 1;
    *packed = table->packed[(int)take(&octaves->signs, 1) * OCTAVES + octave];
    return 1;
}

/* The cells of levels 0 among up to eight weights that are not core, a bit each. */
static inline int find_octaves(
    const struct table *table, struct octaves *octaves, uint32_t left, uint32_t *packed)
{
    for (; left; left &= left - 1)
        if (!find_octave(table, octaves, &packed[__builtin_ctz(left)]))
            return 0;
    return 1;
}

WIDE static int find_zeros(const struct cells *cells, const struct table *table,
    struct octaves *octaves, uint32_t *packed)
{
    const uint8_t *core = cells->core;
    const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i cell = _mm256_set1_epi32((int32_t)table->packed[CORE]);
    int64_t i = 0;
    for (; cells->count - i >= EIGHT; i += EIGHT) {
        __m256i level = _mm256_loadu_si256((const void *)(cells->levels + i));
        __m256i is_zero = _mm256_cmpeq_epi32(level, _mm256_setzero_si256());
        uint32_t zeros = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(is_zero));
        uint64_t flags; /* there are as many as weights */
        memcpy(&flags, core, sizeof flags);
        uint32_t own = _pdep_u32((uint32_t)_pext_u64(flags, EACH_BYTE), zeros);
        __m256i chosen = _mm256_and_si256(_mm256_set1_epi32((int32_t)own), bits);
        _mm256_maskstore_epi32((int *)(packed + i), _mm256_cmpeq_epi32(chosen, bits), cell);
        if (!find_octaves(table, octaves, zeros & ~own, packed + i))
            return 0;
        core += __builtin_popcount(zeros);
    }
    for (; i < cells->count; i++) {
        if (cells->levels[i])
            continue;
        packed[i] = table->packed[CORE];
        if (!*core++ && !find_octave(table, octaves, &packed[i]))
            return 0;
    }
    return 1;
}

/* The sections of octaves; 0, or what is wrong. */
static int read_zeros(const struct cells *cells, const struct table *table,
    struct section *section, uint32_t *packed)
{
    const int64_t inner = zero_bytes(cells->core, cells->zeros);
    struct octaves octaves = { .signs = *section };
    section->bit = inner;
    if (!next_section(section))
        return CELLS_SHORT;
    octaves.sizes = *section;
    if (!find_zeros(cells, table, &octaves, packed))
        return CELLS_MALFORMED;
    *section = octaves.sizes;
    return next_section(section) ? 0 : CELLS_SHORT;
}

/* --- values ------------------------------------------------------------------------------ */

/* The bits of a float whose ordinal this is. */
static inline uint16_t value_of(uint32_t ordinal)
{
    const uint32_t negative = -(ordinal >> 31);
    return (uint16_t)((ordinal ^ negative) | (negative & 1 << 15));
}

/* The low halves of sixteen numbers of less than 2^16. */
WIDE static inline __m256i halves_of(__m256i first, __m256i second)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), 0xD8);
}

/* Sixteen fields of at most twelve bits, each of as many as there are ones. */
WIDE static inline __m256i sixteen_places(struct section *section, __m256i ones)
{
    uint64_t mask[4], place[4];
    _mm256_storeu_si256((void *)mask, ones);
    for (int k = 0; k < 4; k++) {
        place[k] = _pdep_u64(window_of(section), mask[k]);
        section->bit += __builtin_popcountll(mask[k]);
    }
    return _mm256_set_epi64x(
        (long long)place[3], (long long)place[2], (long long)place[1], (long long)place[0]);
}

/* The last bits of those that have one, as 0 or 1. */
WIDE static inline __m256i sixteen_last(struct section *section, __m256i is_long)
{
    const __m256i where = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
        2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x(0x0040001000040001);
    uint32_t mask = (uint32_t)_mm256_movemask_epi8(is_long) & EVEN_BITS;
    uint32_t last = _pdep_u32((uint32_t)window_of(section), mask);
    section->bit += __builtin_popcount(mask);
    __m256i own = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)last), where);
    __m256i is_one = _mm256_cmpeq_epi16(_mm256_and_si256(own, bit), bit);
    return _mm256_srli_epi16(is_one, 15);
}

WIDE static inline void sixteen_values(
    const uint32_t *packed, struct section *upper, struct section *lower, uint16_t *out)
{
    const __m256i one = _mm256_set1_epi32(1), low = _mm256_set1_epi32(MOST_PLACE);
    __m256i first[2], ones[2], spare[2];
    for (int k = 0; k < 2; k++) {
        __m256i cell = _mm256_loadu_si256((const void *)(packed + EIGHT * k));
        __m256i width = _mm256_and_si256(_mm256_srli_epi32(cell, PACKED_WIDTH), _mm256_set1_epi32(15));
        __m256i power = _mm256_sllv_epi32(one, width);
        first[k] = _mm256_and_si256(cell, low);
        ones[k] = _mm256_sub_epi32(power, one);
        spare[k] = _mm256_sub_epi32(power, _mm256_srli_epi32(cell, PACKED_MORE));
    }
    __m256i places = sixteen_places(upper, halves_of(ones[0], ones[1]));
    __m256i spares = halves_of(spare[0], spare[1]);
    __m256i is_short = _mm256_cmpgt_epi16(spares, places);
    __m256i is_long = _mm256_xor_si256(is_short, _mm256_set1_epi16(-1));
    __m256i ordinals = _mm256_add_epi16(halves_of(first[0], first[1]), places);
    ordinals = _mm256_add_epi16(
        ordinals, _mm256_andnot_si256(is_short, _mm256_sub_epi16(places, spares)));
    ordinals = _mm256_add_epi16(ordinals, sixteen_last(lower, is_long));
    __m256i negative = _mm256_srli_epi16(_mm256_srai_epi16(ordinals, 15), 1);
    _mm256_storeu_si256((void *)out, _mm256_xor_si256(ordinals, negative));
}

static void one_value(
    uint32_t packed, struct section *upper, struct section *lower, uint16_t *out)
{
    const int width = (int)(packed >> PACKED_WIDTH & 15);
    const int64_t spare = (INT64_C(1) << width) - (packed >> PACKED_MORE);
    int64_t place = take(upper, width);
    if (place >= spare)
        place += place - spare + take(lower, 1);
    *out = value_of((uint32_t)((int16_t)(uint16_t)(packed & MOST_PLACE) + place));
}

WIDE static void read_values(const struct cells *cells, const uint32_t *packed,
    struct section *upper, struct section *lower, uint16_t *out)
{
    int64_t i = 0;
    for (; cells->count - i >= SIXTEEN && bytes_ahead(upper) >= WINDOWS && bytes_ahead(lower) >= LOADED;
         i += SIXTEEN)
        sixteen_values(packed + i, upper, lower, out + i);
    for (; i < cells->count; i++)
        one_value(packed[i], upper, lower, out + i);
}

WIDE int64_t read_even_halves(const struct cells *cells, struct table *table, const uint8_t *data,
    int64_t size, uint16_t *out)
{
    struct section section = { data, size, 0 };
    uint32_t *packed = cells->ordinals; /* its memory is for us */
    int64_t bits = 0;
    if (!find_cells(cells, table, &section, packed) || table->widest > MOST_PACKED_WIDTH)
        return CELLS_UNKNOWN;
    int wrong = next_section(&section) ? read_zeros(cells, table, &section, packed) : CELLS_SHORT;
    if (wrong)
        return wrong;
    for (int64_t i = 0; i < cells->count; i++)
        bits += packed[i] >> PACKED_WIDTH & 15;
    struct section upper = section;
    section.bit = bits;
    if (!next_section(&section))
        return CELLS_SHORT;
    read_values(cells, packed, &upper, &section, out);
    return next_section(&section) ? size - section.size : CELLS_SHORT;
}

#else

int64_t read_even_halves(const struct cells *cells, struct table *table, const uint8_t *data,
    int64_t size, uint16_t *out)
{
    (void)cells, (void)table, (void)data, (void)size, (void)out;
    return CELLS_UNKNOWN;
}

#endif
