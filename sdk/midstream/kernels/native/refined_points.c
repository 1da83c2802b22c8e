#include "refined_points.h"

#include "lanes.h"
#include "points.h"

#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#define CODEWORDS (1 << CODEWORD_BITS)
#define LAST (POINT - 1)
#define FIVE 5

/* --- codewords ----------------------------------------------------------------------------- */

static inline int ones_of(uint32_t bits)
{
    bits -= bits >> 1 & 0x5555;
    bits = (bits & 0x3333) + (bits >> 2 & 0x3333);
    bits = (bits + (bits >> 4)) & 0x0F0F;
    return (int)((bits + (bits >> 8)) & 31);
}

/* How far all codewords are, and which kind of coset that is. */
static int find_distances(uint16_t parities, uint8_t *distances)
{
    int nearest = POINT, count = 0;
    for (int w = 0; w < CODEWORDS; w++) {
        distances[w] = (uint8_t)ones_of((uint32_t)(parities ^ codewords[w]));
        nearest = distances[w] < nearest ? distances[w] : nearest;
    }
    for (int w = 0; w < CODEWORDS; w++)
        count += distances[w] == nearest;
    return nearest + (nearest > 4 || (nearest == 4 && count < 4));
}

static uint16_t next_codeword(const uint16_t (*table)[DISTANCES], uint16_t parities,
    uint32_t *state, struct stream *stream)
{
    uint8_t distances[CODEWORDS];
    const uint16_t *frequencies = table[find_distances(parities, distances)];
    uint32_t slot = *state & (TOTAL - 1), start = 0;
    int w = 0;
    for (; w < CODEWORDS - 1 && start + frequencies[distances[w]] <= slot; w++)
        start += frequencies[distances[w]];
    /* what is missing from all slots is the last one's */
    uint32_t frequency = w < CODEWORDS - 1 ? frequencies[distances[w]] : TOTAL - start;
    advance(state, frequency, slot - start, stream, 1);
    return codewords[w];
}

int64_t decode_codewords_of(const uint8_t *data, int64_t size, int64_t lanes,
    const uint16_t (*table)[DISTANCES], int64_t points, uint16_t *odd)
{
    const struct escapes none = { 0 };
    struct slice slice = { .lanes = lanes };
    struct stream stream;
    if (!read_states(data, size, &slice, &stream))
        return BROKEN_STREAM;
    for (int64_t b = 0, lane = 0; b < points; b++, lane = lane + 1 < lanes ? lane + 1 : 0)
        odd[b] = next_codeword(table, odd[b], &slice.states[lane], &stream);
    return bytes_taken(&slice, &stream, &none);
}

/* --- children ------------------------------------------------------------------------------ */

/* Weights after each other, that have the same place in their points and the same terms. */
struct stretch {
    struct place at;
    int64_t count;
    int place;     /* POINT after the last point */
    int64_t first; /* point */
};

/* What weights of a stretch are of their points. */
enum kind { INNER, FINAL };

/* What is open to a weight: the place of its table, the step between its children, and the one in
 * the middle of its cell. No branch: parities cannot be foretold. */
struct open {
    int64_t table, step, middle;
};

INLINE struct open inner_children(
    const struct refining *refining, int64_t odd, int64_t parent, int64_t row)
{
    const int64_t family = refining->tables / OPEN_FAMILIES, differs = (odd ^ parent) & 1;
    const int64_t even = refining->ratio == FIVE ? row : OPEN_FAMILIES * family;
    return (struct open){ even + ((row + family - even) & -differs), 2 - differs, 0 };
}

INLINE struct open last_children(
    const struct refining *refining, uint8_t sum, int64_t centre, int64_t row)
{
    const int64_t family = refining->tables / OPEN_FAMILIES;
    const int64_t only = ((1 - (int64_t)sum - centre) & 3) - 1, is_far = only == 2;
    const int64_t one = OPEN_FAMILIES * family;
    return (struct open){ one + ((row + 2 * family - one) & -is_far), 2, only & (is_far - 1) };
}

INLINE int64_t read_child(const uint16_t *starts, const struct open *open, int64_t offset,
    uint32_t *state, struct stream *stream, const int is_last)
{
    const uint16_t *start = starts + 4 * open->table;
    uint32_t slot = *state & (TOTAL - 1);
    int symbol = (slot >= start[1]) + (slot >= start[2]);
    advance(state, (uint32_t)start[symbol + 1] - start[symbol], slot - start[symbol], stream, is_last);
    int64_t outward = symbol - 1, sign = offset < 0 ? -1 : 0;
    return open->middle + open->step * ((outward ^ sign) - sign);
}

INLINE void decode_stretch(const struct refining *refining, struct slice *slice,
    const struct parities *parities, const int32_t *parents, const struct segment *segment,
    const struct stretch *stretch, struct stream *stream, const enum kind kind, const int is_last)
{
    static const uint16_t none[1] = { 0 };
    struct stream here = *stream;
    struct place at = stretch->at;
    const int is_over = stretch->place == POINT;
    const uint16_t *odd = is_over ? none : parities->odd + stretch->first;
    uint8_t *sum = parities->sum + stretch->first;
    for (int64_t k = 0; k < stretch->count; k++, at = moved(at, 1, slice->lanes)) {
        const int64_t parent = parents[at.first], centre = refining->ratio * parent;
        const int64_t mean = segment->count ? expect_one(segment, slice->levels + at.first) : 0;
        const int64_t offset = (2 * centre - mean) >> 1, distance = offset < 0 ? -offset : offset;
        const int64_t row
            = slice->rows[at.first] + class_of[distance < LAST_EDGE ? distance : LAST_EDGE];
        const int64_t bit = is_over ? 0 : odd[k] >> (stretch->place & LAST) & 1;
        const struct open open = kind == FINAL ? last_children(refining, sum[k], centre, row)
                                               : inner_children(refining, bit, parent, row);
        uint32_t *state = &slice->states[at.lane];
        int64_t level
            = centre + read_child(refining->starts, &open, offset, state, &here, is_last);
        slice->levels[at.first] = (int32_t)clamp(level, LEVEL_LIMIT);
        if (!is_over)
            sum[k] += (uint8_t)level;
    }
    *stream = here;
}

static void decode_any(const struct refining *refining, struct slice *slice,
    const struct parities *parities, const int32_t *parents, const struct segment *segment,
    const struct stretch *stretch, struct stream *stream)
{
    /* each symbol takes a word at most, and one more is looked at */
    const int is_safe = stream->count - stream->place > stretch->count;
    if (stretch->place != LAST && is_safe)
        decode_stretch(refining, slice, parities, parents, segment, stretch, stream, INNER, 0);
    else if (stretch->place != LAST)
        decode_stretch(refining, slice, parities, parents, segment, stretch, stream, INNER, 1);
    else if (is_safe)
        decode_stretch(refining, slice, parities, parents, segment, stretch, stream, FINAL, 0);
    else
        decode_stretch(refining, slice, parities, parents, segment, stretch, stream, FINAL, 1);
}

/* The next stretch of at most `left` weights of a segment. */
static struct stretch next_stretch(const struct parities *parities, struct place at, int64_t left)
{
    struct stretch stretch = { at, left, POINT, 0 };
    if (at.first < POINT * parities->points) {
        stretch.place = (int)(at.first / parities->points);
        stretch.first = at.first - stretch.place * parities->points;
        left = parities->points - stretch.first;
        stretch.count = stretch.count < left ? stretch.count : left;
    }
    return stretch;
}

static int decode_all(const struct refining *refining, struct stream *stream, struct slice *slice,
    const struct parities *parities, const int32_t *parents, struct terms *terms)
{
    struct walk walk = { .terms = terms };
    struct segment segment;
    struct place at = { 0, 0 };
    while (at.first < slice->count) {
        if (!next_segment(&walk, slice->count - at.first, slice->lanes, &segment))
            return 0;
        for (int64_t end = at.first + segment.length; at.first < end;) {
            struct stretch stretch = next_stretch(parities, at, end - at.first);
            decode_any(refining, slice, parities, parents, &segment, &stretch, stream);
            at = (struct place){ at.first + stretch.count, (at.lane + stretch.count) % slice->lanes };
        }
    }
    return 1;
}

int64_t decode_refined_slice(const struct refining *refining, const uint8_t *data, int64_t size,
    struct slice *slice, const struct parities *parities, const int32_t *parents,
    struct terms *terms)
{
    const struct escapes none = { 0 };
    struct stream stream;
    if (!read_states(data, size, slice, &stream))
        return BROKEN_STREAM;
    for (int64_t i = 0; i < slice->count; i++)
        if (slice->rows[i] + CLASSES > refining->tables / OPEN_FAMILIES)
            return UNFIT_ARGUMENTS;
    if (!decode_all(refining, &stream, slice, parities, parents, terms))
        return UNFIT_ARGUMENTS;
    return bytes_taken(slice, &stream, &none);
}
