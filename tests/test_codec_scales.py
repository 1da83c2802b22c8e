"""Tensor parameters: fitted, written, read."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midstream.codec import Context, TensorCode, axes, costs, fitting, levels, scales
from midstream.errors import BitstreamError, DataError, ErrorCode, LimitError
from midstream.types import DType, Tensor
from nearlygood import nearly


def tensor(*shape: int, dtype: DType = DType.FLOAT32, row=0, column=None) -> Tensor:
    return Tensor(name="t", dtype=dtype, shape=shape, offset=0, row_axis=row, column_axis=column)


def same(one: TensorCode, other: TensorCode) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(TensorCode)
        if getattr(one, field.name) is not None or getattr(other, field.name) is not None
    )


KERNEL = tensor(6, 3, 3, 8, column=3)


def test_each_weight_has_the_width_of_its_row_column_and_tap():
    rows, columns, taps = np.arange(6), 10 * np.arange(8), -np.arange(9)
    code = TensorCode(
        width=20,
        rows=rows.astype(np.int8),
        columns=columns.astype(np.int8),
        taps=taps.astype(np.int8),
    )
    widths = scales.contexts(KERNEL, code, 0, KERNEL.weights)
    expected = 20 + rows[:, None, None] + taps[None, :, None] + columns[None, None, :]
    assert np.array_equal(widths, expected.ravel())
    assert np.array_equal(scales.contexts(KERNEL, code, 100, 333), expected.ravel()[100:333])


def test_without_axes_each_weight_has_the_base_width():
    widths = scales.contexts(tensor(7, row=None), TensorCode(width=-3), 2, 5)
    assert widths.tolist() == [-3, -3, -3]
    assert widths.dtype == np.int16


def spread_levels(shape: tuple[int, ...], *axes: int) -> tuple[Tensor, np.ndarray]:
    rng = np.random.default_rng(5)
    scale = np.ones(shape)
    for axis in axes:
        sizes = np.ones(len(shape), int)
        sizes[axis] = shape[axis]
        scale = scale * 2 ** rng.normal(0, 1.5, sizes)
    values = np.rint(rng.normal(size=shape) * scale * 3).astype(np.int32)
    return tensor(*shape, column=len(shape) - 1), values.ravel()


@pytest.mark.parametrize(
    ("shape", "axes", "chosen"),
    [
        ((40, 3, 3, 60), (0, 3), (True, True, False)),
        ((40, 3, 3, 60), (1,), (False, False, True)),
        ((40, 5, 5, 4), (0,), (True, False, False)),
        ((8, 20), (0,), (True, False, False)),
        ((30, 300), (), (False, False, False)),
    ],
)
def test_axes_are_sent_where_the_spread_is_theirs(shape, axes, chosen):
    where, values = spread_levels(shape, *axes)
    code = scales.fit(values, where, step=-7, offset=0)
    assert (code.rows is not None, code.columns is not None, code.taps is not None) == chosen
    assert code.step == -7


def test_taps_need_not_be_next_to_each_other():
    where, values = spread_levels((40, 3, 5, 60), 1, 2)
    code = scales.fit(values, where, may_predict=False)
    moved = np.moveaxis(values.reshape(where.shape), 1, 3).ravel()
    scattered = tensor(40, 5, 60, 3, column=2)
    there = scales.fit(moved, scattered, may_predict=False)
    # the same taps, counted the other way around
    turned = dataclasses.replace(there, taps=there.taps.reshape(5, 3).T.ravel())
    assert code.taps is not None
    assert axes.axis_stride(scattered, 2) is None
    assert same(code, turned)


def cost(code: TensorCode, where: Tensor, values: np.ndarray) -> float:
    widths = scales.contexts(where, code, 0, len(values))
    context = Context(shape=np.full(len(values), code.shape, np.int8), width=widths)
    return levels.cost(values, context)


def test_scales_save_what_the_spread_is_worth():
    where, values = spread_levels((40, 3, 3, 60), 0, 3)
    code = scales.fit(values, where)
    plain = min(
        cost(TensorCode(shape=shape, width=width), where, values)
        for shape in range(3)
        for width in range(45)
    )
    assert cost(code, where, values) < 0.8 * plain


@pytest.mark.parametrize(("sigma", "width"), [(0.5, 8), (2.0, 16), (16.0, 28), (500.0, 48)])
def test_the_width_is_that_of_the_levels(sigma, width):
    values = np.rint(np.random.default_rng(2).normal(size=5000) * sigma).astype(np.int32)
    code = scales.fit(values, tensor(5000, row=None))
    assert abs(code.width - width) <= 1
    assert code.shape == 1


def test_fitting_to_a_refinement_gives_the_base_width():
    fine = np.rint(np.random.default_rng(2).normal(size=5000) * 9).astype(np.int32)
    code = scales.fit(fine, tensor(5000, row=None), trits=2)
    assert abs(code.width - 12) <= 1


@pytest.mark.parametrize("value", [0, 1, -5, 1 << 30])
def test_levels_all_alike_are_fitted_too(value):
    for shape in ((1,), (3,), (10, 70)):
        values = np.full(np.prod(shape), value, np.int32)
        assert scales.fit(values, tensor(*shape)).coded


def test_dead_rows_are_told_from_live_ones():
    values = np.random.default_rng(2).integers(-9, 10, (50, 100)).astype(np.int32)
    values[::2] = 0
    code = scales.fit(values.ravel(), tensor(50, 100))
    assert code.rows is not None
    assert code.rows[::2].max() < code.rows[1::2].min() - 12


@pytest.mark.parametrize("sigma", [300, 3000])
@pytest.mark.parametrize("dead", [0.5, 0.75, 0.9])
def test_wide_rows_among_dead_ones_cost_little_more_than_by_themselves(sigma, dead):
    rng = np.random.default_rng(3)
    values = np.rint(rng.normal(0, sigma, (256, 25)) * np.exp2(rng.normal(0, 1, (256, 1))))
    values[rng.random(256) < dead] = 0
    live = values[values.any(axis=1)]
    both, alone = (
        fitting.fit_ways(own.ravel().astype(np.int32), tensor(*own.shape), TensorCode()).bits
        for own in (values, live)
    )
    assert both < 1.4 * alone


def test_a_list_of_integers_has_the_width_that_codes_it_shortest():
    assert costs.spread(np.zeros(0, np.int32)) == 0
    assert costs.spread(np.zeros(9, np.int32)) == 0
    assert costs.spread(np.array([30, -28, 14, -60, 2], np.int32)) > 20


codes = st.builds(
    lambda coded, step, shape, width, axes, seed: (coded, step, shape, width, axes, seed),
    st.booleans(),
    st.integers(0, 20),
    st.integers(0, 2),
    st.integers(-512, 512),
    st.integers(0, 31),
    st.integers(0, 99),
)


def build(entry, where: Tensor) -> TensorCode:
    coded, step, shape, width, chosen, seed = entry
    if not coded:
        return TensorCode(coded=False)
    rng = np.random.default_rng(seed)
    rows, columns, taps = axes.axis_sizes(where)
    is_float = where.dtype.is_float
    sizes = (rows, columns, taps, rows * is_float, columns * is_float)
    deltas = [
        rng.integers(-limit, limit, size).astype(np.int8) if chosen >> place & 1 and size else None
        for place, (size, limit) in enumerate(zip(sizes, (128, 128, 128, 24, 24), strict=True))
    ]
    neighbours = np.flatnonzero(rng.integers(0, 2, 10)) if seed % 3 == 0 else []
    return TensorCode(
        step=step if not where.dtype.is_float else -100 * step,
        offset=0 if where.dtype.is_float else seed - 50,
        shape=shape,
        width=width,
        rows=deltas[0],
        columns=deltas[1],
        taps=deltas[2],
        row_steps=deltas[3],
        column_steps=deltas[4],
        predictor=tuple((int(place), int(rng.integers(-64, 65))) for place in neighbours),
    )


SHAPES = [
    KERNEL,
    tensor(5, dtype=DType.INT8, row=None),
    tensor(3, 4, dtype=DType.UINT8, column=1),
    tensor(2, 2, 2),
]


@given(st.lists(codes, min_size=4, max_size=4))
@settings(deadline=None, max_examples=60)
def test_parameters_come_back(entries):
    written = [build(entry, where) for entry, where in zip(entries, SHAPES, strict=True)]
    read = scales.read(scales.write(written, SHAPES), SHAPES)
    assert all(same(one, other) for one, other in zip(written, read, strict=True))


def test_no_tensors_at_all_are_fine():
    assert scales.read(scales.write([], []), []) == []


def test_parameters_cost_bytes_not_dozens_of_bytes():
    count = 50
    entries = [TensorCode(step=-70, shape=1, width=12 + place % 3) for place in range(count)]
    tensors = [tensor(100)] * count
    assert len(scales.write(entries, tensors)) < 2 * count


def written() -> bytes:
    entries = [(True, 3, 1, 12, 7, seed) for seed in range(4)]
    return scales.write([build(e, w) for e, w in zip(entries, SHAPES, strict=True)], SHAPES)


def test_parameters_cut_anywhere_are_refused():
    data = written()
    for size in range(len(data)):
        with pytest.raises(DataError):
            scales.read(data[:size], SHAPES)


def test_bytes_after_the_parameters_are_refused():  # COD-1
    with pytest.raises(BitstreamError):
        scales.read(written() + b"\x00", SHAPES)


@pytest.mark.parametrize(
    "flags",
    [2, 64, 128 | 1, 0x31, 1 | 4, 1 | 2, 1 | 1 << 8, 1 | 1 << 9, 1 << 10, 1 << 11 | 1, 1 << 12],
)
def test_unknown_flags_are_refused(flags):  # COD-7
    head = b"\x03\x00" + flags.to_bytes(2, "little")
    with pytest.raises(BitstreamError) as caught:
        scales.read(head + bytes(40), [tensor(9, row=None)])
    assert caught.value.code is ErrorCode.BAD_FIELD


@pytest.mark.parametrize("flags", [1 | 1 << 8, 1 | 1 << 10])
def test_steps_of_rows_and_lattices_are_for_floats(flags):  # COD-7
    head = b"\x03\x00" + flags.to_bytes(2, "little")
    with pytest.raises(BitstreamError, match="flags"):
        scales.read(head + bytes(40), [tensor(9, 2, dtype=DType.INT8)])


def test_the_lattice_comes_back():
    where = [tensor(64, 64, row=0)] * 2
    codes = [TensorCode(width=9, lattice=True, predictor=own) for own in ((), ((0, 20),))]
    read = scales.read(scales.write(codes, where), where)
    assert [(code.lattice, code.predictor) for code in read] == [(True, ()), (True, ((0, 20),))]


def test_small_tensors_are_not_on_the_lattice():  # COD-14
    data = scales.write([TensorCode(lattice=True)], [tensor(64, 63)])
    with pytest.raises(BitstreamError, match="lattice") as caught:
        scales.read(data, [tensor(64, 63)])
    assert caught.value.code is ErrorCode.BAD_FIELD


def test_a_tensor_may_be_the_same_as_an_earlier_one():
    tensors = [tensor(3, 2), tensor(4), tensor(6)]
    codes = [TensorCode(width=3), TensorCode(coded=False), TensorCode(coded=False, same_as=0)]
    read = scales.read(scales.write(codes, tensors), tensors)
    assert all(same(one, other) for one, other in zip(codes, read, strict=True))


@pytest.mark.parametrize(
    ("shape", "other"), [((6,), 2), ((6,), -1), ((5,), 0), ((6,), 3), ((4,), 1)]
)
def test_a_tensor_is_the_same_only_as_a_whole_earlier_one(shape, other):  # COD-10
    tensors = [tensor(3, 2), tensor(6), tensor(4), tensor(*shape)]
    codes = [TensorCode(), TensorCode(coded=False, same_as=0), TensorCode(), TensorCode(width=1)]
    codes[3] = TensorCode(coded=False, same_as=other)
    with pytest.raises(BitstreamError, match="same"):
        scales.read(scales.write(codes, tensors), tensors)


def test_each_weight_has_the_step_of_its_row_and_column():
    rows, columns = np.arange(-3, 3), np.arange(8)
    code = TensorCode(
        step=-100, row_steps=rows.astype(np.int8), column_steps=columns.astype(np.int8)
    )
    expected = np.broadcast_to(
        -100 + 8 * (rows[:, None, None] + columns[None, None, :]), (6, 9, 8)
    ).ravel()
    steps = scales.weight_steps(KERNEL, code, 50, 200)
    assert np.array_equal(steps, expected[50:200])
    assert scales.weight_steps(tensor(4), TensorCode(step=7), 1, 3).tolist() == [7, 7]
    edge = TensorCode(step=2560, row_steps=np.array([1, -1], np.int8))
    assert scales.weight_steps(tensor(2), edge, 0, 2).tolist() == [2560, 2552]


def test_too_many_scales_are_refused_before_memory_is_reserved():  # COD-9
    huge = [tensor(1 << 30, row=0)]
    with pytest.raises(LimitError):
        scales.read(b"\x03\x00\x03\x00" + bytes(40), huge)


@pytest.mark.parametrize(
    ("code", "where"),
    [
        (TensorCode(step=2561), tensor(5)),
        (TensorCode(step=-1), tensor(5, dtype=DType.INT8)),
        (TensorCode(step=21), tensor(5, dtype=DType.INT8)),
        (TensorCode(width=513), tensor(5)),
        (TensorCode(rows=np.array([200, 0], np.int16)), tensor(2)),
        (TensorCode(row_steps=np.array([25, 0], np.int8)), tensor(2)),
        (TensorCode(column_steps=np.array([0, -25], np.int8)), tensor(1, 2, column=1)),
        (TensorCode(predictor=((0, 65),)), tensor(2)),
        (TensorCode(predictor=((10, 1),)), tensor(2)),
    ],
)
def test_parameters_out_of_range_are_refused(code, where):  # COD-8
    with pytest.raises(BitstreamError) as caught:
        scales.read(scales.write([code], [where]), [where])
    assert caught.value.code is ErrorCode.BAD_FIELD


def test_spreads_out_of_range_are_refused(monkeypatch):
    code = TensorCode(rows=np.array([1, 0], np.int8))
    monkeypatch.setattr(scales, "spreads", lambda lists: [40] * len(lists))
    data = bytearray(scales.write([code], [tensor(2)]))
    assert data[4:11] == bytes([40] * 7)
    data[4] = 41
    with pytest.raises(BitstreamError, match="width"):
        scales.read(data, [tensor(2)])


def test_a_negative_spread_is_refused():
    context = Context(shape=np.zeros(3, np.int8), width=np.zeros(3, np.int16))
    lists = levels.encode(np.array([0, 0, -1], np.int32), context)
    with pytest.raises(BitstreamError, match="spread"):
        scales.read(b"\x03\x00\x03\x00" + bytes(7) + lists, [tensor(2)])


BEGUN = b"\x09\x00\x4f\x03\x01\x00\x17\x01\x03\x07"


@given(st.binary(max_size=80).map(BEGUN.__add__) | nearly(written()))
@settings(deadline=None, max_examples=150)
def test_any_bytes_give_parameters_or_a_data_error(data):
    try:
        read = scales.read(data, SHAPES)
    except DataError:
        return
    assert len(read) == 4
