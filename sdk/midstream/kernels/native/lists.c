#include "lists.h"

#include "payloads.h"
#include "rows.h"

static void put_widths(const struct lists *lists, int16_t *widths)
{
    for (int64_t i = 0; i < lists->count; i++)
        for (int64_t k = 0; k < lists->size[i]; k++)
            *widths++ = lists->width[i];
}

int64_t decode_lists_of(const struct level_slots *slots, const struct lists *lists,
    const uint8_t *data, int64_t size, struct room room, int32_t *out)
{
    struct job *job = take_room(&room, 1, sizeof *job);
    int16_t *widths = take_room(&room, lists->items, sizeof *widths);
    uint16_t *rows = take_room(&room, lists->items, sizeof *rows);
    uint8_t *shifts = take_room(&room, lists->items, sizeof *shifts);
    if (!job || !widths || !rows || !shifts)
        return -1;
    put_widths(lists, widths);
    int64_t bits = find_level_rows(widths, lists->items, 0, 0, rows, shifts);
    set_job(job, rows, lists->items, out, 0);
    job->low.shift = bits ? shifts : NULL;
    if (!start_levels(job, (struct bytes){ data, size }, bits, lists->items, &room))
        return -1;
    decode_jobs(slots, job, 1);
    return job->taken < 0 ? -1 : job->data - data + job->taken;
}
