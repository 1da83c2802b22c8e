/* The module: a table of the Python faces of the kernels, which stand in files of their own.
 *
 * Arrays come and go as buffers; results are written into arrays of the caller's.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "blank.h"
#include "cells.h"
#include "floats.h"
#include "faces.h"
#include "fitting.h"
#include "gf256.h"
#include "histograms.h"
#include "nearest.h"
#include "symbols.h"
#include "thrift.h"

static PyMethodDef methods[] = {
    { "add_along", add_along, METH_VARARGS,
        "add_along(totals, deltas, stride, start, factor)" },
    { "blank", blank, METH_O, "blank(size) -> bytearray of zeros" },
    { "combine_rows", combine_rows, METH_VARARGS,
        "combine_rows(matrix, rows, picks, count, size, out, way)" },
    { "copy_runs", copy_runs, METH_VARARGS, "copy_runs(runs, values, item size)" },
    { "count_levels", count_levels, METH_VARARGS,
        "count_levels(levels, shapes, widths, halves or nothing, whether points, lowest, sizes, "
        "firsts, counts, next phase, widest, unshifted, most) -> bits of all but symbols" },
    { "decode_codewords", decode_codewords, METH_VARARGS,
        "decode_codewords(stream, lanes, frequencies, parities of parents) -> bytes, or -1; "
        "codewords in place of parities" },
    { "decode_digits", decode_digits, METH_VARARGS,
        "decode_digits(stream, lanes, rows, starts, parents, escapes, runs, terms, steps, levels) -> "
        "bytes, -1 or -2" },
    { "decode_floats", decode_floats, METH_VARARGS,
        "decode_floats(payload, quarters, stops, splits, narrow, wide, frequencies, places, moves, "
        "widths, memory, out, at, lanes, bits, mantissa, trailing, whole, "
        "is wide) -> bytes, -1 or -2" },
    { "decode_levels", decode_levels, METH_VARARGS,
        "decode_levels(stream, lanes, rows, names, entries, next phase, low bits, shifts or nothing, "
        "escapes, runs, terms, steps, levels) -> bytes, -1 or -2" },
    { "decode_lists", decode_lists, METH_VARARGS,
        "decode_lists(data, widths, sizes, names, entries, memory, integers) -> bytes, or -1" },
    { "decode_refined_points", decode_refined_points, METH_VARARGS,
        "decode_refined_points(stream, lanes, rows, codewords, parents, half steps of a cell, starts, "
        "runs, terms, steps, sums of points, levels) -> bytes, -1 or -2" },
    { "decode_stacked", decode_stacked, METH_VARARGS,
        "decode_stacked(tensors, vectors, spans, slices, operations, payloads, groups, names and "
        "entries of levels, starts of digits and of refined points, frequencies of codewords and of "
        "values, sizes, memory, model) -> whether all of it is sound" },
    { "decode_units", decode_units, METH_VARARGS,
        "decode_units(units, bounds, content, flags, tables as those of decode_stacked, model) -> "
        "raw slices and tied tensors, or None" },
    { "digit_symbols", digit_symbols, METH_VARARGS,
        "digit_symbols(parents, children, halves or nothing, tables, classes, symbols or nothing, "
        "counts, moved) -> escapes written" },
    { "find_constants", find_constants_of, METH_VARARGS,
        "find_constants(model, most bytes, tensors and axes, bits of known types) -> items of all, or "
        "None" },
    { "find_runs", find_runs, METH_VARARGS,
        "find_runs(values, item size, table, runs) -> how many" },
    { "fit_scales", fit_scales, METH_VARARGS,
        "fit_scales(classes, dimensions, tried, costs, sent, deltas, state, memory, axis cost, weights, thin)" },
    { "fit_ways", fit_ways, METH_VARARGS,
        "fit_ways(levels, dimensions, tried, neighbours, scales, costs, sent, log-scales of both "
        "ways, the best way, the unpredicted one or nothing, predictor, memory, room, axis cost, "
        "term cost, terms of the predictor) -> terms of the predictor" },
    { "fold_widths", fold_widths, METH_VARARGS,
        "fold_widths(widths, widest, unshifted, most, folded, shifts)" },
    { "level_classes", level_classes, METH_VARARGS,
        "level_classes(levels, halves or nothing, classes)" },
    { "level_symbols", level_symbols, METH_VARARGS,
        "level_symbols(levels, halves or nothing, tables, shifts, lowest, sizes, firsts, "
        "next phase, symbols or nothing, low, counts, places, escapes) -> escapes written" },
    { "list_objects", list_objects, METH_VARARGS,
        "list_objects(model, kinds, holes) -> columns, or None" },
    { "make_way", make_way, METH_VARARGS,
        "make_way(those of fit_ways up to its numbers, weights, item size, step, parts, prices, "
        "reach, free prices, whether points, axis cost, term cost, terms of the predictor) -> "
        "terms of the predictor, sum of squared errors" },
    { "may_repeat", may_repeat, METH_VARARGS, "may_repeat(values, item size) -> bool" },
    { "nearest_levels", nearest_levels, METH_VARARGS,
        "nearest_levels(numbers, item size, sizes, offset, levels)" },
    { "outline_base", outline_base, METH_VARARGS,
        "outline_base(unit, bounds, numbers) -> whether it starts as a base" },
    { "pack_bits", pack_bits, METH_VARARGS, "pack_bits(values, widths) -> bytes" },
    { "pack_levels", pack_levels, METH_VARARGS,
        "pack_levels(levels, shapes, widths, runs or nothing, terms, steps, whether points, lanes, "
        "lanes of last ones, lowest, sizes, firsts, frequencies, starts, next phase, widest, "
        "unshifted, most) -> bytes" },
    { "predict", predict, METH_VARARGS,
        "predict(levels, runs, terms, steps, halves)" },
    { "rans_decode", rans_decode, METH_VARARGS,
        "rans_decode(words, ends, states, counts, lanes, tables, frequencies, offsets, names, "
        "symbols); ends and states go in as starts and come out as what is left" },
    { "rans_encode", rans_encode, METH_VARARGS,
        "rans_encode(symbols, frequencies, starts, counts, lanes, states, words, taken) -> words "
        "written" },
    { "read_cells", read_cells, METH_VARARGS,
        "read_cells(data, levels, steps, memory, out, mode, table, bits, mantissa) -> bytes, -1 "
        "or -2" },
    { "read_entries", read_entries, METH_VARARGS,
        "read_entries(data, start, fields, most, numbers) -> where they end, or -1" },
    { "read_holes", read_holes, METH_VARARGS,
        "read_holes(table, holes, model size) -> bytes, or -1" },
    { "read_varints", read_varints, METH_VARARGS, "read_varints(data, values) -> bytes, or -1" },
    { "refined_symbols", refined_symbols, METH_VARARGS,
        "refined_symbols(parents, children, halves or nothing, tables, half steps of a cell, tables "
        "of three, symbols)" },
    { "restore_objects", restore_objects, METH_VARARGS,
        "restore_objects(columns, kinds, holes, out, model size) -> whether they are sound" },
    { "scale_floats", scale_floats, METH_VARARGS,
        "scale_floats(levels, steps, sizes, first, precision, out)" },
    { "scale_integers", scale_integers, METH_VARARGS,
        "scale_integers(levels, steps, powers, offsets, low, high, item size, out)" },
    { "squared_error", squared_error, METH_VARARGS,
        "squared_error(numbers, item size, sizes, offset, levels or nothing) -> sum" },
    { "squared_distance", squared_distance, METH_VARARGS, "squared_distance(one, other)" },
    { "squared_errors", squared_errors, METH_VARARGS,
        "squared_errors(numbers, item size, size, levels, stops, errors)" },
    { "table_rows", table_rows, METH_VARARGS,
        "table_rows(shapes, widths, phases or nothing, last width, each width, each shape, each "
        "phase, rows)" },
    { "thrifty_levels", thrifty_levels, METH_VARARGS,
        "thrifty_levels(levels, halves or nothing, numbers, item size, sizes, rows, savings, "
        "reach, moved)" },
    { "thrifty_points", thrifty_points, METH_VARARGS,
        "thrifty_points(numbers, item size, sizes, rows, prices, reach, levels)" },
    { "unpack_bits", unpack_bits, METH_VARARGS, "unpack_bits(data, widths, values)" },
    { "widen_halves", widen_halves, METH_VARARGS, "widen_halves(halves, singles)" },
    { "write_varints", write_varints, METH_VARARGS, "write_varints(values, out) -> bytes" },
    { NULL, NULL, 0, NULL },
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The hot loops in C. Knows nothing of NumPy, only of buffers.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__native(void);

PyMODINIT_FUNC PyInit__native(void)
{
    gf_prepare();
    return PyModuleDef_Init(&definition);
}
