"""Damaged bundles, whole and in pieces: the same files, and none that leaves the repository."""

from choices import Choices
from midstream.errors import DataError
from midstream.trust import bundle, layout, manifest
from mutations import damage
from trusting import release

FILES = {
    "metadata/timestamp.json": b"{}",
    "targets/abr/1.manifest": manifest.encode(release()),
    "b": b"x" * 90,
    "empty": b"",
}
BUNDLE = bundle.encode(FILES)


def whole(data: bytes) -> dict[str, bytes] | None:
    """What is in it, or None where it is refused."""
    try:
        return bundle.decode(data)
    except DataError:
        return None


def pieces(data: bytes, size: int) -> tuple[dict[str, bytes], bool]:
    """What comes out in pieces, and whether that was all."""
    reader = bundle.BundleReader()
    found: dict[str, bytes] = {}
    for start in range(0, len(data), size):
        found |= reader.feed(data[start : start + size])
    return found, reader.is_whole


def test_one(choices: Choices) -> None:
    """Raw bytes, or a good one with damage, in pieces of one size."""
    size = choices.integer(1, 300)
    data = choices.raw(1 << 10) if choices.integer(0, 15) == 0 else damage(BUNDLE, choices)
    decoded = whole(data)
    found, is_whole = pieces(data, size)
    assert is_whole == (decoded is not None)
    if decoded is not None:
        assert found == decoded
        assert whole(bundle.encode(decoded)) == decoded
    assert all(layout.is_path(path) for path in found)
