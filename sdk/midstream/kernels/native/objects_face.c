/* The Python face of objects.c: parses arguments, checks their sizes, releases the GIL. */
#include "buffers.h"
#include "faces.h"
#include "objects.h"

#define MOST_OUT ((Py_ssize_t)1 << 30) /* so that places in it are small numbers */

#define MOST_MODEL ((long long)1 << 37) /* so that products of weights are in range */

enum { COLUMNS, TABLE, HOLES, OUT, BUFFERS };

/* Whether holes are one after the other in a file, and leave as many bytes as there is room. */
static int is_between(const struct between *between, int64_t size)
{
    int64_t end = 0, left = between->model_size;
    for (int64_t i = 0; i < between->holes; i++) {
        const struct hole *hole = &between->hole[i];
        if (hole->start < end || hole->size < 0 || hole->size > between->model_size - hole->start)
            return 0;
        end = hole->start + hole->size;
        left -= hole->size;
    }
    return left == size;
}

/* Memory comes from Python, so that it is counted with all other. */
static int restore(struct input in, struct columns *columns, const struct between *between)
{
    int64_t size = room_for_columns(in);
    uint8_t *memory = size ? PyMem_Malloc((size_t)size) : NULL;
    int done = 0;
    if (memory) {
        Py_BEGIN_ALLOW_THREADS
        done = read_columns(in, (struct room){ memory, memory + size }, columns)
            && write_objects(columns, between);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(memory);
    return done;
}

PyObject *read_holes(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    long long model_size;
    if (!PyArg_ParseTuple(args, "y*w*L", &b[0], &b[1], &model_size))
        return NULL;
    struct input in = { b[0].buf, b[0].len, 0 };
    Py_ssize_t count = items(&b[1], 8) / 2;
    int fits = count >= 0 && has_items(&b[1], 8, 2 * count)
        && ((model_size >= 0 && model_size <= MOST_MODEL) || refuse("a model that is too large"));
    int done = fits && read_holes_of(&in, count, model_size, b[1].buf);
    release(b, 2);
    return fits ? PyLong_FromLongLong(done ? in.place : -1) : NULL;
}

PyObject *restore_objects(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[BUFFERS];
    long long model_size;
    int done = 0;
    if (!PyArg_ParseTuple(args, "y*y*y*w*L", &b[COLUMNS], &b[TABLE], &b[HOLES], &b[OUT], &model_size))
        return NULL;
    Py_ssize_t kinds = b[TABLE].len / (Py_ssize_t)sizeof(struct kind);
    Py_ssize_t holes = items(&b[HOLES], 8) / 2;
    struct columns columns;
    int fits = holes >= 0 && has_items(&b[HOLES], 8, 2 * holes)
        && (set_kinds(&columns, b[TABLE].buf, kinds) || refuse("kinds that do not form a tree"));
    if (fits) {
        struct between between = { b[HOLES].buf, holes, model_size, b[OUT].buf };
        struct input in = { b[COLUMNS].buf, b[COLUMNS].len, 0 };
        done = b[OUT].len <= MOST_OUT && is_between(&between, b[OUT].len)
            && restore(in, &columns, &between);
    }
    release(b, BUFFERS);
    return fits ? PyBool_FromLong(done) : NULL;
}
