"""A release and adapters make one model, the same bits whoever makes it; what is wrong is said."""

import hashlib
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuf.api.metadata import Targets

from midstream.decoder import decode_contribution
from midstream.encoder import encode_contribution
from midstream.errors import BitstreamError, ErrorCode, LimitError, MidstreamError, TrustError
from midstream.formats import open_model
from midstream.limits import Limits
from midstream.publisher import history
from midstream.session.adapting import Adapted, adapt, peak_memory
from midstream.trust import providers
from midstream.trust.adapters import AdapterPolicy, PolicyPart
from midstream.trust.parcel import open_parcel
from providing import NAMES, Place, model, not_finite, of_other_shape, sealed
from tensorfiles import safetensors
from trusting import signer

pytestmark = pytest.mark.once
HALF = 1 << 15


class Table:
    """A release, its providers and an adapter of each."""

    def __init__(self, folder: Path, **quotas: int) -> None:
        self.place = Place(folder)
        self.base = history.manifest_of(folder, "net", None)
        self.parcels = {name: self.place.parcel(name) for name in NAMES}
        self.role = Targets()
        for at, name in enumerate(NAMES):
            quota = quotas.get(name, providers.DEFAULT_QUOTA)
            providers.add(self.role, "net", name, [signer(50 + at).public], quota=quota)

    def adapt(self, policy: AdapterPolicy, **changes: Any) -> Adapted:
        values: dict[str, Any] = {
            "base": self.base,
            "model": model(),
            "parcels": self.parcels,
            "delegator": self.role,
            "now": datetime.now(UTC),
        }
        return adapt(policy=policy, **(values | changes))

    def change(self, name: str) -> Any:
        opened = open_parcel(self.parcels[name], "net", self.role, datetime.now(UTC))
        sha256 = hashlib.sha256(model()).digest()
        return decode_contribution(opened.unit, open_model(model()).tensors, sha256)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return Table(tmp_path_factory.mktemp("table") / "repo")


def policy(*parts: str | PolicyPart, **changes: Any) -> AdapterPolicy:
    made = tuple(PolicyPart(provider=p) if isinstance(p, str) else p for p in parts)
    values: dict[str, Any] = {"network": "net", "parts": made, "largest_norm": 100.0}
    return AdapterPolicy(**(values | changes))


def needed(name: str, share: int = HALF) -> PolicyPart:
    return PolicyPart(provider=name, share=share, is_required=True)


def weights(data: bytes) -> Any:
    return np.frombuffer(data[-4 * 1200 :], "<f4")


def test_each_weight_is_the_sum_rounded_once(table: Table) -> None:
    """[CON-13] and [CON-3], against exact fractions."""
    found = table.adapt(policy("east", needed("north"), "south"))
    assert found.shares == {"north": 0.5, "east": 1.0, "south": 1.0}  # required ones first
    changes = [(table.change("north"), HALF), (table.change("east"), 1 << 16)]
    changes.append((table.change("south"), 1 << 16))
    before, after = weights(model()), weights(found.model)
    for at in range(1200):
        total = 0.0
        for change, share in changes:
            total = float(Fraction(total) + Fraction(float(change[at])) * share / 65536)
        assert after[at] == np.float32(float(before[at]) + total)
    assert not np.array_equal(before, after)


def test_the_same_bits_come_out_however_adapters_came(table: Table) -> None:
    """[CON-13]: the policy's order counts, not that of arrival."""
    made = policy(*NAMES)
    backwards = dict(reversed(table.parcels.items()))
    assert table.adapt(made).model == table.adapt(made, parcels=backwards).model
    digest = hashlib.sha256(table.adapt(made).model).hexdigest()
    assert digest == hashlib.sha256(table.adapt(made).model).hexdigest()


def test_of_two_that_never_go_together_the_first_counts(table: Table) -> None:
    """[CON-11]."""
    apart = (frozenset({"south", "west"}),)
    found = table.adapt(policy("west", "east", "south", never_together=apart))
    assert list(found.shares) == ["west", "east"]
    assert found.left_out["south"].code is ErrorCode.BAD_ARGUMENT
    assert found.model == table.adapt(policy("west", "east")).model


def test_one_that_is_required_counts_before_others(table: Table) -> None:
    """[CON-11]."""
    apart = (frozenset({"south", "west"}),)
    found = table.adapt(policy("west", needed("south"), never_together=apart))
    assert list(found.shares) == ["south"]


def test_what_is_left_out_does_not_keep_others_out(table: Table) -> None:
    """[CON-11]: only what counts excludes."""
    apart = (frozenset({"south", "west"}),)
    parcels = {name: table.parcels[name] for name in ("east", "south")}
    found = table.adapt(policy("west", "south", never_together=apart), parcels=parcels)
    assert list(found.shares) == ["south"]
    assert found.left_out["west"].code is ErrorCode.NOT_FOUND


def test_a_policy_that_excludes_everything_is_refused(table: Table) -> None:
    with pytest.raises(TrustError, match=r"nothing is left to merge: adapter of east: none") as got:
        table.adapt(policy("east", "west"), parcels={})
    assert got.value.code is ErrorCode.NOT_FOUND


def test_a_policy_for_another_network_is_refused(table: Table) -> None:
    with pytest.raises(TrustError, match="it is for other, not for net") as caught:
        table.adapt(policy("east", network="other"))
    assert caught.value.code is ErrorCode.BAD_METADATA


def test_a_policy_that_names_nobody_known_is_refused(table: Table) -> None:
    with pytest.raises(
        TrustError, match=r"nothing is left .* nobody is no provider of net any more"
    ):
        table.adapt(policy("nobody"))


BAD: dict[str, tuple[Any, ErrorCode]] = {
    "missing": (lambda _: None, ErrorCode.NOT_FOUND),
    "no parcel": (lambda _: b"MDB\0", ErrorCode.BAD_LENGTH),
    "damaged": (lambda t: _flipped(t.parcels["east"]), ErrorCode.BAD_HASH),
    "of another provider": (lambda t: t.parcels["west"], ErrorCode.WRONG_PARENT),
    "to another release": (
        lambda t: t.place.parcel("east", release=7),
        ErrorCode.WRONG_PARENT,
    ),
    "to another model": (
        lambda t: t.place.parcel("east", parent=model(0.5)),
        ErrorCode.WRONG_PARENT,
    ),
    "of another key": (
        lambda t: t.place.parcel("east", key=signer(99)),
        ErrorCode.BAD_SIGNATURE,
    ),
    "run out": (
        lambda t: t.place.parcel("east", now=datetime(2020, 1, 1, tzinfo=UTC)),
        ErrorCode.EXPIRED,
    ),
    "not finite": (lambda _: sealed("east", not_finite(model())), ErrorCode.BAD_FIELD),
    "of other shapes": (lambda _: sealed("east", of_other_shape(model())), ErrorCode.BAD_SYMBOL),
    "of a huge norm": (lambda t: t.place.parcel("east", -3000.0), ErrorCode.OVER_LIMIT),
}


def _flipped(parcel: bytes) -> bytes:
    return parcel[:-1] + bytes([parcel[-1] ^ 1])


@pytest.mark.parametrize(("make", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_adapter_is_left_out_and_refused_where_it_is_required(
    table: Table, make: Any, code: ErrorCode
) -> None:
    """[CON-10]."""
    parcels = dict(table.parcels)
    bad = make(table)
    parcels = parcels | {"east": bad} if bad is not None else _without(parcels, "east")
    found = table.adapt(policy("east", "north"), parcels=parcels)
    assert list(found.shares) == ["north"]
    assert found.left_out["east"].code is code
    assert found.model == table.adapt(policy("north")).model
    with pytest.raises(MidstreamError) as caught:
        table.adapt(policy(needed("east"), "north"), parcels=parcels)
    assert caught.value.code is code


def _without(parcels: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {one: data for one, data in parcels.items() if one != name}


def test_an_adapter_of_a_revoked_provider_is_refused(tmp_path: Path) -> None:
    """[CON-10]: whatever else still signs for it."""
    table = Table(tmp_path / "repo")
    assert "south" in table.adapt(policy("south", "east")).shares
    providers.remove(table.role, "south")
    found = table.adapt(policy("south", "east"))
    assert found.left_out["south"].code is ErrorCode.UNKNOWN_ROLE
    assert list(found.shares) == ["east"]
    with pytest.raises(MidstreamError) as caught:
        table.adapt(policy(needed("south"), "east"))
    assert caught.value.code is ErrorCode.UNKNOWN_ROLE


def test_an_adapter_over_its_quota_is_refused(tmp_path: Path) -> None:
    """[CON-10]."""
    table = Table(tmp_path / "repo", east=100)
    found = table.adapt(policy("east", "north"))
    assert found.left_out["east"].code is ErrorCode.OVER_LIMIT


def test_a_sum_that_is_not_finite_is_refused(table: Table) -> None:
    """[CON-4]."""
    parent = safetensors({"a": np.full((40, 30), 65504, "<f2")})
    unit = encode_contribution(parent, np.full(1200, 1000, np.float32), share=0.5)
    base = replace(table.base, model_sha256=hashlib.sha256(parent).digest())
    parcels = {"east": sealed("east", unit)}
    generous = policy("east", largest_norm=1e6)
    with pytest.raises(BitstreamError, match="would not be finite"):
        table.adapt(generous, base=base, model=parent, parcels=parcels)


def test_merging_takes_no_more_memory_than_is_announced(table: Table) -> None:
    """[CON-15], for adapters of few and of many changes."""
    weights = np.random.default_rng(0).standard_normal((1000, 1200)).astype("<f4")
    parent = safetensors({"a": weights})
    base = replace(table.base, model_sha256=hashlib.sha256(parent).digest())
    change = (weights * 0.01).ravel()
    parcels = {
        name: sealed(name, encode_contribution(parent, change, share=share))
        for name, share in (("east", 0.005), ("north", 0.2))
    }
    announced = peak_memory(len(parent), weights.size)
    tracemalloc.start()
    table.adapt(policy("east", "north"), base=base, model=parent, parcels=parcels)
    peak = tracemalloc.get_traced_memory()[1] + len(parent)
    tracemalloc.stop()
    assert announced / 2 < peak < announced
    strict = policy("east", "north", largest_norm=1.0)  # what is left out takes no more
    tracemalloc.start()
    with pytest.raises(TrustError, match="norm"):
        table.adapt(strict, base=base, model=parent, parcels=parcels)
    peak = tracemalloc.get_traced_memory()[1] + len(parent)
    tracemalloc.stop()
    assert peak < announced
    less = Limits(decode_memory=announced - 1)
    with pytest.raises(LimitError, match="merging adapters takes"):
        table.adapt(policy("east"), base=base, model=parent, parcels=parcels, limits=less)
