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

/* What is open to a weight: the family of its tables, the step between its children, and the one
 * in the middle, from five times or three times its parent on. */
struct open {
    int64_t family, step, middle;
};

INLINE struct open inner_children(int64_t ratio, int64_t odd, int64_t parent)
{
    if ((odd ^ parent) & 1)
        return (struct open){ 1, 1, 0 };
    return (struct open){ ratio == FIVE ? 0 : OPEN_FAMILIES, 2, 0 };
}

INLINE struct open last_children(uint8_t sum, int64_t centre)
{
    int64_t only = ((1 - (int64_t)sum - centre) & 3) - 1;
    return only == 2 ? (struct open){ 2, 2, 0 } : (struct open){ OPEN_FAMILIES, 2, only };
}

INLINE int64_t read_child(const struct refining *refining, const struct open *open, size_t row,
    int64_t offset, uint32_t *state, struct stream *stream)
{
    size_t family = (size_t)(refining->tables / OPEN_FAMILIES);
    size_t table = (size_t)open->family * family + (open->family < OPEN_FAMILIES ? row : 0);
    const uint16_t *start = refining->starts + 4 * table;
    uint32_t slot = *state & (TOTAL - 1);
    int symbol = (slot >= start[1]) + (slot >= start[2]);
    advance(state, (uint32_t)start[symbol + 1] - start[symbol], slot - start[symbol], stream, 1);
    int64_t outward = symbol - 1;
    return open->middle + open->step * (offset < 0 ? -outward : outward);
}

static void decode_stretch(const struct refining *refining, struct slice *slice,
    const struct parities *parities, const int32_t *parents, const struct segment *segment,
    const struct stretch *stretch, struct stream *stream)
{
    struct stream here = *stream;
    struct place at = stretch->at;
    for (int64_t k = 0; k < stretch->count; k++, at = moved(at, 1, slice->lanes)) {
        const int64_t point = stretch->first + k, parent = parents[at.first];
        const int64_t centre = refining->ratio * parent;
        const int64_t mean = expect_one(segment, slice->levels + at.first);
        const int64_t offset = (2 * centre - mean) >> 1, distance = offset < 0 ? -offset : offset;
        int64_t odd = stretch->place < LAST ? parities->odd[point] >> stretch->place & 1 : 0;
        struct open open = stretch->place == LAST ? last_children(parities->sum[point], centre)
                                                  : inner_children(refining->ratio, odd, parent);
        size_t row = slice->rows[at.first] + class_of[distance < LAST_EDGE ? distance : LAST_EDGE];
        int64_t level
            = centre + read_child(refining, &open, row, offset, &slice->states[at.lane], &here);
        slice->levels[at.first] = (int32_t)clamp(level, LEVEL_LIMIT);
        if (stretch->place < POINT)
            parities->sum[point] += (uint8_t)level;
    }
    *stream = here;
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
            decode_stretch(refining, slice, parities, parents, &segment, &stretch, stream);
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
