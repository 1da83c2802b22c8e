"""The real client in a network namespace of its own, over a link that the kernel breaks.

MIDSTREAM_NETEM=1 runs them, as `tox -e break-it` does. They need root, `ip` and `tc` (iproute2)
and the kernel's netem, and are skipped with what is missing.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from midstream.origin import serve
from midstream.origin.casting import cast
from midstream.transport.datagrams import Address
from published import NAME, Published
from waiting import IN_TIME

pytestmark = pytest.mark.skipif(
    os.environ.get("MIDSTREAM_NETEM") != "1", reason="takes long and root: MIDSTREAM_NETEM=1"
)

NUMBERS = count()
FAULTS = {
    "nothing": "",
    "loss": "loss 5%",
    "delay": "delay 50ms",
    "reorder": "delay 10ms reorder 25% 50%",
    "corrupt": "corrupt 2%",
    "duplicate": "duplicate 10%",
    "all": "loss 3% corrupt 1% duplicate 3% delay 20ms 10ms",
}
CLIENT = """
import asyncio, sys
from midstream.client import Delivery
async def main(url, name, root, out):
    with open(root, "rb") as file:
        pinned = file.read()
    async with Delivery.open(url, name, root=pinned) as delivery:
        await delivery.complete()
        with open(out, "wb") as file:
            file.write(await delivery.rebuild())
asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True)
class Link:
    """Two ends of a cable: one here, one in a namespace."""

    namespace: str
    here: str
    there: str
    """Addresses of the two ends."""
    device: str
    """The name of the end here."""

    def inside(self, *words: str) -> list[str]:
        """A command, in the namespace."""
        return ["ip", "netns", "exec", self.namespace, *words]


def run(*words: str) -> str:
    """What a command complains of, nothing where it does not."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"status {done.returncode}"


@pytest.fixture
def link() -> Iterator[Link]:
    if os.geteuid() or not shutil.which("ip") or not shutil.which("tc"):
        pytest.skip("network namespaces need root, and `ip` and `tc` of iproute2")
    number = next(NUMBERS)
    name = f"ms-{os.getpid()}-{number}"
    ends = f"ms{os.getpid() % 100000}a{number}", f"ms{os.getpid() % 100000}b{number}"
    made = Link(name, f"10.231.{number}.1", f"10.231.{number}.2", ends[0])
    try:
        for words in (
            f"ip netns add {name}",
            f"ip link add {ends[0]} type veth peer name {ends[1]} netns {name}",
            f"ip addr add {made.here}/24 dev {ends[0]}",
            f"ip link set {ends[0]} up",
            f"ip -n {name} addr add {made.there}/24 dev {ends[1]}",
            f"ip -n {name} link set {ends[1]} up",
        ):
            if problem := run(*words.split()):
                pytest.skip(f"no network namespaces here: {words}: {problem}")
        yield made
    finally:
        run("ip", "link", "del", ends[0])
        run("ip", "netns", "del", name)


def break_it(link: Link, faults: str) -> None:
    """What the kernel does to all that goes to the client."""
    if not faults:
        return
    words = ["tc", "qdisc", "add", "dev", link.device, "root", "netem", *faults.split()]
    if problem := run(*words):
        pytest.skip(f"the kernel has no netem: {problem}")


async def fetched(link: Link, made: Published, url: str, folder: Path) -> bytes:
    """The model that a client in the namespace rebuilds."""
    root, out = folder / "root", folder / "out"
    root.write_bytes(made.root)
    words = link.inside(sys.executable, "-c", CLIENT, url, NAME, str(root), str(out))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = await asyncio.create_subprocess_exec(*words, env=env)
    async with asyncio.timeout(IN_TIME):
        assert await process.wait() == 0
    return out.read_bytes()


@pytest.mark.parametrize("faults", FAULTS)
async def test_a_model_comes_over_tcp_that_the_kernel_breaks(
    faults: str, link: Link, made: Published, tmp_path: Path
) -> None:
    break_it(link, FAULTS[faults])
    async with serve(made.write(tmp_path / "repo"), host=link.here) as url:
        assert await fetched(link, made, url, tmp_path) == made.models[0]


@pytest.mark.parametrize("faults", FAULTS)
async def test_a_model_comes_over_a_carousel_that_the_kernel_breaks(
    faults: str, link: Link, made: Published, tmp_path: Path
) -> None:
    break_it(link, FAULTS[faults])
    to = Address(host=link.there, port=4433)
    repo = made.write(tmp_path / "repo")
    casting = asyncio.create_task(cast(repo, NAME, to, rate=8e6))
    try:
        assert await fetched(link, made, str(to), tmp_path) == made.models[0]
    finally:
        casting.cancel()
        await asyncio.gather(casting, return_exceptions=True)
