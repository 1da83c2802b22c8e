/* The Python face of stacks.c: parses arguments, checks their sizes, releases the GIL. */
#include "buffers.h"
#include "faces.h"
#include "holes.h"
#include "rows.h"
#include "stacks.h"

enum { TENSORS, VECTOR_ITEMS, SPANS, ENTRIES, OPERATIONS, GROUPS, LEVEL_NAMES, LEVEL_ENTRIES,
    DIGIT_STARTS, FREQUENCIES, SIZES, MEMORY, MODEL, BUFFERS };

#define DIGITS_OF_TABLE 4

/* The payloads of records, held while they are read. */
struct payloads {
    Py_buffer *buffer;
    struct bytes *bytes;
    Py_ssize_t count, held;
};

static void let_go(struct payloads *payloads)
{
    for (Py_ssize_t i = 0; i < payloads->held; i++)
        PyBuffer_Release(&payloads->buffer[i]);
    PyMem_Free(payloads->buffer);
    PyMem_Free(payloads->bytes);
}

static int hold(PyObject *list, struct payloads *payloads)
{
    Py_ssize_t count = PyList_Size(list);
    if (count < 0)
        return 0;
    *payloads = (struct payloads){ PyMem_Calloc((size_t)count, sizeof(Py_buffer)),
        PyMem_Calloc((size_t)count, sizeof(struct bytes)), count, 0 };
    if (!payloads->buffer || !payloads->bytes)
        return PyErr_NoMemory() != NULL;
    for (; payloads->held < count; payloads->held++) {
        Py_buffer *buffer = &payloads->buffer[payloads->held];
        if (PyObject_GetBuffer(PyList_GetItem(list, payloads->held), buffer, PyBUF_SIMPLE))
            return 0;
        payloads->bytes[payloads->held] = (struct bytes){ buffer->buf, buffer->len };
    }
    return 1;
}

static int slots_fit(const Py_buffer *names, const Py_buffer *entries, int64_t next_phase,
    struct level_slots *slots)
{
    Py_ssize_t count = items(entries, 4);
    *slots = (struct level_slots){ names->buf, entries->buf, count >> SYMBOL_BITS,
        next_phase };
    return count >= 0 && has_items(names, 1, (slots->rows << TOTAL_BITS) + NAMES_PADDING);
}

static int rows_fit(const Py_buffer *buffer, size_t fields, int64_t *rows)
{
    Py_ssize_t count = items(buffer, 8);
    *rows = count / (int64_t)fields;
    if (count >= 0 && count % (Py_ssize_t)fields)
        return refuse("a table whose last row is not whole");
    return count >= 0;
}

static int stack_fits(const Py_buffer *b, const struct payloads *payloads, struct stack *stack)
{
    int64_t operations;
    *stack = (struct stack){ .network = { b[TENSORS].buf, 0, b[VECTOR_ITEMS].buf, b[VECTOR_ITEMS].len },
        .digit_starts = b[DIGIT_STARTS].buf, .digit_tables = b[DIGIT_STARTS].len / (2 * DIGITS_OF_TABLE),
        .frequencies = b[FREQUENCIES].buf, .value_tables = b[FREQUENCIES].len / (2 * FLOAT_SYMBOLS),
        .sizes = b[SIZES].buf, .span = b[SPANS].buf, .entry = b[ENTRIES].buf,
        .operation = b[OPERATIONS].buf, .payload = payloads->bytes, .records = payloads->count,
        .group = b[GROUPS].buf, .model = b[MODEL].buf, .model_size = b[MODEL].len };
    return rows_fit(&b[TENSORS], sizeof(struct tensor) / 8, &stack->network.tensors)
        && rows_fit(&b[SPANS], sizeof(struct span) / 8, &stack->spans)
        && rows_fit(&b[ENTRIES], sizeof(struct entry) / 8, &stack->entries)
        && rows_fit(&b[GROUPS], 1, &stack->groups) && rows_fit(&b[OPERATIONS], 1, &operations)
        && has_items(&b[OPERATIONS], 8, payloads->count) && has_items(&b[SIZES], 8, STEP_SIZES)
        && slots_fit(&b[LEVEL_NAMES], &b[LEVEL_ENTRIES], NEXT_PHASE, &stack->levels)
        && items(&b[MEMORY], 8) >= 0 && items(&b[DIGIT_STARTS], 2) >= 0
        && items(&b[FREQUENCIES], 2) >= 0
        && (is_stack(stack) || refuse("tensors, slices or records that there are not"));
}

PyObject *decode_stacked(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    PyObject *list;
    struct payloads payloads = { 0 };
    struct stack stack;
    int done = 0;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*O!y*y*y*y*y*y*w*w*", &b[TENSORS], &b[VECTOR_ITEMS],
            &b[SPANS], &b[ENTRIES], &b[OPERATIONS], &PyList_Type, &list, &b[GROUPS], &b[LEVEL_NAMES],
            &b[LEVEL_ENTRIES], &b[DIGIT_STARTS],
            &b[FREQUENCIES], &b[SIZES], &b[MEMORY], &b[MODEL]))
        return NULL;
    int fits = hold(list, &payloads) && stack_fits(b, &payloads, &stack);
    if (fits) {
        struct room room = { b[MEMORY].buf, (uint8_t *)b[MEMORY].buf + b[MEMORY].len };
        Py_BEGIN_ALLOW_THREADS
        done = decode_stack(&stack, room);
        Py_END_ALLOW_THREADS
    }
    let_go(&payloads);
    release(b, BUFFERS);
    return fits ? PyBool_FromLong(done) : NULL;
}
