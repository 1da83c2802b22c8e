"""The example's traces and videos: what is read, refused and generated."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

import traces
from midstream.errors import (
    DataError,
    ErrorCode,
    LimitError,
    MidstreamError,
    StoreError,
    UsageError,
)
from midstream.limits import LIMITS
from traces import BENCHMARK, generate_traces, load_traces, parse_trace, read_members
from video import LADDER_KBPS, SEGMENTS, generate_video, load_video

GOOD = b"0.0 1.5\n1.0\t2.5\n\n2.5 0\n"


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(f"folder/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_a_trace_is_read() -> None:
    trace = parse_trace("bus", GOOD)
    assert trace.name == "bus"
    assert trace.seconds == (0.0, 1.0, 2.5)
    assert trace.mbps == (1.5, 2.5, 0.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least 2 samples"),
        (b"0 1\n", "at least 2 samples"),
        (b"0 1\n1 2 3\n", "line 2: 3 fields"),
        (b"0 1\n1\n", "line 2: 1 fields"),
        (b"0 1\n1 fast\n", "line 2: expected two finite numbers"),
        (b"0 1\n1 nan\n", "two finite numbers"),
        (b"0 1\n1 inf\n", "two finite numbers"),
        (b"0 1\n1 1e999\n", "two finite numbers"),
        (b"0 1\n1 -2\n", "rates of 0"),
        (b"0 1\n1 1e6\n", "rates of 0"),
        (b"0 1\n0 2\n", "rising times"),
        (b"2 1\n1 2\n", "rising times"),
        (b"-1 1\n1 2\n", "rising times"),
        (b"0 1\n0.5 2\n", "1 to 10000000 seconds"),
        (b"0 1\n1e9 2\n", "1 to 10000000 seconds"),
        (b"0 1\n1 0\n2 0\n", "a mean of"),
        (b"0 1\n1 \xff\n", "byte 6 is not text"),
        (b"\x1f\x8b\x08\0\0\0", "is not text"),
    ],
)
def test_what_is_no_trace_is_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_trace("bus", content)


def test_a_trace_with_too_many_samples_is_refused() -> None:
    content = b"".join(b"%d 1\n" % second for second in range(100_001))
    with pytest.raises(LimitError, match="100001 samples"):
        parse_trace("long", content)


def test_a_trace_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(LimitError, match="at most"):
        parse_trace("large", b"\0" * (LIMITS.trace_size + 1))


def test_a_folder_is_read_in_order_without_what_is_no_trace(tmp_path: Path) -> None:
    for name in ("b", "a", "README.md", "LICENSE", ".hidden"):
        (tmp_path / name).write_bytes(GOOD)
    (tmp_path / "below").mkdir()
    assert [trace.name for trace in load_traces(tmp_path)] == ["a", "b"]


def test_an_archive_is_read_in_order(tmp_path: Path) -> None:
    path = archive(tmp_path / "some.tar.gz", {"b": GOOD, "a": GOOD})
    assert [trace.name for trace in load_traces(path)] == ["a", "b"]


def test_a_folder_with_the_benchmark_stands_for_it(tmp_path: Path) -> None:
    archive(tmp_path / BENCHMARK, {"inside": GOOD})
    (tmp_path / "outside").write_bytes(GOOD)
    assert [trace.name for trace in load_traces(tmp_path)] == ["inside"]


def test_one_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "only").write_bytes(GOOD)
    assert [trace.name for trace in load_traces(tmp_path / "only")] == ["only"]


def test_nothing_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_traces(tmp_path / "missing")
    with pytest.raises(UsageError, match="no traces"):
        load_traces(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_torn_archive_is_one_clear_error(tmp_path: Path, share: float) -> None:
    path = archive(tmp_path / "torn.tar.gz", {"a": GOOD * 1000})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="not a whole"):
        load_traces(path)


@pytest.mark.parametrize("content", [b"no gzip at all" * 50, gzip.compress(b"no tar" * 500)])
def test_what_is_no_archive_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "false.tgz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a whole"):
        load_traces(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "_MAX_UNPACKED", 50_000)
    path = archive(tmp_path / "bomb.tar.gz", {"a": b"0 1\n" * 50_000})
    with pytest.raises(LimitError, match="unpacks to over 50000 bytes"):
        load_traces(path)


def test_a_member_that_is_too_large_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge")
    info.size = LIMITS.trace_size + 1
    path = tmp_path / "huge.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf() + bytes(10240)))
    with pytest.raises(LimitError, match="trace huge"):
        load_traces(path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_MAX_TRACES", 2)
    path = archive(tmp_path / "many.tar.gz", {"a": GOOD, "b": GOOD})
    with pytest.raises(LimitError, match="3 files"):
        load_traces(path)


def test_a_file_that_cannot_be_read_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(GOOD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreError, match="Permission denied"):
        list(read_members(tmp_path))


def test_generated_traces_are_the_same_for_the_same_seed() -> None:
    assert generate_traces(3, seed=4) == generate_traces(5, seed=4)[:3]
    assert generate_traces(1, seed=4) != generate_traces(1, seed=5)


def test_generated_traces_are_like_those_of_a_phone() -> None:
    made = generate_traces(60, seed=1)
    means = sorted(sum(trace.mbps) / len(trace.mbps) for trace in made)
    assert 0.8 < means[30] < 2.5
    assert means[0] > 0.05
    assert any(min(trace.mbps) < 0.05 for trace in made)


def test_a_generated_video_has_the_accepted_ladder() -> None:
    made = generate_video(seed=3)
    assert made == generate_video(seed=3) != generate_video(seed=4)
    assert made.segments == SEGMENTS
    assert all(list(row) == sorted(row) for row in made.sizes)
    for kbps, mean in zip(LADDER_KBPS, made.array.mean(axis=0), strict=True):
        assert mean * 8 / 4000 == pytest.approx(kbps, rel=0.05)


def write_sizes(folder: Path, lines: list[str], rungs: int = 6) -> None:
    for rung in range(rungs):
        (folder / f"video_size_{rung}").write_text("\n".join(lines))


def test_a_video_is_read(tmp_path: Path) -> None:
    write_sizes(tmp_path, [str(1000 + index) for index in range(49)])
    read = load_video(tmp_path)
    assert read.segments == SEGMENTS
    assert read.sizes[47] == (1047,) * 6


@pytest.mark.parametrize(
    "lines",
    [
        ["1000"] * 47,
        ["1000"] * 47 + ["0"],
        ["1000"] * 47 + ["-5"],
        ["1000"] * 47 + ["many"],
        ["1000"] * 47 + ["999999999"],
        ["1000"] * 47 + ["9" * 5000],
        ["1000"] * 20_000,
    ],
)
def test_what_is_no_video_is_one_clear_error(tmp_path: Path, lines: list[str]) -> None:
    write_sizes(tmp_path, lines)
    with pytest.raises(DataError, match="video_size_0"):
        load_video(tmp_path)


def test_a_missing_rung_is_one_clear_error(tmp_path: Path) -> None:
    write_sizes(tmp_path, ["1000"] * 48, rungs=5)
    with pytest.raises(MidstreamError, match="video_size_5") as refusal:
        load_video(tmp_path)
    assert refusal.value.code is ErrorCode.STORE_IO
