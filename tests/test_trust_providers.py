"""Providers and their parcels: who may contribute, and what is refused."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import TargetFile

from midstream.errors import BitstreamError, ErrorCode, LimitError, MidstreamError
from midstream.trust import bundle, layout, providers
from midstream.trust.keys import Signer
from midstream.trust.parcel import Evidence, Parcel, open_parcel, seal_parcel
from midstream.trust.providers import public_key
from trusting import DAY, NOW, World, signer, unsignable

EVIDENCE = Evidence(samples=1200, metrics={"accuracy": 0.91})
UNIT = b"a contribution" * 20


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A repository of one network with a provider."""
    made = World(tmp_path)
    made.publish()
    add(made, "north", signer(50))
    return made


def add(world: World, name: str, *keys: Signer, network: str = "abr", **options: Any) -> None:
    def change(role: Any) -> None:
        providers.add(role, network, name, [key.public for key in keys], **options)

    world.write(world.repository.change_providers(network, change, NOW))


def revoke(world: World, name: str, network: str = "abr") -> None:
    def change(role: Any) -> None:
        providers.remove(role, name)

    world.write(world.repository.change_providers(network, change, NOW))


def opened(world: World, data: bytes, **options: Any) -> Parcel:
    return open_parcel(data, "abr", world.reopen().providers_role("abr"), NOW, **options)


def names(world: World) -> list[str]:
    return [one.name for one in providers.providers(world.reopen().providers_role("abr"))]


def parcel(**changes: Any) -> Parcel:
    values: dict[str, Any] = {
        "provider": "north",
        "version": 1,
        "release": 1,
        "unit": UNIT,
        "evidence": EVIDENCE,
    }
    return Parcel(**{**values, **changes})


def sealed(
    *signers: Signer, network: str = "abr", expires: timedelta = DAY, **changes: Any
) -> bytes:
    return seal_parcel(parcel(**changes), network, signers or (signer(50),), NOW + expires)


def refused(world: World, data: bytes, code: ErrorCode, **options: Any) -> MidstreamError:
    with pytest.raises(MidstreamError) as caught:
        opened(world, data, **options)
    assert caught.value.code is code, str(caught.value)
    return caught.value


def test_a_parcel_comes_back_with_its_evidence(world: World) -> None:
    assert opened(world, sealed()) == parcel()


def test_clients_of_the_network_never_see_its_providers(world: World) -> None:
    fetched: list[str] = []

    def fetch(path: str, most: int) -> bytes:
        fetched.append(path)
        return world.fetch(path, most)

    client = world.client()
    client._fetch = fetch  # type: ignore[attr-defined]
    assert client.refresh("abr").release == 1
    assert not any("providers" in path for path in fetched)


def test_networks_are_listed_without_the_roles_of_providers(world: World) -> None:
    assert world.reopen().networks == ("abr",)
    assert names(world) == ["north"]


def test_the_next_release_and_a_renewal_keep_providers(world: World) -> None:
    world.publish(number=2, mark=2)
    world.write(world.reopen(now=NOW + 60 * DAY).resign(NOW + 60 * DAY))
    assert names(world) == ["north"]


def test_a_revoked_provider_is_refused_for_good(world: World) -> None:  # [CON-6]
    revoke(world, "north")
    refused(world, sealed(), ErrorCode.UNKNOWN_ROLE)


def test_a_revoked_key_is_nobodys_any_more(world: World) -> None:  # [CON-6]
    """Else what it signed before would count again."""
    revoke(world, "north")
    world.write(world.reopen(now=NOW + DAY).resign(NOW + DAY))
    for name in ("north", "south"):
        with pytest.raises(MidstreamError, match="was revoked") as caught:
            add(world, name, signer(51), signer(50))
        assert caught.value.code is ErrorCode.BAD_KEY
    add(world, "north", signer(51))
    refused(world, sealed(), ErrorCode.BAD_SIGNATURE)
    revoke(world, "north")
    for key in (50, 51):
        with pytest.raises(MidstreamError, match="was revoked"):
            add(world, "north", signer(key))


@pytest.mark.parametrize("made", [7, [7]])
def test_revoked_keys_that_make_no_sense_are_refused(world: World, made: Any) -> None:
    role = world.reopen().providers_role("abr")
    assert role is not None
    role.unrecognized_fields["x-midstream-revoked"] = made
    with pytest.raises(MidstreamError) as caught:
        providers.remove(role, "north")
    assert caught.value.code is ErrorCode.BAD_METADATA


def test_another_key_does_not_speak_for_a_provider(world: World) -> None:  # [CON-7]
    refused(world, sealed(signer(51)), ErrorCode.BAD_SIGNATURE)


def test_a_threshold_of_two_takes_two(world: World) -> None:
    add(world, "south", signer(60), signer(61), threshold=2)
    refused(world, sealed(signer(60), provider="south"), ErrorCode.BAD_SIGNATURE)
    both = sealed(signer(60), signer(61), provider="south")
    assert opened(world, both).provider == "south"


def test_a_provider_nobody_named_is_refused(world: World) -> None:
    refused(world, sealed(provider="nobody"), ErrorCode.UNKNOWN_ROLE)


def test_a_parcel_that_was_taken_is_not_taken_again(world: World) -> None:
    refused(world, sealed(), ErrorCode.ROLLBACK, newer_than=1)
    assert opened(world, sealed(version=2), newer_than=1).version == 2


def test_a_parcel_that_ran_out_is_refused(world: World) -> None:
    refused(world, sealed(expires=-DAY), ErrorCode.EXPIRED)


def test_a_contribution_to_another_network_is_refused(world: World) -> None:
    refused(world, sealed(network="vmaf"), ErrorCode.NOT_FOUND)


def test_a_unit_over_the_quota_is_refused(world: World) -> None:
    add(world, "small", signer(70), quota=100)
    error = refused(world, sealed(signer(70), provider="small"), ErrorCode.OVER_LIMIT)
    assert "at most 100" in str(error)
    assert isinstance(error, LimitError)


def test_another_unit_under_the_same_signature_is_refused(world: World) -> None:
    files = bundle.decode(sealed())
    target = layout.contribution_path("abr", "north", 1)
    files[target] = bytes(reversed(files[target]))
    refused(world, bundle.encode(files), ErrorCode.BAD_HASH)


@pytest.mark.parametrize("value", ["1.5", "[1e9]", '"\\ud800"'])
def test_a_parcel_that_nobody_can_sign_is_refused(world: World, value: str) -> None:  # [CON-9]
    refused(world, unsignable(sealed(), value), ErrorCode.BAD_METADATA)


@pytest.mark.parametrize("keep", [0, 1])
def test_half_a_parcel_is_refused(world: World, keep: int) -> None:
    files = dict(list(bundle.decode(sealed()).items())[keep : keep + 1])
    refused(world, bundle.encode(files), ErrorCode.BAD_FIELD)


@pytest.mark.parametrize(
    "custom",
    [
        None,
        [],
        {"samples": 1},
        {"samples": 0, "metrics": {}},
        {"samples": "many", "metrics": {}},
        {"samples": 1, "metrics": {"accuracy": "nan"}},
        {"samples": 1, "metrics": {"": "1"}},
        {"samples": 1, "metrics": {str(n): "1" for n in range(33)}},
    ],
)
def test_evidence_that_is_none_is_refused(
    world: World, custom: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., TargetFile] = TargetFile.from_data

    def lying(*arguments: Any) -> TargetFile:
        made = original(*arguments)
        made.unrecognized_fields = _Fixed(custom=custom)
        return made

    monkeypatch.setattr(TargetFile, "from_data", lying)
    data = sealed()
    monkeypatch.undo()
    refused(world, data, ErrorCode.BAD_FIELD)


class _Fixed(dict[str, Any]):
    """Fields that cannot be set again."""

    def __setitem__(self, name: str, value: Any) -> None:
        pass


@pytest.mark.parametrize("name", ["north", "Upper", "root", ""])
def test_a_name_that_is_taken_or_none_is_refused(world: World, name: str) -> None:
    with pytest.raises(MidstreamError) as caught:
        add(world, name, signer(80))
    assert caught.value.code is ErrorCode.BAD_NAME


def test_the_key_of_one_provider_is_not_that_of_another(world: World) -> None:  # [CON-5]
    with pytest.raises(MidstreamError, match="that of north"):
        add(world, "twin", signer(50))


@pytest.mark.parametrize("quota", [0, -1, 1 << 31])
def test_a_quota_that_makes_no_sense_is_refused(world: World, quota: int) -> None:
    with pytest.raises(MidstreamError, match="quota"):
        add(world, "new", signer(80), quota=quota)


def test_a_provider_of_no_network_is_refused(world: World) -> None:
    with pytest.raises(MidstreamError, match="no such network"):
        add(world, "new", signer(80), network="nothing")
    with pytest.raises(MidstreamError, match="none of that name"):
        revoke(world, "new")
    with pytest.raises(MidstreamError, match="none of that name"):
        open_parcel(sealed(), "nothing", world.repository.providers_role("nothing"), NOW)


@pytest.mark.parametrize("digits", ["", "zz", "ab" * 31, "ab" * 33])
def test_a_key_is_64_hexadecimal_digits(digits: str) -> None:
    with pytest.raises(MidstreamError) as caught:
        public_key(digits)
    assert caught.value.code is ErrorCode.BAD_KEY
    assert public_key(signer(1).public.raw.hex()).keyid == signer(1).public.keyid


def test_each_flipped_bit_of_a_parcel_is_found(world: World) -> None:
    data, role = sealed(), world.reopen().providers_role("abr")
    for place in range(0, 8 * len(data), 37):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        try:
            found = open_parcel(bytes(damaged), "abr", role, NOW)
        except MidstreamError:
            continue
        assert found == parcel()  # white space, or the number of a signature that is not looked at


def test_a_parcel_that_is_cut_is_malformed(world: World) -> None:
    data, role = sealed(), world.reopen().providers_role("abr")
    for size in range(0, len(data), 23):
        with pytest.raises(BitstreamError):
            open_parcel(data[:size], "abr", role, NOW)
