#include "payloads.h"

#include <string.h>

#include "bits.h"
#include "rows.h"

#define MAX_CODED (UINT64_C(1) << 32)

/* So many numbers of either sign; gives the bytes that they took, or -1. */
static int64_t read_signed(struct bytes bytes, int64_t count, int64_t *values)
{
    int64_t size = read_leb128(bytes.data, bytes.size, count, (uint64_t *)values);
    uint64_t most = 0;
    for (int64_t i = 0; size >= 0 && i < count; i++) {
        uint64_t coded = (uint64_t)values[i];
        most = coded > most ? coded : most;
        values[i] = coded & 1 ? -1 - (int64_t)(coded >> 1) : (int64_t)(coded >> 1);
    }
    return most > MAX_CODED ? -1 : size;
}

static struct bytes after(struct bytes bytes, int64_t size)
{
    return (struct bytes){ bytes.data + size, bytes.size - size };
}

void set_job(
    struct job *job, const uint16_t *rows, int64_t count, int32_t *levels, int64_t nearest)
{
    memset(job, 0, sizeof *job);
    job->slice.lanes = lanes_for(count, nearest);
    job->slice.count = count;
    job->slice.rows = rows;
    job->slice.levels = levels;
    job->whole = (struct run){ 0, count, count, 0 };
    job->terms = (struct terms){ .run = &job->whole, .runs = 1 };
}

int start_levels(struct job *job, struct bytes payload, int64_t low_bits, int64_t weights,
    struct room *room)
{
    int64_t low = (low_bits + 7) / 8, size;
    uint64_t escapes;
    if (low > payload.size)
        return 0;
    job->low.data = payload.data;
    job->low.size = low;
    payload = after(payload, low);
    size = read_leb128(payload.data, payload.size, 1, &escapes);
    if (size < 0 || escapes > (uint64_t)weights)
        return 0;
    payload = after(payload, size);
    int64_t *values = take_room(room, (int64_t)escapes, sizeof *values);
    size = values ? read_signed(payload, (int64_t)escapes, values) : -1;
    if (size < 0)
        return 0;
    job->escapes = (struct escapes){ values, (int64_t)escapes, 0 };
    payload = after(payload, size);
    job->data = payload.data;
    job->size = payload.size;
    return 1;
}
