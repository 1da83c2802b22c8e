"""One bit flipped anywhere in what a server holds or a link carries: an exact model or an error.

MIDSTREAM_FLIPS says how many, `tox -e break-it` takes 10,000; a tenth of them are on a link.
"""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from midstream.client import Delivery
from midstream.errors import MidstreamError
from midstream.limits import Limits
from origins import Asked, origin
from published import NAME, Published
from waiting import IN_TIME

pytestmark = pytest.mark.once

FLIPS = int(os.environ.get("MIDSTREAM_FLIPS", "60"))
IN_LINKS = max(FLIPS // 10, 10)
BUNDLE = f"bundles/{NAME}.bundle"
LIMITS = Limits(attempts=2, connect_timeout=1.0, read_timeout=0.3)
Outcomes = dict[str, Counter[str]]


@pytest.fixture(scope="module")
def repo(made: Published) -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield made.write(Path(folder))


def kind_of(path: str) -> str:
    """What a file is, as the report names it."""
    folder, _, name = path.rpartition("/")
    what = {"": "pinned root", "units": "unit"}.get(folder, folder.partition("/")[0])
    for end, part in ((".repair", "repair"), (".hashes", "hash page"), (".news", "news")):
        if name.endswith(end):
            return f"{what}, {part}"
    return what


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def covered_by(path: str, files: dict[str, bytes]) -> str | None:
    """What a file of parity or hashes is read for, if it is one."""
    found = path.removesuffix(".repair").removesuffix(".hashes")
    found = found if found in files else found.rpartition(".")[0]
    return found if found != path and found in files else None


async def outcome(url: str, made: Published) -> str:
    """Exact, or the code of a clear error; another model is a failure, and so is a hang."""
    try:
        async with (
            asyncio.timeout(IN_TIME),
            Delivery.open(url, NAME, root=made.root, limits=LIMITS) as delivery,
        ):
            await delivery.complete()
            model = bytes(await delivery.rebuild())
            await delivery.check()
    except MidstreamError as error:
        is_clear = 0 < len(error.message) < 400 and "\n" not in error.message
        return error.code.name if is_clear else f"not clear: {error}"
    return "exact" if model == made.models[-1] else "ANOTHER MODEL"


def report(title: str, outcomes: Outcomes) -> None:
    """All counts, for those who look (`pytest -s`), and what must not be."""
    total = sum(sum(counts.values()) for counts in outcomes.values())
    print(f"{title}: {total} flips")  # noqa: T201
    for kind, counts in sorted(outcomes.items()):
        print(f"  {kind}: {dict(counts.most_common())}")  # noqa: T201
    words = {word for counts in outcomes.values() for word in counts}
    assert not {word for word in words if word != "exact" and not word.isupper()}
    assert "ANOTHER MODEL" not in words


async def test_a_flip_in_what_a_server_holds_is_repaired_or_told(
    made: Published, repo: Path
) -> None:
    """Half of the time without the bundle, which stands for most other files; and a quarter of the
    time a bit of what parity is for is flipped as well, since it is not read otherwise.
    """
    rng = random.Random(1)
    paths = sorted(made.files)
    outcomes: Outcomes = {}
    for number in range(FLIPS - IN_LINKS):
        path = BUNDLE if number % 8 == 0 else paths[number % len(paths)]
        covered = covered_by(path, made.files) if rng.random() < 0.25 else None
        for changed in filter(None, (path, covered)):
            size = len(made.files[changed])
            (repo / changed).write_bytes(flipped(made.files[changed], rng.randrange(8 * size)))
        is_bundled = path == BUNDLE or number % 2 == 0
        if not is_bundled:
            (repo / BUNDLE).unlink()
        outcomes.setdefault(kind_of(path), Counter())[await outcome(str(repo), made)] += 1
        for changed in filter(None, (path, covered)):
            (repo / changed).write_bytes(made.files[changed])
        (repo / BUNDLE).write_bytes(made.files[BUNDLE])
    report("held", outcomes)
    assert outcomes["unit"].keys() == {"exact"}, "units have repair symbols"
    assert outcomes["bundles"].keys() == {"exact"}, "a damaged bundle is gone without"


async def test_a_flip_in_what_a_link_carries_is_repaired_or_told(made: Published) -> None:
    """In any answer, in its head or its body."""
    rng = random.Random(2)
    outcomes: Outcomes = {}
    for number in range(IN_LINKS):
        files = dict(made.files)
        if number % 2:
            del files[BUNDLE]
        left = rng.randrange(4 if number % 2 == 0 else 10)
        where = "nothing"

        def behave(asked: Asked) -> bytes:
            nonlocal left, where
            answer = asked.honest()
            if left == 0:
                bit = rng.randrange(8 * len(answer))
                is_head = bit // 8 < answer.index(b"\r\n\r\n") + 4
                where = "head" if is_head or rng.random() < 0.5 else kind_of(asked.path)
                if where == "head" and not is_head:
                    bit = rng.randrange(8 * (answer.index(b"\r\n\r\n") + 4))
                answer = flipped(answer, bit)
            left -= 1
            return answer

        async with origin(files, behave) as (url, _):
            found = await outcome(url, made)
        outcomes.setdefault(where, Counter())[found] += 1
    report("carried", outcomes)
    assert sum(counts["exact"] for counts in outcomes.values()) > IN_LINKS // 2
