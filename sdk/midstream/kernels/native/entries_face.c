/* The Python face of entries.c: parses arguments, checks their sizes, releases the GIL. */
#include "faces.h"

#include "buffers.h"
#include "entries.h"

PyObject *read_entries(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[4];
    long long start, stop = -1;
    if (!PyArg_ParseTuple(args, "y*Ly*y*w*", &b[0], &start, &b[1], &b[2], &b[3]))
        return NULL;
    struct layout layout = { b[1].buf, b[2].buf, b[1].len };
    int64_t columns = entry_columns(&layout);
    Py_ssize_t numbers = items(&b[3], 8);
    int fits = numbers >= 0 && has_items(&b[2], 8, layout.count)
        && (columns > 0 || refuse("a field that is unknown, or too many"))
        && (numbers % columns == 0 || refuse("not so many numbers for each entry"))
        && ((start >= 0 && start <= b[0].len) || refuse("a start beyond the data"));
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        stop = read_rows(b[0].buf, b[0].len, start, &layout, numbers / columns, b[3].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 4);
    return fits ? PyLong_FromLongLong(stop) : NULL;
}
