"""The vectors of spec/vectors/trust.json, read, and written again byte for byte."""

import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from midstream.errors import MidstreamError
from midstream.trust import bundle, manifest
from midstream.trust.keys import Signer
from midstream.trust.manifest import Extension
from midstream.trust.tree import HashPage
from midstream.trust.updates import TAG, updates_of, with_updates

FOLDER = Path(__file__).parent.parent / "spec" / "vectors"
VECTORS: Any = json.loads((FOLDER / "trust.json").read_text())


def test_the_vectors_are_what_the_generator_writes() -> None:
    assert runpy.run_path(str(FOLDER / "generate_trust.py"))["vectors"]() == VECTORS


@pytest.mark.parametrize("case", VECTORS["manifests"], ids=lambda case: case["name"])
def test_a_manifest_is_read_and_written_again(case: Any) -> None:
    data = bytes.fromhex(case["bytes"])
    read = manifest.decode(data)
    assert manifest.encode(read) == data
    assert f"{read.name}/{read.release}" == case["release"]
    assert [str(entry.fidelity.weight_snr) for entry in read.units] == case["snr"]
    paths = [(one.path, one.hashes_path, one.repair_path) for one in read.units]
    assert [path for three in paths for path in three] == case["paths"]


@pytest.mark.parametrize("case", VECTORS["wrong_manifests"], ids=lambda case: case["name"])
def test_a_wrong_manifest_is_refused_with_its_error(case: Any) -> None:
    with pytest.raises(MidstreamError) as caught:
        manifest.decode(bytes.fromhex(case["bytes"]))
    assert caught.value.code.name == case["error"]


def listing(extensions: tuple[Extension, ...]) -> manifest.Manifest:
    read = manifest.decode(bytes.fromhex(VECTORS["manifests"][0]["bytes"]))
    return replace(read, release=3, extensions=extensions)


@pytest.mark.parametrize("case", VECTORS["update_lists"], ids=lambda case: case["name"])
def test_a_list_of_updates_is_read_and_written_again(case: Any) -> None:
    extensions = tuple(
        Extension(tag=int(tag), value=bytes.fromhex(value))
        for tag, value in case["extensions"].items()
    )
    found = updates_of(listing(extensions))
    assert [
        [u.parent, u.release, u.parent_id.hex(), u.rung, u.work, u.unit.id] for u in found
    ] == case["updates"]
    assert with_updates(listing(()), found).extensions == extensions


@pytest.mark.parametrize("case", VECTORS["wrong_update_lists"], ids=lambda case: case["name"])
def test_a_wrong_list_of_updates_is_refused_with_its_error(case: Any) -> None:
    extension = Extension(tag=TAG, value=bytes.fromhex(case["bytes"]))
    with pytest.raises(MidstreamError) as caught:
        updates_of(listing((extension,)))
    assert caught.value.code.name == case["error"]


@pytest.mark.parametrize("case", VECTORS["hash_pages"], ids=lambda case: str(case["size"]))
def test_a_hash_page_is_read_and_made_again(case: Any) -> None:
    data = bytes(at % 256 for at in range(case["size"]))
    repair = bytes(at % 251 for at in range(100 * case["repair_symbols"]))
    page = HashPage.of(data, repair, 100)
    assert page.bytes().hex() == case["page"]
    roots = (page.source_root.hex(), page.repair_root.hex() if page.repair_root else None)
    assert roots == (case["source_root"], case["repair_root"])


def test_a_bundle_is_read_and_written_again() -> None:
    data = bytes.fromhex(VECTORS["bundle"]["bytes"])
    files = bundle.decode(data)
    assert {path: part.hex() for path, part in files.items()} == VECTORS["bundle"]["files"]
    assert bundle.encode(files) == data


@pytest.mark.parametrize("case", VECTORS["key_files"], ids=["plain", "sealed"])
def test_a_key_file_is_read(case: Any) -> None:
    read = Signer.from_bytes(bytes.fromhex(case["bytes"]), passphrase=case["passphrase"])
    assert (read.public.raw.hex(), read.public.keyid) == (case["public"], case["keyid"])
