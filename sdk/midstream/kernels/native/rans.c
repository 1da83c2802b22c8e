#include "rans.h"

/* The lanes that the last, partial step leaves out: a state below its bound, which only a
 * damaged slice has, takes a word there too. */
static void settle(uint32_t *states, int64_t first, int64_t lanes, struct words *words)
{
    for (int64_t lane = first; lane < lanes; lane++)
        if (states[lane] < STATE_START)
            states[lane] = states[lane] << 16 | next_word(words);
}

int rans_decode_slice(const struct slots *slots, struct words *words, uint32_t *states,
    int64_t lanes, const int64_t *tables, int64_t count, uint8_t *symbols)
{
    int64_t lane = 0;
    for (int64_t i = 0; i < count; i++) {
        if (tables[i] < 0 || tables[i] >= slots->rows)
            return 0;
        int64_t slot = tables[i] << TOTAL_BITS | (states[lane] & (TOTAL - 1));
        symbols[i] = slots->symbol[slot];
        states[lane] = step(states[lane], slots->frequency[slot], slots->offset[slot], words);
        lane = lane + 1 < lanes ? lane + 1 : 0;
    }
    if (lane)
        settle(states, lane, lanes, words);
    return 1;
}

int64_t rans_encode_slice(const int64_t *frequencies, const int64_t *starts, int64_t count,
    uint32_t *states, int64_t lanes, uint16_t *end)
{
    uint16_t *word = end;
    for (int64_t lane = 0; lane < lanes; lane++)
        states[lane] = STATE_START;
    int64_t lane = count ? (count - 1) % lanes : 0;
    for (int64_t i = count - 1; i >= 0; i--) {
        int64_t f = frequencies[i];
        if (f < 1 || f > TOTAL || starts[i] < 0 || starts[i] > TOTAL - f)
            return -1;
        uint32_t frequency = (uint32_t)f, state = states[lane];
        if (state >= (uint64_t)frequency << (32 - TOTAL_BITS)) {
            *--word = (uint16_t)state;
            state >>= 16;
        }
        uint32_t quotient = state / frequency;
        states[lane] = state + (uint32_t)starts[i] + quotient * (TOTAL - frequency);
        lane = lane ? lane - 1 : lanes - 1;
    }
    return end - word;
}
