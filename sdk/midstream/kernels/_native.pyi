from typing import Any, TypeAlias

from numpy.typing import NDArray

from midstream.kernels.numpy_grid import Buffer

_Array: TypeAlias = NDArray[Any]  # any contiguous buffer will do

def add_along(totals: _Array, deltas: _Array, stride: int, start: int, factor: int, /) -> None: ...
def table_rows(
    shapes: _Array,
    widths: _Array,
    phases: _Array,
    last_width: int,
    each_width: int,
    each_shape: int,
    each_phase: int,
    rows: _Array,
    /,
) -> None: ...
def blank(size: int, /) -> bytearray: ...
def combine_rows(
    matrix: _Array,
    rows: _Array,
    picks: _Array,
    count: int,
    size: int,
    out: _Array,
    way: int,
    /,
) -> None: ...
def copy_runs(runs: _Array, values: _Array, item_size: int, /) -> None: ...
def count_levels(
    levels: _Array,
    shapes: _Array,
    widths: _Array,
    halves: _Array,
    is_lattice: bool,
    lowest: _Array,
    sizes: _Array,
    firsts: _Array,
    counts: _Array,
    next_phase: int,
    widest: int,
    unshifted: int,
    most: int,
    /,
) -> int: ...
def decode_codewords(
    stream: memoryview, lanes: int, frequencies: _Array, codewords: _Array, /
) -> int: ...
def decode_refined_points(
    stream: memoryview,
    lanes: int,
    rows: _Array,
    codewords: _Array,
    parents: _Array,
    ratio: int,
    starts: _Array,
    runs: _Array,
    terms: _Array,
    steps: _Array,
    sums: _Array,
    levels: _Array,
    /,
) -> int: ...
def decode_digits(
    stream: memoryview,
    lanes: int,
    rows: _Array,
    starts: _Array,
    parents: _Array,
    escapes: _Array,
    runs: _Array,
    terms: _Array,
    steps: _Array,
    levels: _Array,
    /,
) -> int: ...
def decode_floats(
    payload: memoryview,
    quarters: _Array,
    stops: _Array,
    splits: _Array,
    narrow: _Array,
    wide: _Array,
    frequencies: _Array,
    places: _Array,
    moves: _Array,
    widths: _Array,
    memory: _Array,
    out: memoryview,
    at: int,
    lanes: int,
    bits: int,
    mantissa: int,
    trailing: int,
    whole: int,
    widest: int,
    /,
) -> int: ...
def decode_levels(
    stream: memoryview,
    lanes: int,
    rows: _Array,
    slots: _Array,
    next_phase: int,
    widest: int,
    low: memoryview,
    shifts: _Array,
    escapes: _Array,
    runs: _Array,
    terms: _Array,
    steps: _Array,
    levels: _Array,
    /,
) -> int: ...
def decode_stacked(
    tensors: _Array,
    vectors: _Array,
    spans: _Array,
    slices: _Array,
    operations: _Array,
    payloads: list[memoryview | bytes],
    groups: _Array,
    level_slots: _Array,
    digit_starts: _Array,
    point_starts: _Array,
    codewords: _Array,
    frequencies: _Array,
    sizes: _Array,
    memory: _Array,
    model: Buffer,
    /,
) -> bool: ...
def decode_units(
    units: list[bytes | bytearray | memoryview],
    bounds: _Array,
    content: bytes | bytearray,
    flags: bytes,
    level_slots: _Array,
    digit_starts: _Array,
    point_starts: _Array,
    codewords: _Array,
    frequencies: _Array,
    sizes: _Array,
    model: Buffer,
    /,
) -> tuple[list[tuple[bytes, int, list[tuple[int, int]]]], list[tuple[int, int, int]]] | None: ...
def outline_base(
    unit: bytes | bytearray | memoryview, bounds: _Array, numbers: _Array, /
) -> bool: ...
def decode_lists(
    data: memoryview,
    widths: bytes,
    sizes: _Array,
    slots: _Array,
    memory: _Array,
    integers: _Array,
    /,
) -> int: ...
def digit_symbols(
    parents: _Array,
    children: _Array,
    halves: _Array,
    tables: _Array,
    classes: _Array,
    symbols: _Array,
    counts: _Array,
    moved: _Array,
    /,
) -> int: ...
def find_constants(
    model: memoryview, model_size: int, tensors: int, dimensions: int, types: int, /
) -> bytes | None: ...
def find_runs(values: _Array, item_size: int, table: _Array, runs: _Array, /) -> int: ...
def fit_scales(
    classes: _Array,
    dimensions: _Array,
    tried: bytes,
    costs: _Array,
    sent: _Array,
    deltas: _Array,
    state: _Array,
    memory: _Array,
    axis_cost: int,
    weights: int,
    thin: int,
    /,
) -> None: ...
def fit_ways(
    levels: _Array,
    dimensions: _Array,
    tried: bytes,
    neighbours: _Array,
    scales: _Array,
    costs: _Array,
    sent: _Array,
    deltas: _Array,
    best: _Array,
    unpredicted: _Array,
    predictor: _Array,
    memory: _Array,
    room: _Array,
    axis_cost: int,
    term_cost: int,
    terms: int,
    thin: int,
    /,
) -> int: ...
def fold_widths(
    widths: _Array, widest: int, unshifted: int, most: int, folded: _Array, shifts: _Array, /
) -> None: ...
def level_classes(levels: _Array, halves: _Array, classes: _Array, /) -> None: ...
def level_symbols(
    levels: _Array,
    halves: _Array,
    tables: _Array,
    shifts: _Array,
    lowest: _Array,
    sizes: _Array,
    firsts: _Array,
    next_phase: int,
    symbols: _Array,
    low: _Array,
    counts: _Array,
    places: _Array,
    escapes: _Array,
    /,
) -> int: ...
def list_objects(model: memoryview, kinds: _Array, holes: _Array, /) -> bytes | None: ...
def make_way(
    levels: _Array,
    dimensions: _Array,
    tried: bytes,
    neighbours: _Array,
    scales: _Array,
    costs: _Array,
    sent: _Array,
    deltas: _Array,
    best: _Array,
    unpredicted: _Array,
    predictor: _Array,
    memory: _Array,
    room: _Array,
    numbers: _Array,
    item_size: int,
    size: _Array,
    parts: _Array,
    prices: _Array,
    reach: int,
    free: _Array,
    is_lattice: bool,
    axis_cost: int,
    term_cost: int,
    terms: int,
    /,
) -> tuple[int, float]: ...
def may_repeat(values: _Array, item_size: int, /) -> bool: ...
def nearest_levels(
    numbers: _Array, item: int, sizes: _Array, offset: float, levels: _Array, /
) -> None: ...
def pack_bits(values: _Array, widths: _Array, /) -> bytes: ...
def pack_levels(
    levels: _Array,
    shapes: _Array,
    widths: _Array,
    runs: _Array,
    terms: _Array,
    steps: _Array,
    is_lattice: bool,
    lanes: int,
    last_lanes: int,
    lowest: _Array,
    sizes: _Array,
    firsts: _Array,
    frequencies: _Array,
    starts: _Array,
    next_phase: int,
    widest: int,
    unshifted: int,
    most: int,
    /,
) -> bytes: ...
def predict(
    levels: _Array, runs: _Array, terms: _Array, steps: _Array, halves: _Array, /
) -> None: ...
def rans_decode(
    words: _Array,
    ends: _Array,
    states: _Array,
    counts: _Array,
    lanes: _Array,
    tables: _Array,
    frequencies: _Array,
    offsets: _Array,
    names: _Array,
    symbols: _Array,
    /,
) -> None: ...
def rans_encode(
    symbols: _Array,
    frequencies: _Array,
    starts: _Array,
    counts: _Array,
    lanes: _Array,
    states: _Array,
    words: _Array,
    taken: _Array,
    /,
) -> int: ...
def read_cells(
    data: _Array,
    levels: _Array,
    steps: _Array,
    memory: _Array,
    out: _Array,
    mode: int,
    table: int,
    bits: int,
    mantissa: int,
    /,
) -> int: ...
def read_entries(
    data: memoryview, start: int, fields: bytes, most: _Array, numbers: _Array, /
) -> int: ...
def read_holes(data: memoryview, holes: _Array, model_size: int, /) -> int: ...
def read_varints(data: _Array, values: _Array, /) -> int: ...
def refined_symbols(
    parents: _Array,
    children: _Array,
    halves: _Array,
    tables: _Array,
    ratio: int,
    family: int,
    symbols: _Array,
    /,
) -> None: ...
def restore_objects(
    columns: memoryview, kinds: _Array, holes: _Array, out: memoryview, model_size: int, /
) -> bool: ...
def scale_floats(
    levels: _Array,
    steps: _Array,
    sizes: _Array,
    first: int,
    precision: int,
    out: _Array | memoryview,
    /,
) -> None: ...
def scale_integers(
    levels: _Array,
    steps: _Array,
    powers: _Array,
    offsets: _Array,
    low: int,
    high: int,
    item: int,
    out: _Array,
    /,
) -> None: ...
def squared_distance(one: _Array, other: _Array, /) -> float: ...
def squared_error(
    numbers: _Array, item: int, sizes: _Array, offset: float, levels: _Array, /
) -> float: ...
def thrifty_levels(
    levels: _Array,
    halves: _Array,
    numbers: _Array,
    item: int,
    sizes: _Array,
    rows: _Array,
    savings: _Array,
    reach: int,
    moved: _Array,
    /,
) -> None: ...
def thrifty_points(
    numbers: _Array,
    item: int,
    sizes: _Array,
    rows: _Array,
    prices: _Array,
    reach: int,
    halves: _Array,
    levels: _Array,
    /,
) -> None: ...
def unpack_bits(data: _Array, widths: _Array, values: _Array, /) -> None: ...
def widen_halves(halves: _Array, singles: _Array, /) -> None: ...
def write_varints(values: _Array, out: _Array, /) -> int: ...
def squared_errors(
    numbers: _Array,
    item_size: int,
    size: _Array,
    levels: _Array,
    stops: _Array,
    errors: _Array,
    /,
) -> None: ...
