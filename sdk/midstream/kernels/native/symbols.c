#include "symbols.h"

#include "clones.h"

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

FOR_EVERY_WIDTH static int are_in_range(const struct levels *levels, int64_t tables)
{
    uint16_t last = 0;
    uint8_t most = 0;
    for (int64_t i = 0; i < levels->count; i++)
        last = levels->tables[i] > last ? levels->tables[i] : last;
    for (int64_t i = 0; levels->shifts && i < levels->count; i++)
        most = levels->shifts[i] > most ? levels->shifts[i] : most;
    return !levels->count || (last < tables && most <= MOST_SHIFTED);
}

static int are_tables(const struct alphabets *alphabets)
{
    for (int64_t i = 0; i < alphabets->count; i++) {
        int64_t first = alphabets->firsts[i], size = alphabets->sizes[i];
        if (first < 0 || size < 1 || first + size > alphabets->entries)
            return 0;
    }
    return 1;
}

/* Loops are made for what levels have, and for what is asked for. */
INLINE int64_t find_some(struct symbols *symbols, const struct levels *levels,
    const struct alphabets *alphabets, const int has_halves, const int has_shifts,
    const int is_counted)
{
    int64_t escapes = 0;
    for (int64_t i = 0; i < levels->count; i++) {
        int64_t table = levels->tables[i], value = levels->levels[i];
        if (has_halves) {
            value -= levels->halves[i] >> 1;
            table += levels->halves[i] & 1 ? alphabets->next_phase : 0;
        }
        if (has_shifts) {
            int64_t shift = levels->shifts[i];
            value += ((int64_t)1 << shift) >> 1;
            symbols->low[i] = (int32_t)(value & (((int64_t)1 << shift) - 1));
            value >>= shift;
        }
        int64_t symbol = value - alphabets->lowest[table], last = alphabets->sizes[table] - 1;
        if (symbol < 0 || symbol >= last) {
            symbols->places[escapes] = i;
            symbols->escapes[escapes++] = value;
            symbol = last;
        }
        symbol += alphabets->firsts[table];
        if (is_counted)
            symbols->counts[symbol]++;
        if (symbols->symbols)
            symbols->symbols[i] = (int32_t)symbol;
    }
    return escapes;
}

int64_t find_symbols(
    struct symbols *symbols, const struct levels *levels, const struct alphabets *alphabets)
{
    int64_t phase = levels->halves ? alphabets->next_phase : 0;
    if (phase < 0 || !are_tables(alphabets) || !are_in_range(levels, alphabets->count - phase))
        return -1;
    if (symbols->counts)
        return find_some(
            symbols, levels, alphabets, levels->halves != NULL, levels->shifts != NULL, 1);
    if (levels->shifts)
        return find_some(symbols, levels, alphabets, levels->halves != NULL, 1, 0);
    if (levels->halves)
        return find_some(symbols, levels, alphabets, 1, 0, 0);
    return find_some(symbols, levels, alphabets, 0, 0, 0);
}

/* Whether all tables are there, whatever the class. */
static int have_tables(const struct digits *digits, int64_t tables)
{
    uint16_t last = 0;
    uint8_t most = 0;
    for (int64_t i = 0; i < digits->count; i++)
        last = digits->tables[i] > last ? digits->tables[i] : last;
    for (int64_t i = 0; i < digits->distances; i++)
        most = digits->classes[i] > most ? digits->classes[i] : most;
    return digits->distances > 0 && (!digits->count || last + most < tables);
}

int64_t count_digits(int32_t *symbols, int64_t *counts, int64_t tables, int64_t *moved,
    const struct digits *digits)
{
    int64_t escapes = 0;
    if (!have_tables(digits, tables))
        return -1;
    for (int64_t i = 0; i < digits->count; i++) {
        int64_t centre = 3 * (int64_t)digits->parents[i];
        int64_t digit = digits->children[i] - centre;
        /* unsigned: a difference that no mean of levels has wraps around, as NumPy's does */
        uint64_t offset = 2 * (uint64_t)centre - (uint64_t)(digits->halves ? digits->halves[i] : 0);
        int is_negative = offset >> 63;
        uint64_t distance = is_negative ? 0 - offset : offset, last = digits->distances - 1;
        int64_t table = digits->tables[i] + digits->classes[distance < last ? distance : last];
        int64_t symbol = DIGIT_SYMBOLS * table + (is_negative ? -digit : digit) + 1;
        if (digit < -1 || digit > 1) {
            moved[escapes++] = digit;
            symbol = DIGIT_SYMBOLS * table + DIGIT_SYMBOLS - 1;
        }
        counts[symbol]++;
        if (symbols)
            symbols[i] = (int32_t)symbol;
    }
    return escapes;
}
