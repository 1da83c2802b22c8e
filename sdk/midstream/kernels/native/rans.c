#include "rans.h"

#include <stddef.h>

/* The lanes that the last, partial step leaves out: a state below its bound, which only a
 * damaged slice has, takes a word there too. */
static void settle(uint32_t *states, int64_t first, int64_t lanes, struct words *words)
{
    for (int64_t lane = first; lane < lanes; lane++)
        if (states[lane] < STATE_START)
            states[lane] = states[lane] << 16 | next_word(words);
}

/* One symbol of each lane, where as many words as lanes are left: no bound to look at. No
 * branch either, since whether a lane takes a word cannot be foretold. */
static void decode_round(const struct slots *slots, struct words *words, uint32_t *restrict states,
    int64_t lanes, const uint16_t *restrict tables, uint8_t *restrict symbols)
{
    const uint16_t *restrict frequency = slots->frequency, *restrict offset = slots->offset;
    const uint16_t *restrict word = words->word + words->place;
    const uint8_t *restrict symbol = slots->symbol;
    int64_t taken = 0;
    for (int64_t lane = 0; lane < lanes; lane++) {
        uint32_t state = states[lane];
        size_t slot = (size_t)tables[lane] << TOTAL_BITS | (state & (TOTAL - 1));
        symbols[lane] = symbol[slot];
        state = frequency[slot] * (state >> TOTAL_BITS) + offset[slot];
        uint32_t refilled = state << 16 | word[taken], hungry = state < STATE_START;
        taken += hungry;
        states[lane] = state ^ ((state ^ refilled) & -hungry);
    }
    words->place += taken;
}

static int are_rows(const uint16_t *tables, int64_t count, int64_t rows)
{
    uint16_t most = 0;
    for (int64_t i = 0; i < count; i++)
        most = tables[i] > most ? tables[i] : most;
    return !count || most < rows;
}

int rans_decode_slice(const struct slots *slots, struct words *words, uint32_t *states,
    int64_t lanes, const uint16_t *tables, int64_t count, uint8_t *symbols)
{
    if (!are_rows(tables, count, slots->rows))
        return 0;
    int64_t i = 0, lane = 0;
    for (; count - i >= lanes && words->count - words->place >= lanes; i += lanes)
        decode_round(slots, words, states, lanes, tables + i, symbols + i);
    for (; i < count; i++) {
        size_t slot = (size_t)tables[i] << TOTAL_BITS | (states[lane] & (TOTAL - 1));
        symbols[i] = slots->symbol[slot];
        states[lane] = step(states[lane], slots->frequency[slot], slots->offset[slot], words);
        lane = lane + 1 < lanes ? lane + 1 : 0;
    }
    if (lane)
        settle(states, lane, lanes, words);
    return 1;
}

int are_entries(const struct entries *entries)
{
    for (int64_t i = 0; i < entries->count; i++) {
        uint32_t frequency = entries->frequency[i];
        if (frequency < 1 || frequency > TOTAL || entries->start[i] > TOTAL - frequency)
            return 0;
    }
    return 1;
}

int64_t rans_encode_slice(const struct entries *entries, const int32_t *symbols, int64_t count,
    uint32_t *states, int64_t lanes, uint16_t *end)
{
    uint16_t *word = end;
    for (int64_t lane = 0; lane < lanes; lane++)
        states[lane] = STATE_START;
    int64_t lane = count ? (count - 1) % lanes : 0;
    for (int64_t i = count - 1; i >= 0; i--) {
        if (symbols[i] < 0 || symbols[i] >= entries->count)
            return -1;
        uint32_t frequency = entries->frequency[symbols[i]], state = states[lane];
        /* no branch, since whether a lane gives a word cannot be foretold; a word that it does
         * not give is written over, and there is room for it */
        uint32_t is_full = state >= (uint64_t)frequency << (32 - TOTAL_BITS);
        word[-1] = (uint16_t)state;
        word -= is_full;
        state >>= 16 * is_full;
        uint32_t quotient = state / frequency;
        states[lane] = state + entries->start[symbols[i]] + quotient * (TOTAL - frequency);
        lane = lane ? lane - 1 : lanes - 1;
    }
    return end - word;
}
