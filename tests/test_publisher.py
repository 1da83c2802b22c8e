"""A model file to a signed release in a folder, and what is refused on the way."""

import errno
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from midstream import KeyRing, Publisher, Signer, decoder, fec, find_backend
from midstream.client import Delivery
from midstream.errors import (
    ErrorCode,
    FormatError,
    LimitError,
    MidstreamError,
    StoreError,
    TrustError,
    UsageError,
)
from midstream.publisher import RepositoryFolder
from midstream.publisher.audit import audit
from midstream.testing import FakeBackend, Fault
from midstream.trust import bundle, layout
from midstream.trust.keys import ROLES
from midstream.types import UnitKind
from models import mlp
from published import NAME, published, signer

MODEL = mlp((16, 32, 4), seed=3)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "repo", signer=signer())


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return tmp_path / "repo"


def test_a_release_says_what_it_is(publisher: Publisher) -> None:
    release = publisher.publish(MODEL, name=NAME, ladder=("3b", "exact"))
    assert (release.name, release.number) == (NAME, 1)
    assert release.rungs == ("3b", "exact")
    assert release.sizes == tuple(entry.size for entry in release.manifest.units)
    assert [entry.kind for entry in release.manifest.units] == [UnitKind.BASE, UnitKind.EXACT]
    assert str(release).startswith(f"{NAME} v1: base ")
    assert "dB at the weights), exact +" in str(release)


def test_a_release_of_one_exact_rung_says_so(publisher: Publisher) -> None:
    release = publisher.publish(MODEL, name=NAME, ladder="exact")
    assert "(exact)" in str(release)


def test_outputs_are_measured_where_there_is_a_runtime(repo: Path) -> None:
    publisher = Publisher(repo, signer=signer(), backend=find_backend())
    release = publisher.publish(MODEL, name=NAME, ladder=("4b", "exact"))
    base = release.manifest.base
    assert base.fidelity.output_snr is not None
    assert base.fidelity.probes > 0
    assert "dB at the outputs" in str(release)


@pytest.mark.parametrize("fault", [Fault.LOADING, Fault.RUNNING, Fault.NOT_FINITE])
def test_an_original_that_does_not_run_is_judged_by_its_weights(repo: Path, fault: Fault) -> None:
    told: list[str] = []
    publisher = Publisher(repo, signer=signer(), backend=FakeBackend(fault=fault))
    release = publisher.publish(MODEL, name=NAME, ladder="exact", progress=told.append)
    assert release.manifest.base.fidelity.output_snr is None
    assert any("does not run here" in line for line in told)


def test_a_rung_that_misses_its_target_is_published_with_what_it_is_and_said(
    publisher: Publisher,
) -> None:
    told: list[str] = []
    release = publisher.publish(MODEL, name=NAME, ladder="0.3kB,exact", progress=told.append)
    base = release.manifest.base
    assert base.size > 300
    (remark,) = release.remarks
    assert remark.startswith(f"0.3kB is missed: {base.size / 1000:.2f} kB")
    assert remark in told


def test_a_model_comes_from_a_file_as_from_bytes(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(MODEL)
    first = publisher.publish(tmp_path / "model.tflite", name="one", ladder="3b,exact")
    second = publisher.publish(MODEL, name="two", ladder=["3b", "exact"])
    assert first.manifest.units == second.manifest.units


def test_units_in_the_folder_give_the_model_back(publisher: Publisher, repo: Path) -> None:
    release = publisher.publish(MODEL, name=NAME, ladder="3b,exact")
    units = [(repo / entry.path).read_bytes() for entry in release.manifest.units]
    assert decoder.rebuild(units) == MODEL


def test_everything_in_the_folder_is_as_signed(publisher: Publisher, repo: Path) -> None:
    publisher.publish(MODEL, name="one", ladder="3b,exact")
    publisher.publish(MODEL, name="two", ladder="exact", repair=0)
    found = audit(repo, (repo / layout.PINNED_ROOT).read_bytes())
    assert [(f.name, f.release, f.units) for f in found] == [("one", 1, 2), ("two", 1, 1)]


def test_every_signed_file_has_parity_that_goes_with_it(publisher: Publisher, repo: Path) -> None:
    publisher.publish(MODEL, name=NAME, ladder="exact")
    signed = [p for p in repo.rglob("*") if p.suffix in (".json", ".manifest", ".bundle")]
    for file in signed:
        data = file.read_bytes()
        parity = file.with_name(file.name + ".repair").read_bytes()
        assert fec.correct(bytes([data[0] ^ 1]) + data[1:], parity) == data


def test_the_bundle_has_all_that_a_client_needs_first(publisher: Publisher, repo: Path) -> None:
    release = publisher.publish(MODEL, name=NAME, ladder="3b,exact")
    parts = bundle.decode((repo / layout.bundle_path(NAME)).read_bytes())
    assert release.manifest.base.path in parts
    assert layout.TIMESTAMP_PATH in parts
    for path, data in parts.items():
        assert (repo / path).read_bytes() == data


def test_a_base_that_is_large_is_not_in_the_bundle(
    publisher: Publisher, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midstream.publisher.signing._BUNDLED_BASE", 100)
    release = publisher.publish(MODEL, name=NAME, ladder="exact")
    parts = bundle.decode((repo / layout.bundle_path(NAME)).read_bytes())
    assert release.manifest.base.path not in parts


def test_a_name_that_exists_gets_its_next_release(publisher: Publisher, repo: Path) -> None:
    numbers = [publisher.publish(MODEL, name=NAME, ladder="exact").number for _ in range(3)]
    assert numbers == [1, 2, 3]
    again = Publisher(repo, signer=signer())
    assert again.publish(MODEL, name=NAME, ladder="exact").number == 4


def test_names_count_by_themselves(publisher: Publisher) -> None:
    publisher.publish(MODEL, name="one", ladder="exact")
    assert publisher.publish(MODEL, name="two", ladder="exact").number == 1


def test_a_key_for_each_role_will_do(repo: Path) -> None:
    ring = KeyRing(signers={role: (Signer.generate(),) for role in ROLES})
    Publisher(repo, signer=ring).publish(MODEL, name=NAME, ladder="exact")
    assert audit(repo, (repo / layout.PINNED_ROOT).read_bytes())


def test_other_keys_may_not_publish(publisher: Publisher, repo: Path) -> None:
    publisher.publish(MODEL, name=NAME, ladder="exact")
    before = {p: p.read_bytes() for p in (repo / "metadata").iterdir()}
    with pytest.raises(MidstreamError):
        Publisher(repo, signer=Signer(bytes(32))).publish(MODEL, name=NAME, ladder="exact")
    assert {p: p.read_bytes() for p in (repo / "metadata").iterdir()} == before


@pytest.mark.parametrize("name", ["", "Ä", "../up", "a b", "x" * 65, "root", "snapshot", ".x", "A"])
def test_a_name_that_cannot_be_one_is_refused(publisher: Publisher, repo: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        publisher.publish(MODEL, name=name)
    assert caught.value.code is ErrorCode.BAD_NAME
    assert not repo.exists()


@pytest.mark.parametrize("repair", [-0.1, 2.1, float("nan"), float("inf")])
def test_repair_that_makes_no_sense_is_refused(publisher: Publisher, repair: float) -> None:
    with pytest.raises(UsageError) as caught:
        publisher.publish(MODEL, name=NAME, repair=repair)
    assert caught.value.code is ErrorCode.BAD_ARGUMENT


@pytest.mark.parametrize("repair", [0.001, 0.15, 1.0, 2.0])
def test_any_other_repair_will_do(repo: Path, publisher: Publisher, repair: float) -> None:
    release = publisher.publish(MODEL, name=NAME, ladder="exact", repair=repair)
    assert release.manifest.base.repair_symbols > 0
    assert audit(repo, (repo / layout.PINNED_ROOT).read_bytes())


@pytest.mark.parametrize("ladder", ["", "x", "exact,2b", "4b,2b", "2.5b,,exact", "-1b", "0kB"])
def test_a_ladder_that_makes_no_sense_is_refused(
    publisher: Publisher, repo: Path, ladder: str
) -> None:
    with pytest.raises(UsageError) as caught:
        publisher.publish(MODEL, name=NAME, ladder=ladder)
    assert caught.value.code is ErrorCode.BAD_LADDER
    assert not repo.exists()


@pytest.mark.parametrize("data", [b"", b"hello", MODEL[: len(MODEL) // 2], bytes(100)])
def test_a_file_that_is_no_model_is_refused(publisher: Publisher, repo: Path, data: bytes) -> None:
    with pytest.raises((FormatError, LimitError)):
        publisher.publish(data, name=NAME)
    assert not repo.exists()


def test_a_file_that_is_not_there_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    for path in (tmp_path / "no.tflite", tmp_path):
        with pytest.raises(UsageError) as caught:
            publisher.publish(path, name=NAME)
        assert str(path) in caught.value.message


def test_a_file_that_is_too_large_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate((2 << 30) + 1)  # sparse
    with pytest.raises(MidstreamError) as caught:
        publisher.publish(tmp_path / "large", name=NAME)
    assert caught.value.code is ErrorCode.OVER_LIMIT


def test_another_publisher_at_work_is_an_error(publisher: Publisher, repo: Path) -> None:
    with RepositoryFolder(repo).locked(), pytest.raises(StoreError) as caught:
        publisher.publish(MODEL, name=NAME, ladder="exact")
    assert "another publisher" in caught.value.message
    assert publisher.publish(MODEL, name=NAME, ladder="exact").number == 1


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        Publisher(tmp_path / "file" / "repo", signer=signer()).publish(
            MODEL, name=NAME, ladder="exact"
        )


@pytest.mark.parametrize("files", range(16))
async def test_a_disk_that_fills_up_leaves_a_whole_release_in_force(
    publisher: Publisher, repo: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    publisher.publish(MODEL, name=NAME, ladder="exact")
    synced, calls = os.fsync, []

    def refuse(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 2 * files:  # each file and its folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced(handle)

    news = mlp((16, 32, 4), seed=9)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError) as caught:
            publisher.publish(news, name=NAME, ladder="3b,exact")
    assert caught.value.code is ErrorCode.STORE_FULL
    root = (repo / layout.PINNED_ROOT).read_bytes()
    async with Delivery.open(str(repo), NAME, root=root) as delivery:
        await delivery.check()
        await delivery.complete()
        expected = MODEL if delivery.manifest.release == 1 else news
        assert await delivery.rebuild() == expected
    assert publisher.publish(MODEL, name=NAME, ladder="exact").number in (2, 3)
    assert audit(repo, root)


def test_progress_is_told(publisher: Publisher) -> None:
    told: list[str] = []
    publisher.publish(MODEL, name=NAME, ladder="3b,exact", progress=told.append)
    assert told[0].startswith("layer 0 (3b): ")
    assert told[-1] == f"{NAME} release 1 signed"


def test_news_are_there_before_the_timestamp_that_has_them_sent(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = RepositoryFolder.write

    def note(self: RepositoryFolder, files: Mapping[str, bytes]) -> None:
        written.extend(files)
        write(self, files)

    monkeypatch.setattr(RepositoryFolder, "write", note)
    publisher = Publisher(repo, signer=signer())
    publisher.publish(MODEL, name=NAME, ladder="exact")
    assert written.index(layout.news_path(NAME)) < written.index(layout.TIMESTAMP_PATH)
    written.clear()
    publisher.rotate("timestamp", [Signer(bytes(32))])
    at = written.index(layout.TIMESTAMP_PATH)
    assert at < written.index("metadata/2.root.json")  # [TRU-15]


def test_metadata_is_renewed_before_it_runs_out(repo: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=3)
    Publisher(repo, signer=signer(), clock=lambda: past).publish(MODEL, name=NAME, ladder="exact")
    before = json.loads((repo / layout.TIMESTAMP_PATH).read_bytes())["signed"]["expires"]
    assert Publisher(repo, signer=signer()).renew() == (NAME,)
    after = json.loads((repo / layout.TIMESTAMP_PATH).read_bytes())["signed"]["expires"]
    assert after > before
    assert audit(repo, (repo / layout.PINNED_ROOT).read_bytes())


def test_nothing_can_be_renewed_where_nothing_was_published(publisher: Publisher) -> None:
    with pytest.raises(UsageError) as caught:
        publisher.renew()
    assert caught.value.code is ErrorCode.NOT_FOUND


def changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["path", "hashes_path", "repair_path"])
def test_the_audit_finds_a_changed_byte(tmp_path: Path, what: str) -> None:
    made = published(1)
    repo = made.write(tmp_path / "repo")
    path = getattr(made.manifest.units[-1], what)
    changed(repo / path)
    with pytest.raises(TrustError) as caught:
        audit(repo, made.root)
    assert caught.value.code is ErrorCode.BAD_HASH
    assert path in caught.value.message


@pytest.mark.parametrize("what", ["path", "hashes_path", "repair_path"])
def test_the_audit_finds_a_file_that_is_too_long_or_missing(tmp_path: Path, what: str) -> None:
    made = published(1)
    repo = made.write(tmp_path / "repo")
    file = repo / getattr(made.manifest.units[-1], what)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(MidstreamError):
        audit(repo, made.root)
    file.unlink()
    with pytest.raises(MidstreamError) as caught:
        audit(repo, made.root)
    assert caught.value.code is ErrorCode.NOT_FOUND
    file.mkdir()
    with pytest.raises(MidstreamError):
        audit(repo, made.root)


def test_the_audit_finds_parity_that_is_of_no_use(tmp_path: Path) -> None:
    made = published(1)
    repo = made.write(tmp_path / "repo")
    parity = repo / "metadata" / "timestamp.json.repair"
    parity.write_bytes(fec.protect(b"something else"))
    with pytest.raises(TrustError) as caught:
        audit(repo, made.root)
    assert "timestamp.json.repair" in caught.value.message


def test_the_audit_wants_a_folder_with_a_network(tmp_path: Path) -> None:
    for folder in (tmp_path / "no", tmp_path):
        with pytest.raises(UsageError):
            audit(folder, b"{}")


def test_repair_symbols_of_other_bytes_are_found(tmp_path: Path) -> None:
    made: Any = published(1)
    repo = made.write(tmp_path / "repo")
    entry = made.manifest.base
    (repo / entry.repair_path).write_bytes(bytes(entry.repair_size))
    with pytest.raises(TrustError):
        audit(repo, made.root)
