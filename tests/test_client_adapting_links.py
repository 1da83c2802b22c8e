"""Adapters over links that cut, damage or exchange what comes, and from origins that are gone."""

import hashlib
from pathlib import Path

import pytest

from adapting import ADAPTED, PLAIN, checked, connected, of, offering, policy, running
from midstream import AdaptersRefused
from midstream.errors import ErrorCode, TransportError
from midstream.origin import Impairments, serve
from providing import Place

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return offering(tmp_path / "repo")


@pytest.mark.parametrize("kind", ["parcel", "policy"])
async def test_damage_on_the_way_is_mended_by_parity(place: Place, kind: str) -> None:
    place.adapters.sign_policy("net", "city", policy("east"))
    _flip(place, kind)
    async with connected(place) as (live, _):
        await checked(live)
        assert running(live)[1] == ADAPTED


@pytest.mark.parametrize("kind", ["parcel", "policy"])
async def test_a_file_that_was_exchanged_is_refused(place: Place, kind: str) -> None:
    """[CON-10]: by length and hash, as the network's keys signed for it."""
    place.adapters.sign_policy("net", "city", policy("east"))
    _flip(place, kind, with_parity=True)
    async with connected(place) as (live, events):
        await checked(live)
        assert running(live) == PLAIN
        assert of(events, AdaptersRefused)[0].error.code is ErrorCode.BAD_HASH
        _flip(place, kind)  # back
        await live.adapt()  # though there is no news
        live.swap()
        assert running(live)[1] == ADAPTED


def _flip(place: Place, kind: str, *, with_parity: bool = False) -> None:
    (file,) = [
        path
        for path in (place.folder / "targets" / "net.providers").glob(f"*.{kind}")
        if kind == "policy" or path.name.endswith(".east.parcel")
    ]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    if with_parity:
        file.with_name(file.name + ".repair").unlink(missing_ok=True)


async def test_adapters_come_over_a_link_that_cuts_and_damages(place: Place) -> None:
    found = place.adapters.sign_policy("net", "city", policy("east", "north"))
    assert found is not None
    bad = Impairments(loss=0.3, corrupt=0.9, seed=2)
    async with serve(place.folder, impairments=bad) as url, connected(place, url=url) as (live, _):
        await checked(live)
        assert running(live)[2] == hashlib.sha256(found.model).hexdigest()


async def test_an_origin_that_is_gone_costs_the_adapters_and_is_asked_again(place: Place) -> None:
    """[CON-14]."""
    place.adapters.sign_policy("net", "city", policy("east"))
    hidden = [*(place.folder / "targets" / "net.providers").iterdir()]
    for file in hidden:
        file.rename(file.with_name(f"x{file.name}"))
    async with connected(place) as (live, events):
        await checked(live)
        assert running(live) == PLAIN
        assert isinstance(of(events, AdaptersRefused)[0].error, TransportError)
        for file in hidden:
            file.with_name(f"x{file.name}").rename(file)
        await live.adapt()  # though there is no news
        live.swap()
        assert running(live)[1] == ADAPTED
