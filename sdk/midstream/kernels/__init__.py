"""The hot loops, on plain arrays. Knows nothing of tensors, units or errors of theirs.

Every function here exists twice, in C and in NumPy, with the same results to the byte. The
C one is an optional extension: where it was not built or cannot be loaded, NumPy does its work.
The variable MIDSTREAM_KERNELS, "native" or "numpy", asks for one of them.
"""

import os
import warnings
from importlib import import_module
from importlib.util import find_spec

from midstream.kernels.numpy_grid import Buffer, round_floats
from midstream.kernels.numpy_histograms import LEVEL_CLASSES
from midstream.kernels.numpy_kernels import ALPHABET_LIMIT, STATE_START
from midstream.kernels.numpy_symbols import Alphabets, Digits, Symbols
from midstream.kernels.slots import TOTAL_BITS

__all__ = [
    "ALPHABET_LIMIT",
    "LEVEL_CLASSES",
    "NAME",
    "NATIVE_STATUS",
    "STATE_START",
    "TOTAL_BITS",
    "Alphabets",
    "Buffer",
    "Digits",
    "Symbols",
    "add_along",
    "blank",
    "combine_rows",
    "copy_runs",
    "count_levels",
    "decode_codewords",
    "decode_digits",
    "decode_floats",
    "decode_levels",
    "decode_lists",
    "decode_refined_points",
    "decode_stacked",
    "decode_units",
    "digit_symbols",
    "find_constants",
    "find_runs",
    "fit_scales",
    "fit_ways",
    "fold_widths",
    "level_classes",
    "level_symbols",
    "list_objects",
    "make_way",
    "may_repeat",
    "nearest_levels",
    "outline_base",
    "pack_bits",
    "pack_levels",
    "predict",
    "rans_decode",
    "rans_encode",
    "read_cells",
    "read_entries",
    "read_holes",
    "read_varints",
    "refined_symbols",
    "refit_way",
    "restore_objects",
    "round_floats",
    "scale_floats",
    "scale_integers",
    "squared_distance",
    "squared_error",
    "squared_errors",
    "table_rows",
    "thrifty_levels",
    "thrifty_points",
    "unpack_bits",
    "widen_halves",
    "write_varints",
]


def _choose(wanted: str | None) -> tuple[str, str]:
    if wanted == "numpy":
        return "numpy", "not asked for"
    if wanted not in (None, "native"):
        raise ImportError(f"MIDSTREAM_KERNELS is {wanted!r}: 'native' or 'numpy' is known")
    if wanted is None and not find_spec("midstream.kernels._native"):
        return "numpy", "not built"
    try:
        import_module("midstream.kernels._native")
    except ImportError as error:  # built for another machine or C library, or damaged
        if wanted == "native":
            raise
        warnings.warn(f"NumPy is in use: the kernels in C cannot be loaded: {error}", stacklevel=2)
        return "numpy", f"cannot be loaded: {error}"
    return "native", "in use"


NAME, NATIVE_STATUS = _choose(os.environ.get("MIDSTREAM_KERNELS"))
"""Which implementation is in use, "native" or "numpy"; and what has become of the one in C."""

if NAME == "native":
    from midstream.kernels import (
        native_cells,
        native_constants,
        native_lists,
        native_objects,
        native_packing,
        native_runs,
        native_stacks,
        native_units,
        native_ways,
    )
    from midstream.kernels.native_entries import read_entries
    from midstream.kernels.native_fitting import fit_scales
    from midstream.kernels.native_floats import decode_floats
    from midstream.kernels.native_gf256 import combine_rows
    from midstream.kernels.native_grid import add_along, scale_floats, scale_integers
    from midstream.kernels.native_histograms import level_classes
    from midstream.kernels.native_kernels import (
        blank,
        pack_bits,
        rans_decode,
        rans_encode,
        read_varints,
        unpack_bits,
        write_varints,
    )
    from midstream.kernels.native_nearest import (
        nearest_levels,
        squared_distance,
        squared_error,
        squared_errors,
        widen_halves,
    )
    from midstream.kernels.native_objects import restore_objects
    from midstream.kernels.native_prediction import (
        decode_digits,
        decode_levels,
        fold_widths,
        predict,
        table_rows,
    )
    from midstream.kernels.native_refined_points import (
        decode_codewords,
        decode_refined_points,
        refined_symbols,
    )
    from midstream.kernels.native_runs import copy_runs, find_runs
    from midstream.kernels.native_symbols import digit_symbols, level_symbols
    from midstream.kernels.native_thrift import thrifty_levels, thrifty_points
else:
    from midstream.kernels.numpy_entries import read_entries
    from midstream.kernels.numpy_fitting import fit_scales
    from midstream.kernels.numpy_floats import decode_floats
    from midstream.kernels.numpy_gf256 import combine_rows
    from midstream.kernels.numpy_grid import add_along, scale_floats, scale_integers
    from midstream.kernels.numpy_histograms import level_classes
    from midstream.kernels.numpy_kernels import (
        blank,
        pack_bits,
        rans_decode,
        rans_encode,
        read_varints,
        unpack_bits,
        write_varints,
    )
    from midstream.kernels.numpy_nearest import (
        nearest_levels,
        squared_distance,
        squared_error,
        squared_errors,
        widen_halves,
    )
    from midstream.kernels.numpy_objects import restore_objects
    from midstream.kernels.numpy_prediction import (
        decode_digits,
        decode_levels,
        fold_widths,
        predict,
        table_rows,
    )
    from midstream.kernels.numpy_refined_points import (
        decode_codewords,
        decode_refined_points,
        refined_symbols,
    )
    from midstream.kernels.numpy_repeats import find_runs
    from midstream.kernels.numpy_runs import copy_runs
    from midstream.kernels.numpy_symbols import digit_symbols, level_symbols
    from midstream.kernels.numpy_thrift import thrifty_levels, thrifty_points

find_constants = native_constants.find_constants if NAME == "native" else None
"""Constants of a TFLite file, in C; where it is None, formats.constants reads tables in Python."""
read_cells = native_cells.read_cells if NAME == "native" else None
"""Where in its level's cell each float lies; where it is None, codec.exact does it in NumPy."""
fit_ways = native_ways.fit_ways if NAME == "native" else None
"""Scales and predictor of a tensor's levels, in C; where it is None, codec.fitting finds them."""
make_way = native_ways.make_way if NAME == "native" else None
"""Thrifty levels and their way, in C; where it is None, encoder.economy makes them step by step."""
may_repeat = native_runs.may_repeat if NAME == "native" else None
"""Whether values may repeat others, in C; where it is None, codec.repeats looks."""
refit_way = native_ways.refit_way if NAME == "native" else None
"""The same of levels like others; where it is None, codec.fitting does it."""
count_levels = native_packing.count_levels if NAME == "native" else None
"""Symbols and bits of payloads, in C; where it is None, they are counted in NumPy."""
pack_levels = native_packing.pack_levels if NAME == "native" else None
"""Payloads of levels, in C; where it is None, codec.levels and codec.points make them in NumPy."""
decode_lists = native_lists.decode_lists if NAME == "native" else None
"""Lists of integers, in C; where it is None, codec.levels decodes them as it does levels."""
decode_stacked = native_stacks.decode_stacked if NAME == "native" else None
"""All slices of a stack, in C; where it is None, decoder.rebuild does them step by step."""
list_objects = native_objects.list_objects if NAME == "native" else None
"""Columns of a TFLite file, in C; where it is None, bitstream.objects finds them in NumPy."""
read_holes = native_objects.read_holes if NAME == "native" else None
"""Holes of a tensor table, in C; where it is None, bitstream.tensor_table reads entries."""
outline_base = native_units.outline_base if NAME == "native" else None
"""Where things are in a base, in C; where it is None, bitstream reads it to objects."""
decode_units = native_units.decode_units if NAME == "native" else None
"""Whole models from units, in C; where it is None, decoder.rebuild reads units to objects first."""
