"""Manifests: what a release is made of, as bytes."""

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import BitstreamError, DataError, ErrorCode, LimitError
from midstream.limits import Limits
from midstream.trust import layout, manifest
from midstream.trust.manifest import Extension, Manifest, UnitEntry
from midstream.types import Fidelity, UnitKind
from trusting import entry, release

EXACT = entry(
    2,
    kind=UnitKind.EXACT,
    layer=1,
    parent=0,
    head_size=0,
    repair_body=150,
    repair_symbols=1,
    parity_size=99,
    fidelity=Fidelity(weight_snr=math.inf, output_snr=math.inf, probes=32),
    repair_root=bytes(range(32)),
)
MANIFEST = replace(release(), units=(entry(), EXACT))
GOLDEN = bytes.fromhex(
    f"""
    4d444d 00 03616272 01 0674666c697465 90bf05 {"01" * 32} a09c01 02
    00 08 00 8827 bc05 b009 00 f0a204 fa1a cc21 20 {"01" * 32}
    02 1f 01 00 8827 00 b009 63 f0a204 20 {"02" * 32} 00 9601 01 {bytes(range(32)).hex()}
    00
    """
)


def test_the_bytes_are_those_of_the_specification() -> None:
    assert manifest.encode(MANIFEST) == GOLDEN


def test_the_bytes_give_the_manifest_back() -> None:
    assert manifest.decode(GOLDEN) == MANIFEST


def snr() -> st.SearchStrategy[float]:
    return st.floats(-1000, 1000) | st.just(math.inf)


def fidelity() -> st.SearchStrategy[Fidelity]:
    return st.builds(
        Fidelity, weight_snr=snr(), output_snr=st.none() | snr(), probes=st.integers(0, 65536)
    )


@st.composite
def entries(draw: st.DrawFn, index: int) -> UnitEntry:
    size = draw(st.integers(1, 1 << 24))
    has_repair = draw(st.booleans())
    later = st.sampled_from([UnitKind.ENHANCEMENT, UnitKind.EXACT, UnitKind.UPDATE])
    return UnitEntry(
        kind=draw(later) if index else UnitKind.BASE,
        layer=index,
        parent=draw(st.integers(0, index - 1)) if index else None,
        size=size,
        head_size=draw(st.integers(0, size)),
        packet_size=draw(st.integers(16, 16384)),
        repair_head=draw(st.integers(0, 4000)) if has_repair else 0,
        repair_body=draw(st.integers(1, 4000)) if has_repair else 0,
        repair_symbols=1 if has_repair else 0,
        parity_size=draw(st.integers(0, 64)),
        fidelity=draw(fidelity()),
        peak_decode_bytes=draw(st.integers(0, 1 << 31)),
        source_root=draw(st.binary(min_size=32, max_size=32)),
        repair_root=draw(st.binary(min_size=32, max_size=32)) if has_repair else None,
    )


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    return Manifest(
        name=draw(
            st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True).filter(layout.is_name)
        ),
        release=draw(st.integers(1, 2**31 - 1)),
        format=draw(st.sampled_from(["tflite", "safetensors"])),
        model_size=draw(st.integers(1, 2 << 30)),
        model_sha256=draw(st.binary(min_size=32, max_size=32)),
        weights=draw(st.integers(0, 1 << 40)),
        units=tuple(draw(entries(index)) for index in range(draw(st.integers(1, 4)))),
        extensions=draw(
            st.sampled_from([(), (Extension(tag=1, value=b"x"), Extension(tag=9, value=b""))])
        ),
    )


@given(manifests())
def test_any_manifest_comes_back(made: Manifest) -> None:
    data = manifest.encode(made)
    assert manifest.decode(data) == made
    assert manifest.encode(manifest.decode(data)) == data


@given(manifests(), st.data())
def test_a_changed_byte_is_read_or_refused_never_anything_else(
    made: Manifest, data: st.DataObject
) -> None:
    changed = bytearray(manifest.encode(made))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        assert manifest.encode(manifest.decode(bytes(changed))) == bytes(changed)


@pytest.mark.parametrize("cut", range(0, len(GOLDEN), 5))
def test_a_truncated_manifest_is_refused(cut: int) -> None:
    with pytest.raises(BitstreamError) as caught:
        manifest.decode(GOLDEN[:cut])
    assert caught.value.code is ErrorCode.BAD_LENGTH


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(BitstreamError, match="after the end"):
        manifest.decode(GOLDEN + b"\x00")


def changed(at: int, value: int) -> bytes:
    data = bytearray(GOLDEN)
    data[at] = value
    return bytes(data)


FIRST_UNIT = GOLDEN.index(bytes.fromhex("0008008827"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed(0, 0), ErrorCode.BAD_MAGIC),
        (changed(3, 1), ErrorCode.BAD_VERSION),
        (changed(5, ord("A")), ErrorCode.BAD_FIELD),
        (changed(8, 0), ErrorCode.BAD_FIELD),
        (changed(FIRST_UNIT, 9), ErrorCode.BAD_FIELD),
        (changed(FIRST_UNIT + 1, 0x48), ErrorCode.BAD_FIELD),
        (changed(FIRST_UNIT + 1, 0x20), ErrorCode.BAD_FIELD),
        (changed(FIRST_UNIT + 1, 0x10), ErrorCode.BAD_FIELD),
        (GOLDEN[:-1] + b"\x01\x02\x00", ErrorCode.BAD_VERSION),
        (GOLDEN[:-1] + b"\x02\x03\x00\x01\x00", ErrorCode.BAD_FIELD),
        (GOLDEN[:-1] + b"\x02\x03\x00\x03\x00", ErrorCode.BAD_FIELD),
    ],
)
def test_a_malformed_manifest_is_refused(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(BitstreamError) as caught:
        manifest.decode(data)
    assert caught.value.code is code


def test_an_enormous_manifest_is_refused_unread() -> None:
    with pytest.raises(LimitError, match="at most 10"):
        manifest.decode(bytes(11), limits=Limits(manifest_size=10))


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": 600},
        {"packet_size": 15},
        {"source_root": bytes(31)},
        {"repair_root": bytes(32)},
        {"repair_symbols": 1},
        {"repair_body": 150},
        {"repair_root": bytes(31), "repair_symbols": 1, "repair_body": 150},
        {"repair_root": bytes(32), "repair_symbols": 1},
        {"fidelity": Fidelity(weight_snr=math.nan)},
        {"fidelity": Fidelity(weight_snr=-math.inf)},
        {"fidelity": Fidelity(weight_snr=1.0, output_snr=1001.0)},
    ],
)
def test_an_entry_that_contradicts_itself_cannot_be_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(BitstreamError) as caught:
        entry(**wrong)
    assert caught.value.code is ErrorCode.BAD_FIELD


REPAIR = {"repair_root": bytes(32), "repair_body": 150, "repair_symbols": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (1 << 30) + 1},
        {"packet_size": (1 << 14) + 1},
        {"layer": 256},
        {"repair_head": 4001},
        {"repair_body": 4001},
        {"parity_size": 5000},
        {"fidelity": Fidelity(weight_snr=1.0, output_snr=1.0, probes=65537)},
        {**REPAIR, "repair_symbols": 26},
        {**REPAIR, "size": 1 << 30, "packet_size": 1 << 14, "repair_symbols": (1 << 16) + 1},
    ],
)
def test_an_entry_over_a_limit_cannot_be_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(LimitError):
        entry(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "timestamp"},
        {"name": "../x"},
        {"format": "TFLite"},
        {"release": 0},
        {"model_size": 0},
        {"model_sha256": bytes(31)},
        {"weights": -1},
        {"units": ()},
        {"units": (EXACT,)},
    ],
)
def test_a_release_that_makes_no_sense_cannot_be_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(BitstreamError):
        replace(MANIFEST, **wrong)


@pytest.mark.parametrize("parent", [None, 1, 2, -1])
def test_a_unit_builds_on_one_before_it(parent: int | None) -> None:
    with pytest.raises(BitstreamError) as caught:
        replace(MANIFEST, units=(entry(), replace(EXACT, parent=parent)))
    assert caught.value.code is ErrorCode.WRONG_PARENT


def test_a_base_builds_on_nothing() -> None:
    with pytest.raises(BitstreamError):
        replace(MANIFEST, units=(entry(), entry(parent=0)))


def test_too_many_units_are_refused() -> None:
    with pytest.raises(LimitError):
        replace(MANIFEST, units=(entry(),) * 257)
    with pytest.raises(LimitError):
        replace(MANIFEST, model_size=(2 << 30) + 1)


def test_sizes_and_paths_follow_from_the_entry() -> None:
    assert (EXACT.packets, EXACT.page_size, EXACT.hashes_size, EXACT.repair_size) == (
        5, 6 * 32, 6 * 32 + 99, 1200,
    )  # fmt: skip
    assert EXACT.path == "units/" + "02" * 16
    assert EXACT.hashes_path == f"{EXACT.path}.00010203.hashes"
    assert EXACT.repair_path == f"{EXACT.path}.00010203.repair"
    assert entry().hashes_path == f"{entry().path}.hashes"
    assert all(layout.is_path(path) for path in (EXACT.path, EXACT.hashes_path))


def test_a_chain_leads_from_the_base_to_the_unit() -> None:
    middle = replace(EXACT, kind=UnitKind.ENHANCEMENT)
    made = replace(MANIFEST, units=(entry(), middle, replace(EXACT, parent=1), EXACT))
    assert made.chain(2) == (0, 1, 2)
    assert made.chain(3) == (0, 3)
    assert made.chain(0) == (0,)
    assert made.base == entry()
    assert made.target == "abr/1.manifest"


def test_fidelity_is_kept_to_a_hundredth_of_a_decibel() -> None:
    kept = entry(fidelity=Fidelity(weight_snr=20.126, output_snr=None, probes=7)).fidelity
    assert kept == Fidelity(weight_snr=20.13)


@pytest.mark.parametrize("path", ["abr/1.manifest", "abr/2147483647.manifest"])
def test_a_release_is_read_off_its_path(path: str) -> None:
    assert layout.release_of(path, "abr") == int(path[4:-9])


@pytest.mark.parametrize(
    "path",
    ["face/1.manifest", "abr/0.manifest", "abr/01.manifest", "abr/1.json", "abr/x/1.manifest"],
)
def test_other_targets_are_no_releases(path: str) -> None:
    assert layout.release_of(path, "abr") is None


def test_a_bundle_has_its_network_s_name() -> None:
    assert layout.bundle_path("abr") == "bundles/abr.bundle"
