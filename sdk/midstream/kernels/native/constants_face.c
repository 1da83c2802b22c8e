/* The Python face of constants.c: parses arguments, releases the GIL. */
#include "constants.h"

#include <stdlib.h>

#include "buffers.h"
#include "faces.h"

PyObject *find_constants_of(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer model;
    long long model_size, tensors, dimensions;
    unsigned long long types;
    if (!PyArg_ParseTuple(args, "y*LLLK", &model, &model_size, &tensors, &dimensions, &types))
        return NULL;
    PyObject *rows = NULL;
    if (dimensions < 0 || dimensions > CONSTANT_AXES || tensors < 0 || model_size < 0)
        refuse("bounds that there is no room for");
    else {
        struct constant_bounds bounds = { model_size, tensors, dimensions, types };
        struct constants found = { 0 };
        int is_good;
        Py_BEGIN_ALLOW_THREADS
        is_good = find_constants(open_flatbuffer(model.buf, model.len), &bounds, &found);
        Py_END_ALLOW_THREADS
        Py_ssize_t size = (Py_ssize_t)sizeof *found.constant * (Py_ssize_t)found.count;
        rows = is_good ? PyBytes_FromStringAndSize((const char *)found.constant, size)
                       : Py_NewRef(Py_None);
        free(found.constant);
    }
    PyBuffer_Release(&model);
    return rows;
}
