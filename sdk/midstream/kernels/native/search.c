#include "search.h"

#include <string.h>

enum { HALF_LOG = 15 };

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

static const uint32_t top = UINT32_C(1) << 31;

/* A value with its sign in the top bit; of two bytes, the lower ones are zeros. */
static inline uint32_t value_at(const void *values, int64_t size, int64_t i)
{
    return size == 4 ? ((const uint32_t *)values)[i] : (uint32_t)((const uint16_t *)values)[i] << 16;
}

/* The last place with this magnitude, -1 for none; the next value of it is to find this one. Where
 * there is a slot for each magnitude of two bytes, none is looked for. */
static inline int64_t last_place(
    const void *values, int64_t size, int64_t i, uint32_t *table, int log)
{
    const uint32_t magnitude = value_at(values, size, i) & ~top;
    if (size == 2 && log >= HALF_LOG) {
        uint32_t *own = table + (magnitude >> 16);
        const int64_t last = (int64_t)*own - 1;
        *own = (uint32_t)(i + 1);
        return last;
    }
    const uint32_t mask = (uint32_t)((UINT64_C(1) << log) - 1);
    uint32_t slot = (magnitude * UINT32_C(0x9E3779B1)) >> (32 - log);
    while (table[slot] && (value_at(values, size, table[slot] - 1) & ~top) != magnitude)
        slot = (slot + 1) & mask;
    const int64_t before = (int64_t)table[slot] - 1;
    table[slot] = (uint32_t)(i + 1);
    return before;
}

/* The longest run from a start on whose sources go this way, 1 or -1; the second value tells
 * whether signs alternate. */
static inline struct repeat run_from(
    const void *values, int64_t count, int64_t size, int64_t start, int64_t source, int64_t way)
{
    struct repeat run = { start, source, 1, way < 0 ? IS_MIRRORED : 0 };
    int64_t most = way < 0 && source + 1 < count - start ? source + 1 : count - start;
    uint32_t flip = value_at(values, size, start) ^ value_at(values, size, source);
    run.kind |= flip ? IS_NEGATIVE : 0;
    if (most < SHORTEST_RUN)
        return run;
    uint32_t second = value_at(values, size, start + 1) ^ value_at(values, size, source + way);
    const uint32_t change = second ^ flip;
    if (change & ~top)
        return run;
    run.kind |= change ? IS_ALTERNATING : 0;
    for (; run.length < most; run.length++) {
        flip ^= change;
        uint32_t old = value_at(values, size, source + way * run.length);
        if (value_at(values, size, start + run.length) != (old ^ flip))
            break;
    }
    return run;
}

static inline struct repeat longer(struct repeat one, struct repeat other)
{
    int is_one = one.length != other.length ? one.length > other.length : one.kind > other.kind;
    return is_one ? one : other;
}

/* Whether the value after a place is that before or after another one, but for signs. */
static inline int may_go_on(const void *values, int64_t size, int64_t i, int64_t source)
{
    const uint32_t next = value_at(values, size, i + 1) & ~top;
    return (value_at(values, size, source + 1) & ~top) == next
        || (source && (value_at(values, size, source - 1) & ~top) == next);
}

static inline int64_t find_sized(const void *values, int64_t count, int64_t size, uint32_t *table,
    int log, struct repeat *repeats)
{
    int64_t found = 0, end = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t before = last_place(values, size, i, table, log);
        if (i < end || before < 0 || count - i < SHORTEST_RUN || !may_go_on(values, size, i, before))
            continue;
        struct repeat run = longer(run_from(values, count, size, i, before, 1),
            run_from(values, count, size, i, before, -1));
        if (run.length < SHORTEST_RUN)
            continue;
        repeats[found++] = run;
        end = i + run.length;
    }
    return found;
}

int64_t find_repeats(const void *values, int64_t count, int64_t size, uint32_t *table, int log,
    struct repeat *repeats)
{
    const int needed = size == 2 && log > HALF_LOG ? HALF_LOG : log;
    memset(table, 0, sizeof *table << needed);
    return size == 4 ? find_sized(values, count, 4, table, needed, repeats)
                     : find_sized(values, count, 2, table, needed, repeats);
}

enum { LOOKED = 256, SEEN = 1 << 14, FEW = 8, SLOTS = 2048, BUCKETS = 1 << 16 };

/* Fours that are looked for, and how often each was seen; an index of 0 is of none. */
struct looked {
    uint32_t four[SLOTS / 2], count[SLOTS / 2];
    uint16_t slot[SLOTS];
    uint8_t is_there[BUCKETS / 8];
    int64_t fours;
};

INLINE uint32_t magnitude_at(const void *values, int64_t size, int64_t i)
{
    return size == 4 ? ((const uint32_t *)values)[i] & ~top : ((const uint16_t *)values)[i] & 0x7FFF;
}

/* A number of the magnitudes of four values, whichever way they are gone through. */
INLINE uint32_t four_at(const void *values, int64_t size, int64_t i)
{
    uint32_t first = magnitude_at(values, size, i), fourth = magnitude_at(values, size, i + 3);
    uint32_t second = magnitude_at(values, size, i + 1), third = magnitude_at(values, size, i + 2);
    uint32_t outer = (first + fourth) * UINT32_C(0x9E3779B1) ^ first ^ fourth;
    uint32_t inner = (second + third) * UINT32_C(0x9E3779B1) ^ second ^ third;
    return outer + inner * UINT32_C(0x85EBCA6B);
}

/* The slot of a four, or where it would be. */
static inline int slot_of(const struct looked *looked, uint32_t four)
{
    int slot = (four * UINT32_C(0x9E3779B1)) >> 21;
    while (looked->slot[slot] && looked->four[looked->slot[slot] - 1] != four)
        slot = (slot + 1) % SLOTS;
    return slot;
}

static void look_for(struct looked *looked, uint32_t four)
{
    int slot = slot_of(looked, four);
    if (looked->slot[slot])
        return;
    looked->four[looked->fours++] = four;
    looked->slot[slot] = (uint16_t)looked->fours;
    looked->is_there[(four & (BUCKETS - 1)) / 8] |= (uint8_t)(1 << four % 8);
}

INLINE int may_repeat_sized(const void *values, int64_t count, int64_t size)
{
    struct looked looked;
    const int64_t far = count / LOOKED > 1 ? count / LOOKED : 1;
    const int64_t near = count / SEEN > 1 ? count / SEEN : 1;
    int64_t again = 0;
    memset(&looked, 0, sizeof looked);
    for (int64_t i = 0; i + 3 < count; i += far)
        look_for(&looked, four_at(values, size, i));
    for (int64_t i = 0; i + 3 < count; i += near) {
        uint32_t four = four_at(values, size, i);
        if (!(looked.is_there[(four & (BUCKETS - 1)) / 8] >> four % 8 & 1))
            continue;
        int place = looked.slot[slot_of(&looked, four)];
        if (place)
            again += ++looked.count[place - 1] == 2;
    }
    return again * FEW * near > looked.fours;
}

int may_repeat_in(const void *values, int64_t count, int64_t size)
{
    return size == 4 ? may_repeat_sized(values, count, 4) : may_repeat_sized(values, count, 2);
}
