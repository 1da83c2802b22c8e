#include "expected_points.h"

#include "lanes.h"
#include "points.h"

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#define LAST (POINT - 1)

/* Weights after each other, on lanes after each other, that have the same place in their points
 * and the same terms. */
struct stretch {
    struct place at;
    int64_t count;
    int place;     /* POINT after the last point */
    int64_t first; /* point */
};

/* What weights of a stretch are of their points. */
enum kind { INNER, FINAL, OVER };

static const uint8_t phases[] = { 0, 2, 1, 2 };

/* A number, given what is expected of it in quarters. */
INLINE int64_t read_number(const struct level_slots *slots, struct slice *slice, struct place at,
    int64_t quarters, struct stream *stream, struct low_bits *low, struct escapes *escapes,
    const int is_last)
{
    size_t row = slice->rows[at.first] + (size_t)(phases[quarters & 3] * slots->next_phase);
    uint32_t *state = &slice->states[at.lane], slot = level_slot_of(slots, row, *state);
    advance_past(state, slot, stream, is_last);
    int64_t value = level_value(slot);
    int shift = low->shift ? low->shift[at.first] : 0;
    value = value == ESCAPED ? take_escape(escapes) : value;
    if (shift)
        value = value * ((int64_t)1 << shift) - ((int64_t)1 << shift >> 1)
            + take_low_at_once(low, shift);
    /* the table of three quarters is the mirror image of that of one */
    return (quarters >> 2) + ((quarters & 3) == 3 ? 1 - value : value);
}

/* `rest` is what is known of a level by a step of two, or of the last of a point by four. */
INLINE void decode_stretch(const struct level_slots *slots, struct slice *slice,
    const struct parities *parities, const struct segment *segment, const struct stretch *stretch,
    struct stream *stream, struct low_bits *low, struct escapes *escapes, const enum kind kind,
    const int is_last)
{
    struct stream here = *stream;
    struct place at = stretch->at;
    const uint16_t *odd = parities->odd + stretch->first;
    uint8_t *sum = parities->sum + stretch->first;
    for (int64_t k = 0; k < stretch->count; k++, at = moved(at, 1, slice->lanes)) {
        int64_t mean = expect_one(segment, slice->levels + at.first);
        int64_t rest = kind == OVER ? 0 : kind == FINAL ? -sum[k] & 3 : odd[k] >> stretch->place & 1;
        int64_t quarters = kind == FINAL ? (mean - 2 * rest) >> 1 : mean + 2 * rest;
        int64_t number
            = read_number(slots, slice, at, quarters, &here, low, escapes, is_last);
        int64_t level = kind == FINAL ? 4 * number + rest : 2 * number - rest;
        slice->levels[at.first] = (int32_t)clamp(level, LEVEL_LIMIT);
        if (kind != OVER)
            sum[k] += (uint8_t)level;
    }
    *stream = here;
}

/* The next stretch of at most `left` weights of a segment. */
static struct stretch next_stretch(const struct parities *parities, struct place at, int64_t left)
{
    int64_t points = parities->points, place = at.first / points;
    struct stretch stretch = { at, left, POINT, 0 };
    if (place < POINT) {
        stretch.place = (int)place;
        stretch.first = at.first - place * points;
        stretch.count = left < points - stretch.first ? left : points - stretch.first;
    }
    return stretch;
}

static void decode_any(const struct level_slots *slots, struct slice *slice,
    const struct parities *parities, const struct segment *segment, const struct stretch *stretch,
    struct stream *stream, struct low_bits *low, struct escapes *escapes)
{
    /* each symbol takes a word at most, and one more is looked at */
    int is_safe = stream->count - stream->place > stretch->count;
    if (stretch->place < LAST && is_safe)
        decode_stretch(slots, slice, parities, segment, stretch, stream, low, escapes, INNER, 0);
    else if (stretch->place < LAST)
        decode_stretch(slots, slice, parities, segment, stretch, stream, low, escapes, INNER, 1);
    else if (stretch->place == LAST)
        decode_stretch(slots, slice, parities, segment, stretch, stream, low, escapes, FINAL, 1);
    else
        decode_stretch(slots, slice, parities, segment, stretch, stream, low, escapes, OVER, 1);
}

/* The place after so many weights, which may be more than lanes; few are, and none of them divided. */
static inline struct place passed(struct place at, int64_t count, int64_t lanes)
{
    int64_t lane = at.lane + count;
    return (struct place){ at.first + count, lane < lanes ? lane : lane % lanes };
}

static int decode_all(const struct level_slots *slots, struct stream *stream, struct slice *slice,
    const struct parities *parities, struct low_bits *low, struct escapes *escapes,
    struct terms *terms)
{
    struct walk walk = { .terms = terms };
    struct segment segment;
    struct place at = { 0, 0 };
    while (at.first < slice->count) {
        if (!next_segment(&walk, slice->count - at.first, slice->lanes, &segment))
            return 0;
        for (int64_t end = at.first + segment.length; at.first < end;) {
            struct stretch stretch = next_stretch(parities, at, end - at.first);
            if (stretch.place < POINT && slice->lanes >= EIGHT) {
                int64_t stop = at.first + stretch.count, lanes;
                at = decode_many_points(slots, &segment, stream, slice, parities, low, at, stop);
                if (at.first == stop)
                    continue;
                lanes = slice->lanes - at.lane;
                stretch = next_stretch(parities, at, lanes < stop - at.first ? lanes : stop - at.first);
            }
            decode_any(slots, slice, parities, &segment, &stretch, stream, low, escapes);
            at = passed(at, stretch.count, slice->lanes);
        }
    }
    return 1;
}

int64_t decode_expected_points(const struct level_slots *slots, const uint8_t *data, int64_t size,
    struct slice *slice, const struct parities *parities, struct low_bits *low,
    struct escapes *escapes, struct terms *terms)
{
    struct stream stream;
    if (!read_states(data, size, slice, &stream))
        return BROKEN_STREAM;
    for (int64_t i = 0; i < slice->count; i++)
        if (slice->rows[i] >= slots->rows - 2 * slots->next_phase)
            return UNFIT_ARGUMENTS;
    if (!decode_all(slots, &stream, slice, parities, low, escapes, terms))
        return UNFIT_ARGUMENTS;
    return bytes_taken(slice, &stream, escapes);
}
