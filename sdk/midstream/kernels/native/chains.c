#include "chains.h"

#include <stddef.h>

#include "lanes.h"

#define SIDE_BY_SIDE 8 /* lanes */
#define MOST_LANES 4   /* more are as fast by themselves */
#define GROUP 64       /* levels that are looked through for escapes at once */

#define MOST_TABLES 512
#define MOST_LOOKED_AT 8192 /* symbols of a job */
#define LOOKED_AT 4         /* one of so many */
#define CACHE_LINE 64

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(place) __builtin_prefetch(place)
#else
#define PREFETCH(place) (void)(place)
#define INLINE static inline
#endif

/* A stream that is being decoded. */
struct chain {
    uint32_t states[MOST_LANES];
    const uint8_t *word;
    const uint16_t *rows;
    int32_t *levels;
    int64_t left; /* symbols */
    struct stream stream;
    struct job *job;
};

/* So many steps of each chain, each lane a symbol; words are left for all of them. */
INLINE void step_chains(const struct level_slots *slots, struct chain *chains, const int count,
    const int lanes, int64_t steps)
{
    for (int64_t at = 0; at < steps * lanes; at += lanes)
        for (int c = 0; c < count; c++) {
            struct chain *restrict chain = &chains[c];
            const uint16_t *restrict rows = chain->rows + at;
            int32_t *restrict levels = chain->levels + at;
            const uint8_t *restrict word = chain->word;
            for (int lane = 0; lane < lanes; lane++) {
                uint32_t state = chain->states[lane];
                uint32_t slot = level_slot_of(slots, rows[lane], state);
                uint32_t stepped = (slot & (TOTAL - 1)) * (state >> TOTAL_BITS)
                    + (state & (TOTAL - 1)) - (slot >> 12 & (TOTAL - 1));
                uint32_t hungry = stepped < STATE_START;
                uint32_t refilled = stepped << 16 | word_at(word);
                /* no branch: whether a lane takes a word cannot be foretold */
                chain->states[lane] = stepped ^ ((stepped ^ refilled) & -hungry);
                word += 2 * hungry;
                levels[lane] = level_value(slot);
            }
            chain->word = word;
        }
}

/* The same with all numbers known where the code is made. */
static void step_full(const struct level_slots *slots, struct chain *chains, int count, int lanes,
    int64_t steps)
{
    if (lanes == 1 && count == SIDE_BY_SIDE)
        step_chains(slots, chains, SIDE_BY_SIDE, 1, steps);
    else if (lanes == 2 && count == SIDE_BY_SIDE / 2)
        step_chains(slots, chains, SIDE_BY_SIDE / 2, 2, steps);
    else if (lanes == 4 && count == SIDE_BY_SIDE / 4)
        step_chains(slots, chains, SIDE_BY_SIDE / 4, 4, steps);
    else if (lanes == 1)
        step_chains(slots, chains, count, 1, steps);
    else if (lanes == 2)
        step_chains(slots, chains, count, 2, steps);
    else
        step_chains(slots, chains, count, 4, steps);
}

/* Steps that a chain can take without a look at the end of its words. */
static int64_t safe_steps(const struct chain *chain, int lanes)
{
    int64_t words = chain->stream.count - (chain->word - chain->stream.data) / 2;
    int64_t by_words = (words - 1) / lanes, by_symbols = chain->left / lanes;
    return by_words < by_symbols ? by_words : by_symbols;
}

/* The symbols that are left of a chain, where words may end. */
static void finish_symbols(const struct level_slots *slots, struct chain *chain, int lanes)
{
    chain->stream.place = (chain->word - chain->stream.data) / 2;
    for (int64_t i = 0; i < chain->left; i++) {
        uint32_t *state = &chain->states[i & (lanes - 1)];
        uint32_t slot = level_slot_of(slots, chain->rows[i], *state);
        advance_past(state, slot, &chain->stream, 1);
        chain->levels[i] = level_value(slot);
    }
}

/* Escapes among so many values; they are few. */
static int has_escape(const int32_t *values, int64_t count)
{
    int found = 0;
    for (int64_t i = 0; i < count; i++)
        found |= values[i] == ESCAPED;
    return found;
}

static void put_escapes(struct job *job)
{
    int32_t *levels = job->slice.levels;
    for (int64_t i = 0, end; i < job->slice.count; i = end) {
        end = i + GROUP < job->slice.count ? i + GROUP : job->slice.count;
        if (!has_escape(levels + i, end - i))
            continue;
        for (; i < end; i++)
            if (levels[i] == ESCAPED)
                levels[i] = (int32_t)clamp(take_escape(&job->escapes), LEVEL_LIMIT);
    }
}

/* The same with low bits. */
static void put_low_bits(struct job *job)
{
    int32_t *levels = job->slice.levels;
    for (int64_t i = 0; i < job->slice.count; i++) {
        int shift = job->low.shift[i];
        int64_t value = levels[i] == ESCAPED ? take_escape(&job->escapes) : levels[i];
        value = value * ((int64_t)1 << shift) - ((int64_t)1 << shift >> 1);
        value += shift ? take_low(&job->low, shift) : 0;
        levels[i] = (int32_t)clamp(value, LEVEL_LIMIT);
    }
}

static void finish(const struct level_slots *slots, struct chain *chain, int lanes)
{
    struct job *job = chain->job;
    finish_symbols(slots, chain, lanes);
    for (int lane = 0; lane < lanes; lane++)
        job->slice.states[lane] = chain->states[lane];
    if (job->low.shift)
        put_low_bits(job);
    else
        put_escapes(job);
    job->taken = bytes_taken(&job->slice, &chain->stream, &job->escapes);
}

/* False where the stream is damaged, and done with. */
static int start(struct job *job, struct chain *chain)
{
    struct slice *slice = &job->slice;
    *chain = (struct chain){ .rows = slice->rows, .levels = slice->levels, .left = slice->count,
        .job = job };
    if (!read_states(job->data, job->size, slice, &chain->stream)) {
        job->taken = BROKEN_STREAM;
        return 0;
    }
    chain->word = chain->stream.data;
    for (int lane = 0; lane < slice->lanes; lane++)
        chain->states[lane] = slice->states[lane];
    return 1;
}

static int is_short(const struct job *job, int lanes)
{
    return !job->is_predicted && job->slice.lanes == lanes;
}

/* All chains go on until one of them can no more; those that cannot are finished. */
static int step_all(const struct level_slots *slots, struct chain *chains, int count, int lanes)
{
    int64_t steps = safe_steps(&chains[0], lanes);
    for (int c = 1; c < count; c++) {
        int64_t own = safe_steps(&chains[c], lanes);
        steps = own < steps ? own : steps;
    }
    if (steps > 0)
        step_full(slots, chains, count, lanes, steps);
    int left = 0;
    for (int c = 0; c < count; c++) {
        chains[c].rows += steps > 0 ? steps * lanes : 0;
        chains[c].levels += steps > 0 ? steps * lanes : 0;
        chains[c].left -= steps > 0 ? steps * lanes : 0;
        if (safe_steps(&chains[c], lanes) > 0)
            chains[left++] = chains[c];
        else
            finish(slots, &chains[c], lanes);
    }
    return left;
}

/* Streams of so many lanes; where one ends, the next takes its place. */
static void decode_short(
    const struct level_slots *slots, struct job *jobs, int64_t count, const int lanes)
{
    struct chain chains[SIDE_BY_SIDE];
    int active = 0;
    for (int64_t at = 0; at < count || active;) {
        for (; at < count && active < SIDE_BY_SIDE / lanes; at++)
            if (is_short(&jobs[at], lanes))
                active += start(&jobs[at], &chains[active]);
        if (active)
            active = step_all(slots, chains, active, lanes);
    }
}

static int64_t decode_one(const struct level_slots *slots, struct job *job)
{
    if (job->parities.points)
        return decode_expected_points(slots, job->data, job->size, &job->slice, &job->parities,
            &job->low, &job->escapes, &job->terms);
    return decode_levels_slice(slots, job->data, job->size, &job->slice, &job->low, &job->escapes,
        &job->terms);
}

/* --- tables ------------------------------------------------------------------------------- */

/* Ask for a table that is soon needed, all of it: what is asked for symbol by symbol is waited for. */
static void ask_for(const struct level_slots *slots, int64_t row)
{
    const uint32_t *slot = slots->slot + (row << LEVEL_SLOT_BITS);
    for (int at = 0; at < 1 << LEVEL_SLOT_BITS; at += CACHE_LINE / (int)sizeof *slot)
        PREFETCH(slot + at);
}

/* The same of the tables of a job, as far as a look at some of its symbols tells. */
static void ask_for_tables(const struct level_slots *slots, const struct job *job, uint8_t *is_asked)
{
    const struct slice *slice = &job->slice;
    int64_t count = slice->count < MOST_LOOKED_AT ? slice->count : MOST_LOOKED_AT;
    for (int64_t i = 0; i < count; i += LOOKED_AT) {
        int64_t row = slice->rows[i];
        if (row >= MOST_TABLES || row >= slots->rows || is_asked[row])
            continue;
        is_asked[row] = 1;
        ask_for(slots, row);
        if (job->is_predicted && row + slots->next_phase < slots->rows)
            ask_for(slots, row + slots->next_phase);
    }
}

void decode_jobs(const struct level_slots *slots, struct job *jobs, int64_t count)
{
    uint8_t is_asked[MOST_TABLES] = { 0 };
    for (int64_t i = 0; i < count; i++)
        ask_for_tables(slots, &jobs[i], is_asked);
    for (int lanes = 1; lanes <= MOST_LANES; lanes *= 2)
        decode_short(slots, jobs, count, lanes);
    for (int64_t i = 0; i < count; i++)
        if (jobs[i].is_predicted || jobs[i].slice.lanes > MOST_LANES)
            jobs[i].taken = decode_one(slots, &jobs[i]);
}
