/* Interleaved rANS, one slice at a time. Knows nothing of what symbols mean.
 *
 * 32-bit states, a lower bound of 2^16, 16-bit words; symbol i belongs to lane i % lanes
 * (spec/coding.md, "Entropy coder").
 */
#ifndef MIDSTREAM_RANS_H
#define MIDSTREAM_RANS_H

#include <stdint.h>

#define TOTAL_BITS 12
#define TOTAL (1u << TOTAL_BITS)
#define STATE_START (1u << 16)

/* Words of all slices; a damaged slice reads on into its neighbours, then the last word
 * again and again, never outside. */
struct words {
    const uint16_t *word;
    int64_t count; /* at least 1 */
    int64_t place; /* of the next one to read, counted on beyond the last */
};

/* For each slot of each table the frequency, how far the slot is from the first one of its
 * symbol, and the symbol: (rows, 4096) each. */
struct slots {
    const uint16_t *frequency;
    const uint16_t *offset;
    const uint8_t *symbol;
    int64_t rows;
};

static inline uint32_t next_word(struct words *words)
{
    int64_t last = words->count - 1;
    int64_t place = words->place++;
    return words->word[place < last ? place : last];
}

/* The state after a symbol; words are read where it fell below its bound. */
static inline uint32_t step(
    uint32_t state, uint32_t frequency, uint32_t offset, struct words *words)
{
    state = frequency * (state >> TOTAL_BITS) + offset;
    return state < STATE_START ? state << 16 | next_word(words) : state;
}

/* Decode a slice. False where a table is not one of the rows. */
int rans_decode_slice(const struct slots *slots, struct words *words, uint32_t *states,
    int64_t lanes, const uint16_t *tables, int64_t count, uint8_t *symbols);

/* Symbols of tables: the frequency of each, and the sum of those before it in its table. */
struct entries {
    const uint16_t *frequency; /* 1 to TOTAL */
    const uint16_t *start;
    int64_t count;
};

/* Whether all frequencies and starts are in range. */
int are_entries(const struct entries *entries);

/* Encode a slice, last symbol first. The words end at `end`, where there is room for `count`
 * of them before it; gives how many they are, or -1 where a symbol is not one of the entries. */
int64_t rans_encode_slice(const struct entries *entries, const int32_t *symbols, int64_t count,
    uint32_t *states, int64_t lanes, uint16_t *end);

#endif
