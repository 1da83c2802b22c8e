"""Small zstd frames unpacked at once: what comes back, and what does not."""

import threading

import numpy as np
import pytest
import zstandard

from midstream.codec.unpacking import unpack_small

CONTENT = bytes(range(256)) * 4
FRAME = zstandard.ZstdCompressor(write_content_size=False).compress(CONTENT)


def test_a_small_frame_comes_back() -> None:
    assert unpack_small(FRAME, len(CONTENT)) == CONTENT


def test_a_frame_of_nothing_comes_back() -> None:
    assert unpack_small(zstandard.ZstdCompressor().compress(b""), 0) == b""


@pytest.mark.parametrize("size", [0, len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_frame_of_another_size_does_not(size: int) -> None:
    assert unpack_small(FRAME, size) is None


@pytest.mark.parametrize("size", range(6, len(FRAME)))
def test_a_truncated_frame_does_not(size: int) -> None:
    assert unpack_small(FRAME[:size], len(CONTENT)) is None


@pytest.mark.parametrize("claimed", [len(CONTENT) + 1, 1 << 60])
def test_a_frame_that_claims_more_reserves_nothing(claimed: int) -> None:
    """RFC 8878 3.1.1.1: a window of 1 kB, and a content of any size."""
    frame = b"\x28\xb5\x2f\xfd\xc0\x00" + claimed.to_bytes(8, "little")
    assert unpack_small(frame + FRAME[6:], len(CONTENT)) is None


def test_a_damaged_frame_does_not_spoil_the_next() -> None:
    damaged = FRAME[:-6] + bytes(6)
    assert unpack_small(damaged, len(CONTENT)) != CONTENT
    assert unpack_small(FRAME, len(CONTENT)) == CONTENT


def test_a_large_frame_is_left_to_others() -> None:
    content = bytes(1 << 20)
    assert unpack_small(zstandard.ZstdCompressor().compress(content), len(content)) is None


def test_a_small_frame_of_a_large_window_is_left_to_others() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=23, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert unpack_small(packer.compress(CONTENT) + packer.flush(), len(CONTENT)) is None


def test_threads_do_not_share_what_they_unpack_with() -> None:
    rng = np.random.default_rng(7)
    contents = [bytes(rng.integers(0, 9, 100_000, np.uint8)) for _ in range(4)]
    frames = [zstandard.ZstdCompressor().compress(content) for content in contents]
    wrong: list[int] = []

    def work(which: int) -> None:
        found = [unpack_small(frames[which], 100_000) for _ in range(20)]
        wrong.extend(which for content in found if content != contents[which])

    threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
