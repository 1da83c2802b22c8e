/* Memory for a whole model file. Knows nothing of what is written into it. */
#ifndef MIDSTREAM_BLANK_H
#define MIDSTREAM_BLANK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A bytearray of so many zeros. */
PyObject *blank(PyObject *module, PyObject *size);

#endif
