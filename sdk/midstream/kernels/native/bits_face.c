/* The Python face of bits.c: parses arguments, checks their sizes, releases the GIL. */
#include "faces.h"

#include "bits.h"
#include "buffers.h"

/* --- bit fields ---------------------------------------------------------------------- */

/* Bytes of the fields; -1 and an error where there are not as many values or one is too wide. */
static int64_t field_bytes(const Py_buffer *values, const Py_buffer *widths)
{
    Py_ssize_t count = items(widths, 8);
    if (count < 0 || !has_items(values, 8, count))
        return -1;
    int64_t bits = total_bits(widths->buf, count);
    if (bits < 0)
        refuse("a field is wider than 57 bits");
    return bits < 0 ? -1 : (bits + 7) / 8;
}

PyObject *pack_bits(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*y*", &b[0], &b[1]))
        return NULL;
    int64_t size = field_bytes(&b[0], &b[1]);
    if (size >= 0)
        result = PyBytes_FromStringAndSize(NULL, size);
    if (result) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(result);
        Py_BEGIN_ALLOW_THREADS
        pack_fields(b[0].buf, b[1].buf, b[1].len / 8, out);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return result;
}

PyObject *unpack_bits(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[3];
    if (!PyArg_ParseTuple(args, "y*y*w*", &b[0], &b[1], &b[2]))
        return NULL;
    int64_t size = field_bytes(&b[2], &b[1]);
    int fits = size >= 0 && size <= b[0].len;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        unpack_fields(b[0].buf, b[1].buf, b[1].len / 8, b[2].buf);
        Py_END_ALLOW_THREADS
    } else if (size >= 0) {
        refuse("fields end early");
    }
    release(b, 3);
    return fits ? Py_NewRef(Py_None) : NULL;
}

/* --- varints ------------------------------------------------------------------------- */

PyObject *write_varints(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    int64_t size = -1;
    if (!PyArg_ParseTuple(args, "y*w*", &b[0], &b[1]))
        return NULL;
    Py_ssize_t count = items(&b[0], 8);
    if (count >= 0 && has_items(&b[1], 1, count * VARINT_BYTES)) {
        Py_BEGIN_ALLOW_THREADS
        size = write_leb128(b[0].buf, count, b[1].buf);
        Py_END_ALLOW_THREADS
        if (size < 0)
            refuse("a varint of more than 35 bits");
    }
    release(b, 2);
    return size < 0 ? NULL : PyLong_FromLongLong(size);
}

PyObject *read_varints(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer b[2];
    int64_t size = -1;
    if (!PyArg_ParseTuple(args, "y*w*", &b[0], &b[1]))
        return NULL;
    Py_ssize_t count = items(&b[1], 8);
    if (count >= 0) {
        Py_BEGIN_ALLOW_THREADS
        size = read_leb128(b[0].buf, b[0].len, count, b[1].buf);
        Py_END_ALLOW_THREADS
    }
    release(b, 2);
    return count < 0 ? NULL : PyLong_FromLongLong(size);
}
