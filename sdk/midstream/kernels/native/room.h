/* Memory that is given out piece by piece and taken back all at once. Knows nothing of its use. */
#ifndef MIDSTREAM_ROOM_H
#define MIDSTREAM_ROOM_H

#include <stddef.h>
#include <stdint.h>

/* Pieces start at multiples of this, and may be read so far beyond their end. */
#define ROOM_STEP 64

struct room {
    uint8_t *next, *end;
};

/* So many items; NULL where there is no room for them. */
static inline void *take_room(struct room *room, int64_t count, size_t size)
{
    int64_t left = room->end - room->next, wanted = count * (int64_t)size + ROOM_STEP;
    wanted += -wanted & (ROOM_STEP - 1);
    if (count < 0 || wanted > left)
        return NULL;
    uint8_t *piece = room->next;
    room->next += wanted;
    return piece;
}

#endif
