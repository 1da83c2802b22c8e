/* Levels and digits of a slice, where each symbol's table depends on levels before it.
 *
 * Knows nothing of tensors (spec/coding.md, "Levels" and "Digits").
 */
#ifndef MIDSTREAM_LEVELS_H
#define MIDSTREAM_LEVELS_H

#include <stdint.h>
#include <string.h>

#include "prediction.h"
#include "rans.h"

#define MAX_LANES 32
#define EIGHT 8
#define MAX_SHIFT 28
#define MAX_ESCAPE ((int64_t)1 << 32)
#define ESCAPED 127
#define CLASSES 16
#define LAST_EDGE 90

/* The class of each distance between a cell's centre and the mean, in half steps; bytes that
 * are read four at a time follow the last one. */
extern const uint8_t class_of[LAST_EDGE + 4];

/* Slots of a table of levels: frequencies are even. */
#define LEVEL_SLOT_BITS (TOTAL_BITS - 1)
/* Levels that are out of their range are kept just outside it. */
#define LEVEL_LIMIT ((1 << 30) + 1)

/* Results other than a number of bytes. */
#define BROKEN_STREAM (-1)
#define LEVEL_BEYOND (-2)
#define UNFIT_ARGUMENTS (-3)

/* What escapes stand for; beyond the last, nothing. */
struct escapes {
    const int64_t *value; /* at most MAX_ESCAPE from zero */
    int64_t count;
    int64_t place; /* of the next one, counted on beyond the last */
};

/* Words of 16 bits, wherever in memory; beyond the last, nothing. */
struct stream {
    const uint8_t *data;
    int64_t count, place;
};

/* One slice. */
struct slice {
    uint32_t states[MAX_LANES + EIGHT]; /* as many as lanes; the others may be read */
    int64_t lanes, count;
    const uint16_t *rows; /* the first table of each symbol */
    int32_t *levels;      /* what comes out */
};

/* Tables of levels, (rows, 2048): of the symbol in each slot bits 0-11 frequency, 12-23 start,
 * 24-31 value. */
struct level_slots {
    const uint32_t *slot;
    int64_t rows, next_phase;
    int widest; /* lanes at a time: 0 for one, 1 for eight, 2 for sixteen */
};

/* What the processor can. */
int widest_levels(void);

/* What the slot of a state says. */
static inline uint32_t level_slot_of(const struct level_slots *slots, size_t row, uint32_t state)
{
    return slots->slot[row << LEVEL_SLOT_BITS | (state & (TOTAL - 1)) >> 1];
}

/* The value of a symbol, or ESCAPED. */
static inline int8_t level_value(uint32_t slot)
{
    return (int8_t)(uint8_t)(slot >> 24);
}

/* Low bits of one slice, as many as the levels have. */
struct low_bits {
    const uint8_t *data;
    int64_t size;         /* bytes */
    const uint8_t *shift; /* of each level, at most MAX_SHIFT; NULL where none has any */
    int64_t place;        /* bits taken */
};

static inline int64_t take_low(struct low_bits *low, int shift)
{
    int64_t byte = low->place >> 3, end = (low->place + shift + 7) >> 3;
    uint64_t bits = 0;
    for (int64_t at = byte; at < end; at++)
        bits |= (uint64_t)low->data[at] << 8 * (at - byte);
    bits >>= low->place & 7;
    low->place += shift;
    return (int64_t)(bits & ((UINT64_C(1) << shift) - 1));
}

/* The same, all of them read at once where that can be. */
static inline int64_t take_low_at_once(struct low_bits *low, int shift)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t bits;
    if ((low->place >> 3) + (int64_t)sizeof bits <= low->size) {
        memcpy(&bits, low->data + (low->place >> 3), sizeof bits);
        bits >>= low->place & 7;
        low->place += shift;
        return (int64_t)(bits & ((UINT64_C(1) << shift) - 1));
    }
#endif
    return take_low(low, shift);
}

/* Where a slice's next symbol is, and its lane. */
struct place {
    int64_t first, lane;
};

static inline struct place moved(struct place place, int64_t count, int64_t lanes)
{
    int64_t lane = place.lane + count;
    return (struct place){ place.first + count, lane < lanes ? lane : lane - lanes };
}

/* Decode a slice from the bytes of its stream, states first. Gives how many bytes it took, or
 * what is wrong; arguments are unfit where the runs are not those of the slice, or a table or
 * low bits are not there. */
int64_t decode_levels_slice(const struct level_slots *slots, const uint8_t *data, int64_t size,
    struct slice *slice, struct low_bits *low, struct escapes *escapes, struct terms *terms);

/* The same of digits; `starts` are four of each of so many tables. */
int64_t decode_digits_slice(const uint16_t *starts, int64_t tables, const uint8_t *data,
    int64_t size, struct slice *slice, const int32_t *parents, struct escapes *escapes,
    struct terms *terms);

/* The same of children. */
struct place decode_many_digits(const uint16_t *starts, const struct segment *segment,
    struct stream *stream, struct slice *slice, const int32_t *parents, struct place place,
    int64_t count);

/* How widths that have no table of their own are folded: by octaves, to the last four of those
 * that have one; and how many low bits the levels of a width have. */
struct folds {
    int16_t widest, unshifted, most; /* a width beyond `most` counts as that */
};

/* The widths of tables, and low bits. */
void fold_widths_of(const struct folds *folds, const int16_t *widths, int64_t count,
    int16_t *folded, uint8_t *shifts);

/* How tables stand: widths, clipped to 0 to the last one; then shapes; then phases. */
struct choices {
    int16_t last_width;
    uint16_t each_width, each_shape, each_phase;
};

/* The first table of each weight, modulo 2^16; `phases` may be NULL. */
void find_rows(const struct choices *choices, const int8_t *shapes, const int16_t *widths,
    const int8_t *phases, int64_t count, uint16_t *rows);

/* Some of the next levels of a segment, `count` at most, faster than one by one; none of them
 * an escape. Gives where it stopped, which may be where it began. */
struct place decode_many_levels(const struct level_slots *slots, const struct segment *segment,
    struct stream *stream, struct slice *slice, struct low_bits *low, struct place place,
    int64_t count);

#endif
