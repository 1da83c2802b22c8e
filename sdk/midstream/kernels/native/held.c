#include "held.h"

#include "holes.h"
#include "rows.h"

#define DIGITS_OF_TABLE 4

enum { LEVEL_SLOTS, DIGIT_STARTS, POINT_STARTS, CODEWORDS, FREQUENCIES, SIZES };

void let_go(struct held *held)
{
    for (Py_ssize_t i = 0; i < held->held; i++)
        PyBuffer_Release(&held->buffer[i]);
    PyMem_Free(held->buffer);
    PyMem_Free(held->bytes);
}

int hold(PyObject *list, struct held *held)
{
    Py_ssize_t count = PyList_Size(list);
    if (count < 0)
        return 0;
    *held = (struct held){ PyMem_Calloc((size_t)count, sizeof(Py_buffer)),
        PyMem_Calloc((size_t)count, sizeof(struct bytes)), count, 0 };
    if (!held->buffer || !held->bytes)
        return PyErr_NoMemory() != NULL;
    for (; held->held < count; held->held++) {
        Py_buffer *buffer = &held->buffer[held->held];
        if (PyObject_GetBuffer(PyList_GetItem(list, held->held), buffer, PyBUF_SIMPLE))
            return 0;
        held->bytes[held->held] = (struct bytes){ buffer->buf, buffer->len };
    }
    return 1;
}

int slots_fit(const Py_buffer *buffer, int64_t next_phase, struct level_slots *slots)
{
    Py_ssize_t count = items(buffer, 4);
    *slots = (struct level_slots){ buffer->buf, count >> LEVEL_SLOT_BITS, next_phase,
        widest_levels() };
    return count >= 0;
}

int tables_fit(const Py_buffer *b, struct stack *stack)
{
    stack->digit_starts = b[DIGIT_STARTS].buf;
    stack->digit_tables = b[DIGIT_STARTS].len / (2 * DIGITS_OF_TABLE);
    stack->point_starts = b[POINT_STARTS].buf;
    stack->point_tables = b[POINT_STARTS].len / (2 * DIGITS_OF_TABLE);
    stack->codewords = b[CODEWORDS].buf;
    stack->frequencies = b[FREQUENCIES].buf;
    stack->value_tables = b[FREQUENCIES].len / (2 * FLOAT_SYMBOLS);
    stack->sizes = b[SIZES].buf;
    return slots_fit(&b[LEVEL_SLOTS], NEXT_PHASE, &stack->levels)
        && items(&b[DIGIT_STARTS], 2) >= 0 && items(&b[POINT_STARTS], 2) >= 0
        && has_items(&b[CODEWORDS], 2, CODEWORD_SHARES * COSET_KINDS * DISTANCES)
        && items(&b[FREQUENCIES], 2) >= 0
        && has_items(&b[SIZES], 8, STEP_SIZES);
}
