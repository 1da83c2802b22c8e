#include "core.h"

#include "floats_wide.h"
#include "ordinals.h"
#include "rans.h"

#define CORE_LANES 32
#define LANE_SYMBOLS 2048

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

static uint32_t frequency_of_ones(const struct cells *cells)
{
    return (2 * (uint32_t)cells->table + 1) << 6;
}

/* The flag that a lane is at. No branch: flags cannot be foretold. */
static inline uint32_t step_flag(uint32_t ones, uint32_t *state)
{
    const uint32_t zeros = TOTAL - ones, rest = *state & (TOTAL - 1), one = rest >= zeros;
    *state = (zeros + ((ones - zeros) & -one)) * (*state >> TOTAL_BITS) + rest - (zeros & -one);
    return one;
}

/* One flag of each lane, where a word for each of them is left; gives where words go on. */
static inline const uint8_t *read_round(uint32_t ones, const uint8_t *word,
    uint32_t *restrict states, int64_t lanes, uint8_t *restrict core)
{
    for (int64_t lane = 0; lane < lanes; lane++) {
        uint32_t state = states[lane];
        core[lane] = (uint8_t)step_flag(ones, &state);
        uint32_t hungry = state < STATE_START;
        uint32_t refilled = state << 16 | word[0] | (uint32_t)word[1] << 8;
        states[lane] = state ^ ((state ^ refilled) & -hungry);
        word += 2 * hungry;
    }
    return word;
}

/* Rounds of all lanes, as long as words are left for them; gives how many flags. */
static int64_t read_rounds(const struct cells *cells, const uint8_t **next, const uint8_t *end,
    uint32_t *states, int64_t lanes)
{
    const uint32_t ones = frequency_of_ones(cells);
    int64_t i = 0;
    if (has_wide())
        i = wide_flags(ones, next, end, states, lanes, cells->core, cells->zeros);
    for (; cells->zeros - i >= lanes && end - *next > 2 * lanes; i += lanes)
        *next = read_round(ones, *next, states, lanes, cells->core + i);
    return i;
}

/* The flags that are left, where words may end; gives where words go on. */
static int64_t read_last(const struct cells *cells, const struct section *section,
    uint32_t *states, int64_t lanes, int64_t place, int64_t i)
{
    const uint32_t ones = frequency_of_ones(cells);
    /* as in rans.c: lanes of the last round that are below their bound read on, too */
    for (int64_t lane = 0; i < cells->zeros || (lane && lane < lanes); i++, lane = (lane + 1) % lanes) {
        if (i < cells->zeros)
            cells->core[i] = (uint8_t)step_flag(ones, &states[lane]);
        if (states[lane] < STATE_START) {
            states[lane] = states[lane] << 16 | word_at(section, place);
            place += 2;
        }
    }
    return place;
}

int read_core(const struct cells *cells, struct section *section)
{
    const int64_t lanes = lanes_of(cells->zeros);
    uint32_t states[CORE_LANES], bad = 0;
    if (section->size < 4 * lanes)
        return CELLS_SHORT;
    for (int64_t i = 0; i < lanes; i++) {
        states[i] = word_at(section, 4 * i) | word_at(section, 4 * i + 2) << 16;
        bad |= states[i] < STATE_START;
    }
    const uint8_t *next = section->data + 4 * lanes;
    int64_t i = read_rounds(cells, &next, section->data + section->size, states, lanes);
    int64_t place = read_last(cells, section, states, lanes, next - section->data, i);
    for (i = 0; i < lanes; i++)
        bad |= states[i] != STATE_START;
    section->bit = 8 * place;
    return bad || !next_section(section) ? CELLS_MALFORMED : 0;
}
