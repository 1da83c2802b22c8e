/* The Python face of lists.c: parses arguments, checks their sizes, releases the GIL. */
#include "buffers.h"
#include "faces.h"
#include "held.h"
#include "lists.h"
#include "rows.h"

enum { DATA, WIDTHS, SIZES, SLOTS_OF_LEVELS, MEMORY, OUT, BUFFERS };

/* Whether the integers of all lists are as many as there is place for. */
static int sizes_fit(const struct lists *lists)
{
    int64_t left = lists->items;
    for (int64_t i = 0; i < lists->count; i++) {
        if (lists->size[i] < 0 || lists->size[i] > left)
            return refuse("a list of less than nothing, or too long");
        left -= lists->size[i];
    }
    return !left || refuse("lists are too short");
}

static int lists_fit(const Py_buffer *b, struct lists *lists)
{
    *lists = (struct lists){ b[WIDTHS].buf, b[SIZES].buf, items(&b[SIZES], 8), items(&b[OUT], 4) };
    return lists->count >= 0 && lists->items >= 0 && has_items(&b[WIDTHS], 1, lists->count)
        && (lists->items || refuse("no integers")) && sizes_fit(lists);
}

static int are_all_there(const Py_buffer *buffer, struct level_slots *slots)
{
    return slots_fit(buffer, NEXT_PHASE, slots)
        && (slots->rows >= LEVEL_TABLES || refuse("tables are missing"));
}

PyObject *decode_lists(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    struct lists lists;
    struct level_slots slots;
    int64_t taken = -1;
    if (!PyArg_ParseTuple(args, "y*y*y*y*w*w*", &b[DATA], &b[WIDTHS], &b[SIZES],
            &b[SLOTS_OF_LEVELS], &b[MEMORY], &b[OUT]))
        return NULL;
    int fits = lists_fit(b, &lists) && are_all_there(&b[SLOTS_OF_LEVELS], &slots) && items(&b[MEMORY], 8) >= 0;
    if (fits) {
        struct room room = { b[MEMORY].buf, (uint8_t *)b[MEMORY].buf + b[MEMORY].len };
        Py_BEGIN_ALLOW_THREADS
        taken = decode_lists_of(&slots, &lists, b[DATA].buf, b[DATA].len, room, b[OUT].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, BUFFERS);
    return fits ? PyLong_FromLongLong(taken) : NULL;
}
