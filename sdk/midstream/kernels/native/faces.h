/* Python faces that stand in files of their own. */
#ifndef MIDSTREAM_FACES_H
#define MIDSTREAM_FACES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *table_rows(PyObject *module, PyObject *args);
PyObject *combine_rows(PyObject *module, PyObject *args);
PyObject *decode_digits(PyObject *module, PyObject *args);
PyObject *decode_levels(PyObject *module, PyObject *args);
PyObject *fold_widths(PyObject *module, PyObject *args);
PyObject *predict(PyObject *module, PyObject *args);

#endif
