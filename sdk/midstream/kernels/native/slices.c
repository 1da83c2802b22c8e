#include "slices.h"

#include <string.h>

#include "payloads.h"
#include "points.h"
#include "rows.h"

#define FIRST_LESS 4 /* quarter octaves */
#define LAST_LESS 8
#define LAST_LANES 4 /* times as many as others of so many symbols have: they wait for themselves */

/* A slice while its levels are decoded. */
struct work {
    struct piece *piece;
    int16_t *widths;
    struct bytes rest; /* of the payload */
    int64_t points;    /* of the lattice; 0 where it is not on it */
    uint16_t *odd;     /* whether the levels of each point are, a bit for each */
    uint8_t *rests;    /* what is known of the last ones */
};

/* The room and jobs of one round: a stream of each slice. */
struct round {
    struct room *room;
    struct job *jobs;
    int64_t count;
};

static int start_round(struct round *round, struct room *room, int64_t most)
{
    *round = (struct round){ room, take_room(room, most, sizeof(struct job)), 0 };
    return round->jobs != NULL;
}

static struct job *next_job(struct round *round, const uint16_t *rows, int64_t count,
    int32_t *levels, int64_t nearest)
{
    struct job *job = &round->jobs[round->count++];
    set_job(job, rows, count, levels, nearest);
    return job;
}

int find_terms_of(const struct network *network, const struct piece *piece, struct room *room,
    struct terms *terms)
{
    if (!piece->is_folded)
        return find_terms(network, piece->spans, piece->span_count, room, terms);
    struct run *run = take_room(room, 1, sizeof *run);
    if (!run)
        return 0;
    *run = (struct run){ 0, piece->weights, piece->weights, 0 };
    *terms = (struct terms){ run, 1, NULL, 0, network->vector, network->vector_items };
    return 1;
}

static int start_points(struct work *work, struct room *room)
{
    int64_t points = work->points, size = codeword_bytes(points);
    work->odd = take_room(room, points, sizeof *work->odd);
    work->rests = take_room(room, points, sizeof *work->rests);
    if (!work->odd || !work->rests
        || !read_codewords(work->rest.data, work->rest.size, points, work->odd))
        return 0;
    work->rest = (struct bytes){ work->rest.data + size, work->rest.size - size };
    return 1;
}

static int start_work(const struct network *network, struct piece *piece, struct room *room,
    struct work *work)
{
    int64_t done = 0;
    int is_lattice = 0;
    *work = (struct work){ piece, take_room(room, piece->weights, sizeof(int16_t)), piece->payload,
        0, NULL, NULL };
    for (int64_t i = 0; work->widths && i < piece->span_count; i++) {
        find_widths(network, &piece->spans[i], work->widths + done);
        done += piece->spans[i].stop - piece->spans[i].start;
        is_lattice |= network->tensor[piece->spans[i].tensor].is_lattice != 0;
    }
    work->points = is_lattice ? piece->weights / POINT : 0;
    /* tensors on the lattice share their slices with none, and are not as small */
    if (!work->widths || (is_lattice && !(piece->span_count == 1 || piece->is_folded)) || (is_lattice && !work->points))
        return 0;
    return !is_lattice || start_points(work, room);
}

/* --- points of the lattice ----------------------------------------------------------------- */

static int64_t shape_of(const struct network *network, const struct work *work, int64_t span)
{
    return network->tensor[work->piece->spans[span].tensor].shape;
}

/* The numbers of all weights but the last of each point. */
static int start_firsts(const struct network *network, struct work *work, struct round *round)
{
    int64_t firsts = (POINT - 1) * work->points, end = POINT * work->points;
    int64_t over = work->piece->weights - end, shape = shape_of(network, work, 0);
    uint16_t *rows = take_room(round->room, firsts + over, sizeof *rows);
    uint8_t *shifts = take_room(round->room, firsts + over, sizeof *shifts);
    if (!rows || !shifts)
        return 0;
    int64_t bits = find_level_rows(work->widths, firsts, FIRST_LESS, shape, rows, shifts);
    bits += find_level_rows(
        work->widths + end, over, FIRST_LESS, shape, rows + firsts, shifts + firsts);
    choose_first_rows(work->odd, work->points, rows);
    struct job *job = next_job(round, rows, firsts + over, work->piece->levels, 0);
    job->low.shift = bits ? shifts : NULL;
    return start_levels(job, work->rest, bits, firsts + over, round->room);
}

/* Those of the last ones, after what is over has gone to its place. */
static int start_lasts(const struct network *network, struct work *work, struct round *round)
{
    int64_t points = work->points, firsts = (POINT - 1) * points, end = POINT * points;
    int32_t *levels = work->piece->levels;
    uint16_t *rows = take_room(round->room, points, sizeof *rows);
    uint8_t *shifts = take_room(round->room, points, sizeof *shifts);
    if (!rows || !shifts)
        return 0;
    memmove(levels + end, levels + firsts, (size_t)(work->piece->weights - end) * sizeof *levels);
    int64_t bits = find_level_rows(
        work->widths + firsts, points, LAST_LESS, shape_of(network, work, 0), rows, shifts);
    choose_last_rows(work->odd, levels, points, work->rests, rows);
    struct job *job = next_job(round, rows, points, levels + firsts, 0);
    job->slice.lanes = lanes_for(LAST_LANES * points, 0);
    job->low.shift = bits ? shifts : NULL;
    return start_levels(job, work->rest, bits, points, round->room);
}

/* All weights of points that are predicted, in order. */
static int start_expected(const struct network *network, struct work *work,
    const struct terms *terms, struct round *round)
{
    const struct piece *piece = work->piece;
    int64_t count = piece->weights, shape = shape_of(network, work, 0);
    int64_t end = POINT * work->points, last = end - work->points;
    uint16_t *rows = take_room(round->room, count, sizeof *rows);
    uint8_t *shifts = take_room(round->room, count, sizeof *shifts);
    if (!rows || !shifts)
        return 0;
    int64_t bits = find_level_rows(work->widths, last, FIRST_LESS, shape, rows, shifts);
    bits += find_level_rows(
        work->widths + last, work->points, LAST_LESS, shape, rows + last, shifts + last);
    bits += find_level_rows(
        work->widths + end, count - end, FIRST_LESS, shape, rows + end, shifts + end);
    struct job *job = next_job(round, rows, count, piece->levels, nearest_of(terms));
    job->terms = *terms;
    job->is_predicted = 1;
    job->parities = (struct parities){ work->odd, work->rests, work->points };
    job->low.shift = bits ? shifts : NULL;
    memset(work->rests, 0, (size_t)work->points);
    work->points = 0; /* nothing is left to do */
    return start_levels(job, work->rest, bits, count, round->room);
}

static int start_any_points(const struct network *network, struct work *work, struct round *round)
{
    const struct piece *piece = work->piece;
    struct terms terms;
    if (!find_terms_of(network, piece, round->room, &terms))
        return 0;
    return terms.terms ? start_expected(network, work, &terms, round)
                       : start_firsts(network, work, round);
}

/* --- others -------------------------------------------------------------------------------- */

static int start_plain(const struct network *network, struct work *work, struct round *round)
{
    const struct piece *piece = work->piece;
    uint16_t *rows = take_room(round->room, piece->weights, sizeof *rows);
    uint8_t *shifts = take_room(round->room, piece->weights, sizeof *shifts);
    int64_t bits = 0, done = 0;
    struct terms terms;
    if (!rows || !shifts || !find_terms_of(network, piece, round->room, &terms))
        return 0;
    for (int64_t i = 0; i < piece->span_count; i++) {
        int64_t count = piece->spans[i].stop - piece->spans[i].start;
        bits += find_level_rows(work->widths + done, count, 0, shape_of(network, work, i),
            rows + done, shifts + done);
        done += count;
    }
    struct job *job = next_job(round, rows, piece->weights, piece->levels, nearest_of(&terms));
    job->terms = terms;
    job->is_predicted = terms.terms > 0;
    job->low.shift = bits ? shifts : NULL;
    return start_levels(job, work->rest, bits, piece->weights, round->room);
}

/* --- rounds -------------------------------------------------------------------------------- */

/* Decode a round; `which` are the slices of its streams. False where one is damaged. */
static int decode_round(const struct level_slots *slots, struct round *round, struct work *works,
    int64_t count, int is_lattice)
{
    decode_jobs(slots, round->jobs, round->count);
    for (int64_t i = 0, at = 0; i < count; i++) {
        if (is_lattice && !works[i].points)
            continue;
        const struct job *job = &round->jobs[at++];
        if (job->taken < 0)
            return 0;
        works[i].rest = (struct bytes){ job->data + job->taken, job->size - job->taken };
    }
    return 1;
}

static int decode_firsts(const struct network *network, const struct level_slots *slots,
    struct work *works, int64_t count, struct room *room)
{
    struct round round;
    if (!start_round(&round, room, count))
        return 0;
    for (int64_t i = 0; i < count; i++) {
        int is_started = works[i].points ? start_any_points(network, &works[i], &round)
                                         : start_plain(network, &works[i], &round);
        if (!is_started)
            return 0;
    }
    return decode_round(slots, &round, works, count, 0);
}

static int decode_lasts(const struct network *network, const struct level_slots *slots,
    struct work *works, int64_t count, struct room *room)
{
    struct round round;
    if (!start_round(&round, room, count))
        return 0;
    for (int64_t i = 0; i < count; i++)
        if (works[i].points && !start_lasts(network, &works[i], &round))
            return 0;
    if (!decode_round(slots, &round, works, count, 1))
        return 0;
    for (int64_t i = 0; i < count; i++)
        if (works[i].points
            && !join_points(works[i].piece->levels, works[i].piece->weights, works[i].odd,
                works[i].rests))
            return 0;
    return 1;
}

int decode_levels_of(const struct network *network, const struct level_slots *slots,
    struct piece *pieces, int64_t count, struct room room)
{
    struct work *works = take_room(&room, count, sizeof *works);
    if (!works)
        return 0;
    for (int64_t i = 0; i < count; i++)
        if (!start_work(network, &pieces[i], &room, &works[i]))
            return 0;
    if (!decode_firsts(network, slots, works, count, &room)
        || !decode_lasts(network, slots, works, count, &room))
        return 0;
    for (int64_t i = 0; i < count; i++)
        if (works[i].rest.size)
            return 0; /* bytes after the end */
    return 1;
}
