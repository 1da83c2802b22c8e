/* The Python face of finding.c: parses arguments, releases the GIL. */
#include "finding.h"

#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "faces.h"

/* Whether there is memory; the listing is empty where the file is laid out otherwise. */
static int list(struct finding *finding, struct listing *out)
{
    int has_room = reserve_finding(finding);
    if (has_room && find_things(finding) && line_up(finding))
        write_listing(finding, out);
    free_finding(finding);
    return has_room && !out->is_full;
}

static PyObject *list_of(struct finding *finding)
{
    struct listing out = { 0 };
    int has_room;
    PyObject *found;
    Py_BEGIN_ALLOW_THREADS
    has_room = list(finding, &out);
    Py_END_ALLOW_THREADS
    if (!has_room)
        found = PyErr_NoMemory();
    else if (!out.size)
        found = Py_NewRef(Py_None);
    else
        found = PyBytes_FromStringAndSize((const char *)out.data, (Py_ssize_t)out.size);
    free(out.data);
    return found;
}

PyObject *list_objects(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    struct columns columns;
    PyObject *found = NULL;
    if (!PyArg_ParseTuple(args, "y*y*y*", &b[0], &b[1], &b[2]))
        return NULL;
    Py_ssize_t kinds = b[1].len / (Py_ssize_t)sizeof(struct kind), holes = items(&b[2], 8) / 2;
    if (holes >= 0 && has_items(&b[2], 8, 2 * holes)
        && (b[0].len >= HEADER_BYTES || refuse("a file that is too short"))
        && (set_kinds(&columns, b[1].buf, kinds) || refuse("kinds that do not form a tree"))) {
        struct finding finding = { .data = b[0].buf,
            .size = b[0].len,
            .kinds = &columns,
            .hole = b[2].buf,
            .holes = holes };
        found = list_of(&finding);
    }
    release(b, 3);
    return found;
}
