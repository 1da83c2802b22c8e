/* What the faces of whole stacks share: bytes that are held while they are read, and tables. */
#ifndef MIDSTREAM_HELD_H
#define MIDSTREAM_HELD_H

#include "buffers.h"
#include "stacks.h"

/* Buffers of a list. */
struct held {
    Py_buffer *buffer;
    struct bytes *bytes;
    Py_ssize_t count, held;
};

/* Hold all of them. False and an error where one is none; let go in any case. */
int hold(PyObject *list, struct held *held);
void let_go(struct held *held);

/* Tables of levels. False and an error where they are no 32-bit numbers. */
int slots_fit(const Py_buffer *buffer, int64_t next_phase, struct level_slots *slots);

/* Slots of levels, starts of digits and of refined points, frequencies of codewords
 * and of values, sizes of steps. */
#define TABLE_BUFFERS 6

/* Give them to a stack. False and an error where they are not of their sizes. */
int tables_fit(const Py_buffer *buffers, struct stack *stack);

#endif
