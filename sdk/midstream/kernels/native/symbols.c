#include "symbols.h"

static int are_in_range(const struct levels *levels, int64_t tables)
{
    uint16_t last = 0;
    uint8_t most = 0;
    for (int64_t i = 0; i < levels->count; i++)
        last = levels->tables[i] > last ? levels->tables[i] : last;
    for (int64_t i = 0; i < levels->count; i++)
        most = levels->shifts[i] > most ? levels->shifts[i] : most;
    return !levels->count || (last < tables && most <= MOST_SHIFTED);
}

int64_t find_symbols(
    struct symbols *symbols, const struct levels *levels, const struct alphabets *alphabets)
{
    int64_t escapes = 0, phase = levels->halves ? alphabets->next_phase : 0;
    if (phase < 0 || !are_in_range(levels, alphabets->count - phase))
        return -1;
    for (int64_t i = 0; i < levels->count; i++) {
        int64_t table = levels->tables[i], value = levels->levels[i], shift = levels->shifts[i];
        if (levels->halves) {
            value -= levels->halves[i] >> 1;
            table += levels->halves[i] & 1 ? phase : 0;
        }
        value += ((int64_t)1 << shift) >> 1;
        symbols->low[i] = (int32_t)(value & (((int64_t)1 << shift) - 1));
        value >>= shift;
        int64_t symbol = value - alphabets->lowest[table], last = alphabets->sizes[table] - 1;
        if (symbol < 0 || symbol >= last) {
            symbols->places[escapes] = i;
            symbols->escapes[escapes++] = value;
            symbol = last;
        }
        symbols->symbols[i] = (int32_t)(alphabets->firsts[table] + symbol);
    }
    return escapes;
}
