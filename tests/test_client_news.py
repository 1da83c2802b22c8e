"""What a client reads of a release that it did not know, and what it is told of it wrongly."""

import tempfile
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest

from midstream import Publisher, Signer
from midstream.client.keeping import Keeper
from midstream.client.metadata import MetadataSource
from midstream.client.metering import Meter
from midstream.client.sharing import SharedLink
from midstream.errors import ErrorCode, TrustError
from midstream.limits import LIMITS
from midstream.origin.files import Files
from midstream.session import Policy
from midstream.testing import MemoryRepository
from midstream.transport import Announcement
from midstream.transport.channel import version_of
from midstream.trust import bundle
from models import mlp
from published import NAME, SIZES, Published, signer

TIMESTAMP, NEWS = "metadata/timestamp.json", f"bundles/{NAME}.news"
NEXT_ROOT = "metadata/2.root.json"


def repository_after(releases: int) -> Published:
    """The same repository, after one release or two."""
    return _states()[releases - 1]


@cache
def _states() -> tuple[Published, ...]:
    models = tuple(mlp(SIZES, seed=seed) for seed in (1, 2))
    with tempfile.TemporaryDirectory() as made:
        publisher = Publisher(made, signer=signer())
        states = []
        for count, model in enumerate(models, start=1):
            publisher.publish(model, name=NAME, ladder="2.5b,exact")
            files = MemoryRepository.of(made).files
            states.append(Published(models=models[:count], files=files))
    return tuple(states)


@asynccontextmanager
async def following(repository: MemoryRepository, root: bytes) -> AsyncIterator[MetadataSource]:
    """A client that has looked once."""
    async with Keeper.open(None, on_event=lambda _: None) as keeper:
        source = MetadataSource(repository, NAME, root=root, keeper=keeper)
        await source.first()
        await source.poll()
        repository.trace.clear()
        yield source


def asked(repository: MemoryRepository) -> list[str]:
    return [record.path for record in repository.trace]


def announced(files: dict[str, bytes], news: bytes = b"") -> Announcement:
    return Announcement(version=version_of(files[TIMESTAMP]), news=news)


async def test_an_announced_release_costs_one_request_beside_that_for_a_root() -> None:
    made, news = repository_after(1), repository_after(2)
    repository = MemoryRepository(made.files)
    async with following(repository, made.root) as source:
        repository.files = dict(news.files)
        assert await source.poll(announced(news.files)) == news.manifest
        assert asked(repository) == [NEWS, NEXT_ROOT]
        assert source.version == announced(news.files).version
        assert await source.poll() == news.manifest
        assert [record.status for record in repository.trace[2:]] == [304]


async def test_news_that_come_with_an_announcement_are_not_asked_for() -> None:
    made, news = repository_after(1), repository_after(2)
    repository = MemoryRepository(made.files)
    async with following(repository, made.root) as source:
        repository.files = dict(news.files)
        assert await source.poll(announced(news.files, news.files[NEWS])) == news.manifest
        assert asked(repository) == [NEXT_ROOT]


async def test_a_release_that_a_poll_finds_costs_one_request_more() -> None:
    made, news = repository_after(1), repository_after(2)
    repository = MemoryRepository(made.files)
    async with following(repository, made.root) as source:
        repository.files = dict(news.files)
        assert await source.poll() == news.manifest
        assert asked(repository) == [TIMESTAMP, NEXT_ROOT, NEWS]


def absent(_: dict[str, bytes]) -> dict[str, bytes]:
    return {}


def stale(_: dict[str, bytes]) -> dict[str, bytes]:
    return {NEWS: repository_after(1).files[NEWS]}


def damaged(files: dict[str, bytes]) -> dict[str, bytes]:
    return {NEWS: bytes([files[NEWS][0] ^ 1]) + files[NEWS][1:]}


def forged(files: dict[str, bytes]) -> dict[str, bytes]:
    """The right timestamp, and what it does not lead to."""
    parts = bundle.decode(bundle.decompress(files[NEWS]))
    forged_parts = {
        path: data if path == TIMESTAMP else data[:-2] + b" }" for path, data in parts.items()
    }
    return {NEWS: bundle.compress(bundle.encode(forged_parts))}


def bomb(_: dict[str, bytes]) -> dict[str, bytes]:
    return {NEWS: zlib.compress(bytes(2 * LIMITS.metadata_size))}


@pytest.mark.parametrize("change", [absent, stale, damaged, forged, bomb])
@pytest.mark.parametrize("is_announced", [True, False])
async def test_news_that_are_no_good_cost_requests_and_nothing_else(
    change: Callable[[dict[str, bytes]], dict[str, bytes]], is_announced: bool
) -> None:
    """[TRU-2]"""
    made, news = repository_after(1), repository_after(2)
    rest = {path: data for path, data in news.files.items() if path != NEWS}
    repository = MemoryRepository(made.files)
    async with following(repository, made.root) as source:
        repository.files = rest | change(dict(news.files))
        assert await source.poll(announced(news.files) if is_announced else None) == news.manifest
        assert "metadata/2.snapshot.json" in asked(repository)


@pytest.mark.parametrize("change", [stale, damaged, forged, bomb])
async def test_news_on_a_channel_that_are_no_good_cost_requests_and_nothing_else(
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
) -> None:
    """[DEL-15]"""
    made, news = repository_after(1), repository_after(2)
    repository = MemoryRepository(made.files)
    async with following(repository, made.root) as source:
        repository.files = dict(news.files)
        told = announced(news.files, change(dict(news.files))[NEWS])
        assert await source.poll(told) == news.manifest
        assert NEWS in asked(repository) or "metadata/2.snapshot.json" in asked(repository)


async def test_an_old_release_on_a_channel_does_not_pass_for_the_one_that_was_verified() -> None:
    """[DEL-15] The origin is asked in its place, and what is looked up next begins with that."""
    made, news = repository_after(1), repository_after(2)
    repository = MemoryRepository(news.files)
    async with following(repository, news.root) as source:
        assert await source.poll(announced(made.files, made.files[NEWS])) == news.manifest
        assert source.version == announced(news.files).version
        meter = Meter(SharedLink(), Policy(), weight=1.0, marks=None, tell=lambda _: None)
        with pytest.raises(TrustError) as caught:
            await source.offer("city", 2, meter)
        assert caught.value.code is not ErrorCode.ROLLBACK


async def test_what_is_known_under_other_versions_keeps_no_client_from_looking() -> None:
    """[DEL-16] Signatures are of what a file says: with a space more at its end they are good."""
    made, news = repository_after(1), repository_after(2)
    repository = MemoryRepository(made.files)
    parts = bundle.decode(bundle.decompress(made.files[NEWS]))
    async with following(repository, made.root) as source:
        for spaces in (1, 2):
            again = parts | {TIMESTAMP: parts[TIMESTAMP] + b" " * spaces}
            told = announced(again, bundle.compress(bundle.encode(again)))
            repository.trace.clear()
            assert await source.poll(told) == made.manifest
            assert TIMESTAMP in asked(repository)
        repository.files = dict(news.files)
        assert await source.poll(told) == news.manifest


async def test_news_of_other_keys_are_refused_whoever_announces_them() -> None:
    """[DEL-15]"""
    made = repository_after(1)
    repository = MemoryRepository(made.files)
    async with following(repository, made.root) as source:
        other = forged_repository()
        repository.files = {**made.files, **other}
        for told in (announced(other), announced(other, other[NEWS])):
            with pytest.raises(TrustError):
                await source.poll(told)
        repository.files = dict(made.files)
        assert await source.poll() == made.manifest


def forged_repository() -> dict[str, bytes]:
    """A later timestamp and its news, signed by keys that the root does not name."""
    files = repository_after(2).files
    parts = bundle.decode(bundle.decompress(files[NEWS]))
    text = parts[TIMESTAMP].replace(b'"version":2}}', b'"version":9}}')
    assert text != parts[TIMESTAMP]
    return {
        TIMESTAMP: text,
        NEWS: bundle.compress(bundle.encode(parts | {TIMESTAMP: text})),
    }


async def test_a_newer_root_is_followed_before_the_news_that_its_keys_signed(
    tmp_path: Path,
) -> None:
    """[TRU-3]"""
    repository_after(1).write(tmp_path)
    publisher = Publisher(tmp_path, signer=signer())
    root = (tmp_path / "1.root.json").read_bytes()
    repository = MemoryRepository.of(tmp_path)
    async with following(repository, root) as source:
        publisher.rotate("timestamp", [Signer(bytes(32))])
        repository.files = MemoryRepository.of(tmp_path).files
        await source.poll(announced(repository.files))
        assert asked(repository) == [NEWS, NEXT_ROOT, "metadata/3.root.json"]


def test_what_is_announced_is_what_the_origin_calls_a_version(tmp_path: Path) -> None:
    made = repository_after(1)
    made.write(tmp_path)
    file = Files(tmp_path).open(TIMESTAMP)
    assert file is not None
    file.close()
    assert file.etag == announced(made.files).version
