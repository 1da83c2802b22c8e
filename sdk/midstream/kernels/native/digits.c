#include "digits.h"

#include <string.h>

#include "bits.h"
#include "payloads.h"
#include "points.h"
#include "rows.h"

#define DIGIT_WIDTHS 33
#define DIGIT_SHAPES 3
#define DIGIT_TABLES (DIGIT_SHAPES * DIGIT_WIDTHS * CLASSES)

/* Quarter octaves that so many refinements add to a width: 4 log2(3) each, rounded. */
static int16_t width_shift(int64_t trits)
{
    return (int16_t)((634 * trits + 50) / 100);
}

/* The first of the tables of each weight. */
static uint16_t *find_digit_rows(const struct network *network, const struct piece *piece,
    int16_t shift, int kind, struct room *room)
{
    int16_t *widths = take_room(room, piece->weights, sizeof *widths);
    uint16_t *rows = take_room(room, piece->weights, sizeof *rows);
    if (!widths || !rows)
        return NULL;
    for (int64_t i = 0, done = 0; i < piece->span_count; i++) {
        const struct span *span = &piece->spans[i];
        int64_t shape = network->tensor[span->tensor].shape, count = span->stop - span->start;
        const uint16_t first = (uint16_t)(kind * DIGIT_TABLES + shape * DIGIT_WIDTHS * CLASSES);
        find_widths(network, span, widths + done);
        for (int64_t k = done; k < done + count; k++) {
            int16_t width = (int16_t)(widths[k] + shift);
            width = width > 0 ? width : 0;
            width = width < DIGIT_WIDTHS ? width : DIGIT_WIDTHS - 1;
            rows[k] = (uint16_t)(first + width * CLASSES);
        }
        done += count;
    }
    return rows;
}

/* Digits that are escaped, as they stand before the others. */
static int read_moved(const struct level_slots *slots, struct piece *piece, struct bytes *payload,
    int half_width, struct escapes *escapes, struct room *room)
{
    uint64_t count;
    int64_t size = read_leb128(payload->data, payload->size, 1, &count);
    if (size < 0 || count > (uint64_t)piece->weights)
        return 0;
    *payload = (struct bytes){ payload->data + size, payload->size - size };
    int64_t moved = (int64_t)count;
    int64_t *values = take_room(room, moved, sizeof *values);
    int32_t *levels = take_room(room, moved, sizeof *levels);
    int16_t *widths = take_room(room, moved, sizeof *widths);
    uint16_t *rows = take_room(room, moved, sizeof *rows);
    uint8_t *shifts = take_room(room, moved, sizeof *shifts);
    if (!values || !levels || !widths || !rows || !shifts)
        return 0;
    *escapes = (struct escapes){ values, moved, 0 };
    if (!moved)
        return 1;
    for (int64_t i = 0; i < moved; i++)
        widths[i] = (int16_t)(2 * half_width);
    struct job job;
    int64_t bits = find_level_rows(widths, moved, 0, 0, rows, shifts);
    for (int64_t i = 0; i < moved; i++)
        rows[i] += NEXT_PHASE; /* one half is expected */
    set_job(&job, rows, moved, levels, 0);
    job.low.shift = bits ? shifts : NULL;
    if (!start_levels(&job, *payload, bits, moved, room))
        return 0;
    decode_jobs(slots, &job, 1);
    if (job.taken < 0)
        return 0;
    for (int64_t i = 0; i < moved; i++)
        values[i] = (int64_t)levels[i] + (levels[i] > 0 ? 1 : -2);
    *payload = (struct bytes){ job.data + job.taken, job.size - job.taken };
    return 1;
}

int decode_digits_of(const struct network *network, const struct level_slots *slots,
    const uint16_t *starts, int64_t tables, struct piece *piece, int64_t trits, struct room room)
{
    struct bytes payload = piece->payload;
    struct escapes escapes;
    struct terms terms;
    if (!payload.size)
        return 0;
    const int head = *payload.data++;
    payload.size--;
    uint16_t *rows = find_digit_rows(network, piece, width_shift(trits), head & 15, &room);
    int32_t *parents = take_room(&room, piece->weights, sizeof *parents);
    if (!rows || !parents || !read_moved(slots, piece, &payload, head >> 4, &escapes, &room)
        || !find_terms_of(network, piece, &room, &terms))
        return 0;
    memcpy(parents, piece->levels, (size_t)piece->weights * sizeof *parents);
    struct slice slice = { .lanes = lanes_for(piece->weights, nearest_of(&terms)),
        .count = piece->weights, .rows = rows, .levels = piece->levels };
    return decode_digits_slice(
               starts, tables, payload.data, payload.size, &slice, parents, &escapes, &terms)
        == payload.size;
}

/* --- points ------------------------------------------------------------------------------ */

#define FINEST 5
#define NARROWER_OF_THREE 4 /* quarter octaves from a parent's step to six half steps */
#define NARROWER_OF_FIVE 1

/* Whether the levels of each point are odd, told by those of their parents: the share of the head,
 * and the stream of codewords, which the payload then begins after. */
static int read_odd(const struct stack *stack, const struct piece *piece, int share,
    struct bytes *payload, struct parities *parities, struct room *room)
{
    const int64_t points = piece->weights / POINT;
    uint16_t *odd = take_room(room, points, sizeof *odd);
    *parities = (struct parities){ odd, take_room(room, points, sizeof *parities->sum), points };
    if (!odd || !parities->sum)
        return 0;
    memset(odd, 0, (size_t)points * sizeof *odd);
    memset(parities->sum, 0, (size_t)points);
    for (int64_t k = 0; k < POINT * points; k++)
        odd[k % points] |= (uint16_t)((piece->levels[k] & 1) << k / points);
    if (!points)
        return 1;
    int64_t taken = decode_codewords_of(payload->data, payload->size, lanes_for(points, 0),
        stack->codewords[share], points, odd);
    if (taken < 0)
        return 0;
    *payload = (struct bytes){ payload->data + taken, payload->size - taken };
    return 1;
}

int decode_refined_points_of(const struct stack *stack, struct piece *piece, int64_t trits,
    struct room room, int64_t *ratio)
{
    struct bytes payload = piece->payload;
    struct parities parities;
    struct terms terms;
    if (!payload.size)
        return 0;
    const int head = *payload.data++, share = head % CODEWORD_SHARES;
    payload.size--;
    if (!share || head >= 2 * CODEWORD_SHARES)
        return 0;
    *ratio = head >= CODEWORD_SHARES ? FINEST : 3;
    int16_t narrower = *ratio == FINEST ? NARROWER_OF_FIVE : NARROWER_OF_THREE;
    uint16_t *rows = find_digit_rows(
        &stack->network, piece, (int16_t)(width_shift(trits) - narrower), 0, &room);
    int32_t *parents = take_room(&room, piece->weights, sizeof *parents);
    if (!rows || !parents || !read_odd(stack, piece, share, &payload, &parities, &room)
        || !find_terms_of(&stack->network, piece, &room, &terms))
        return 0;
    memcpy(parents, piece->levels, (size_t)piece->weights * sizeof *parents);
    struct slice slice = { .lanes = lanes_for(piece->weights, nearest_of(&terms)),
        .count = piece->weights, .rows = rows, .levels = piece->levels };
    const struct refining refining = { stack->point_starts, stack->point_tables, *ratio };
    return decode_refined_slice(
               &refining, payload.data, payload.size, &slice, &parities, parents, &terms)
        == payload.size;
}
