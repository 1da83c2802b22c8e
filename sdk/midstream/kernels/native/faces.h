/* Python faces that stand in files of their own. */
#ifndef MIDSTREAM_FACES_H
#define MIDSTREAM_FACES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *add_along(PyObject *module, PyObject *args);
PyObject *combine_rows(PyObject *module, PyObject *args);
PyObject *copy_runs(PyObject *module, PyObject *args);
PyObject *count_levels(PyObject *module, PyObject *args);
PyObject *decode_codewords(PyObject *module, PyObject *args);
PyObject *decode_digits(PyObject *module, PyObject *args);
PyObject *decode_lists(PyObject *module, PyObject *args);
PyObject *decode_levels(PyObject *module, PyObject *args);
PyObject *decode_refined_points(PyObject *module, PyObject *args);
PyObject *decode_stacked(PyObject *module, PyObject *args);
PyObject *decode_units(PyObject *module, PyObject *args);
PyObject *find_constants_of(PyObject *module, PyObject *args);
PyObject *find_runs(PyObject *module, PyObject *args);
PyObject *fit_ways(PyObject *module, PyObject *args);
PyObject *fold_widths(PyObject *module, PyObject *args);
PyObject *list_objects(PyObject *module, PyObject *args);
PyObject *make_way(PyObject *module, PyObject *args);
PyObject *may_repeat(PyObject *module, PyObject *args);
PyObject *outline_base(PyObject *module, PyObject *args);
PyObject *pack_bits(PyObject *module, PyObject *args);
PyObject *pack_levels(PyObject *module, PyObject *args);
PyObject *predict(PyObject *module, PyObject *args);
PyObject *rans_decode(PyObject *module, PyObject *args);
PyObject *rans_encode(PyObject *module, PyObject *args);
PyObject *read_entries(PyObject *module, PyObject *args);
PyObject *read_holes(PyObject *module, PyObject *args);
PyObject *read_varints(PyObject *module, PyObject *args);
PyObject *refined_symbols(PyObject *module, PyObject *args);
PyObject *restore_objects(PyObject *module, PyObject *args);
PyObject *scale_floats(PyObject *module, PyObject *args);
PyObject *scale_integers(PyObject *module, PyObject *args);
PyObject *table_rows(PyObject *module, PyObject *args);
PyObject *unpack_bits(PyObject *module, PyObject *args);
PyObject *widen_halves(PyObject *module, PyObject *args);
PyObject *write_varints(PyObject *module, PyObject *args);

#endif
