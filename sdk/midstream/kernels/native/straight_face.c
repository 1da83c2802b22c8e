/* The Python face of straight.c: parses arguments, checks their sizes, releases the GIL. */
#include "faces.h"
#include "held.h"
#include "rows.h"
#include "straight.h"

#define BOUNDS (sizeof(struct bounds) / sizeof(int64_t))
#define OUTLINE (sizeof(struct outline) / sizeof(int64_t))
#define MOST_MODEL ((int64_t)1 << 37) /* so that products of weights are in range */

static int bounds_fit(const Py_buffer *buffer, struct bounds *bounds)
{
    if (!has_items(buffer, 8, BOUNDS))
        return 0;
    *bounds = *(const struct bounds *)buffer->buf;
    return (bounds->slice_weights > 1 && bounds->model_size <= MOST_MODEL && bounds->tensors <= INT32_MAX)
        || refuse("bounds that are out of their range");
}

PyObject *outline_base(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    struct bounds bounds;
    int found = 0;
    if (!PyArg_ParseTuple(args, "y*y*w*", &b[0], &b[1], &b[2]))
        return NULL;
    int fits = bounds_fit(&b[1], &bounds) && has_items(&b[2], 8, OUTLINE);
    if (fits)
        found = read_outline((struct bytes){ b[0].buf, b[0].len }, &bounds, b[2].buf);
    release(b, 3);
    return fits ? PyBool_FromLong(found) : NULL;
}

/* --- what is left to others -------------------------------------------------------------- */

/* Add what was made, and give it up. */
static int append(PyObject *list, PyObject *item)
{
    int is_added = item && !PyList_Append(list, item);
    Py_XDECREF(item);
    return is_added;
}

static PyObject *holes_of(const struct stack *stack, const struct entry *entry)
{
    PyObject *holes = PyList_New(0);
    int is_good = holes != NULL;
    for (int64_t i = 0; is_good && i < entry->spans; i++) {
        const struct span *span = &stack->span[entry->first_span + i];
        const struct tensor *tensor = &stack->network.tensor[span->tensor];
        int bits = bits_of(tensor->type);
        is_good = append(holes, Py_BuildValue("LL", (long long)(tensor->offset + span->start * bits / 8),
            (long long)(span->stop - span->start)));
    }
    if (!is_good)
        Py_CLEAR(holes);
    return holes;
}

/* Payloads of raw slices, their data types, where their weights go, and how many. */
static int add_raws(const struct stack *stack, PyObject *raws)
{
    for (int64_t i = 0; i < stack->entries; i++) {
        const struct entry *entry = &stack->entry[i];
        int64_t last = entry->first_record + entry->records - 1;
        if (stack->operation[last] != RAW)
            continue;
        PyObject *holes = holes_of(stack, entry);
        const struct bytes *payload = &stack->payload[last];
        int64_t type = stack->network.tensor[stack->span[entry->first_span].tensor].type;
        if (!holes || !append(raws, Py_BuildValue("y#LN", payload->data, (Py_ssize_t)payload->size,
                          (long long)type, holes)))
            return 0;
    }
    return 1;
}

/* Where the bytes of tied tensors are, where they go, and how many. */
static int add_ties(const struct parsed *parsed, PyObject *ties)
{
    for (int64_t i = 0; i < parsed->count; i++) {
        const struct tensor *tensor = &parsed->tensor[i];
        if (parsed->same_as[i] == NO_TENSOR)
            continue;
        int64_t from = parsed->tensor[parsed->same_as[i]].offset;
        if (!append(ties, Py_BuildValue("LLL", (long long)from, (long long)tensor->offset,
                (long long)((tensor->weights * bits_of(tensor->type) + 7) / 8))))
            return 0;
    }
    return 1;
}

static PyObject *left_over(const struct stack *stack, const struct parsed *parsed)
{
    PyObject *raws = PyList_New(0), *ties = PyList_New(0);
    if (raws && ties && add_raws(stack, raws) && add_ties(parsed, ties))
        return Py_BuildValue("NN", raws, ties);
    Py_XDECREF(raws);
    Py_XDECREF(ties);
    return NULL;
}

/* --- the call ---------------------------------------------------------------------------- */

enum { LIMITS, CONTENT, FLAGS, TABLES, MODEL = TABLES + TABLE_BUFFERS, BUFFERS };

static int source_fits(const Py_buffer *b, const struct held *units, struct source *source)
{
    *source = (struct source){ .units = units->bytes, .count = units->count,
        .content = { b[CONTENT].buf, b[CONTENT].len }, .flags = { b[FLAGS].buf, b[FLAGS].len } };
    return bounds_fit(&b[LIMITS], &source->bounds)
        && ((units->count && read_outline(units->bytes[0], &source->bounds, &source->outline)
                && source->outline.model_size == b[MODEL].len)
            || refuse("no base of a model of that size"));
}

static int read_all(const struct source *source, const struct stack *stack, struct straight *straight)
{
    int is_read;
    Py_BEGIN_ALLOW_THREADS
    is_read = read_straight(source, stack, straight);
    Py_END_ALLOW_THREADS
    return is_read;
}

/* Memory comes from Python, so that it is counted with all other. */
static int decode_all(const struct source *source, struct stack *stack, uint8_t *model,
    const struct straight *straight)
{
    size_t size = (size_t)room_for(straight);
    uint8_t *memory = PyMem_Malloc(size);
    int done = 0;
    if (memory) {
        Py_BEGIN_ALLOW_THREADS
        done = decode_straight(
            source, stack, model, straight, (struct room){ memory, memory + size });
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(memory);
    return done;
}

PyObject *decode_units(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    PyObject *list, *found = NULL;
    struct held units = { 0 };
    struct source source;
    struct stack stack = { 0 };
    struct straight straight = { 0 };
    int done = 0;
    if (!PyArg_ParseTuple(args, "O!y*y*y*y*y*y*y*y*y*w*", &PyList_Type, &list, &b[LIMITS],
            &b[CONTENT], &b[FLAGS], &b[TABLES], &b[TABLES + 1], &b[TABLES + 2], &b[TABLES + 3],
            &b[TABLES + 4], &b[TABLES + 5], &b[MODEL]))
        return NULL;
    int fits = hold(list, &units) && source_fits(b, &units, &source) && tables_fit(&b[TABLES], &stack)
        && (stack.levels.rows >= LEVEL_TABLES || refuse("tables are missing"));
    if (fits && read_all(&source, &stack, &straight))
        done = decode_all(&source, &stack, b[MODEL].buf, &straight);
    if (fits)
        found = done ? left_over(&stack, &straight.parsed) : Py_BuildValue("");
    free_straight(&straight);
    let_go(&units);
    release(b, BUFFERS);
    return found;
}
