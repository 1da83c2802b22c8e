/* The Python face of stacks.c: parses arguments, checks their sizes, releases the GIL. */
#include "buffers.h"
#include "faces.h"
#include "held.h"
#include "stacks.h"

enum { TENSORS, VECTOR_ITEMS, SPANS, ENTRIES, OPERATIONS, GROUPS, TABLES,
    MEMORY = TABLES + TABLE_BUFFERS, MODEL, BUFFERS };

static int rows_fit(const Py_buffer *buffer, size_t fields, int64_t *rows)
{
    Py_ssize_t count = items(buffer, 8);
    *rows = count / (int64_t)fields;
    if (count >= 0 && count % (Py_ssize_t)fields)
        return refuse("a table whose last row is not whole");
    return count >= 0;
}

static int stack_fits(const Py_buffer *b, const struct held *payloads, struct stack *stack)
{
    int64_t operations;
    *stack = (struct stack){ .network = { b[TENSORS].buf, 0, b[VECTOR_ITEMS].buf, b[VECTOR_ITEMS].len },
        .span = b[SPANS].buf, .entry = b[ENTRIES].buf,
        .operation = b[OPERATIONS].buf, .payload = payloads->bytes, .records = payloads->count,
        .group = b[GROUPS].buf, .model = b[MODEL].buf, .model_size = b[MODEL].len };
    return rows_fit(&b[TENSORS], sizeof(struct tensor) / 8, &stack->network.tensors)
        && rows_fit(&b[SPANS], sizeof(struct span) / 8, &stack->spans)
        && rows_fit(&b[ENTRIES], sizeof(struct entry) / 8, &stack->entries)
        && rows_fit(&b[GROUPS], 1, &stack->groups) && rows_fit(&b[OPERATIONS], 1, &operations)
        && has_items(&b[OPERATIONS], 8, payloads->count) && tables_fit(&b[TABLES], stack)
        && items(&b[MEMORY], 8) >= 0
        && (is_stack(stack) || refuse("tensors, slices or records that there are not"));
}

PyObject *decode_stacked(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    PyObject *list;
    struct held payloads = { 0 };
    struct stack stack;
    int done = 0;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*O!y*y*y*y*y*y*y*w*w*", &b[TENSORS], &b[VECTOR_ITEMS],
            &b[SPANS], &b[ENTRIES], &b[OPERATIONS], &PyList_Type, &list, &b[GROUPS], &b[TABLES],
            &b[TABLES + 1], &b[TABLES + 2], &b[TABLES + 3], &b[TABLES + 4], &b[TABLES + 5],
            &b[MEMORY], &b[MODEL]))
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
