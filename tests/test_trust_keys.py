"""Ed25519 keys: signing, checking, key files in memory and on disk."""

import hashlib
import stat
from pathlib import Path
from typing import Any

import nacl.utils
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature

from midstream.errors import (
    BitstreamError,
    DataError,
    ErrorCode,
    LimitError,
    StoreError,
    TrustError,
    UsageError,
)
from midstream.store import keyring
from midstream.store import keys as key_files
from midstream.trust.keys import ROLES, Cost, KeyRing, PublicKey, Signer
from midstream.wire import Writer
from trusting import ring, signer

CHEAP = Cost(operations=1, memory=8192)

# RFC 8032, 7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def sealed(passphrase: str = "secret") -> bytes:
    return Signer(SEED).to_bytes(passphrase, random=lambda size: bytes(size), cost=CHEAP)


def plain() -> bytes:
    return Signer(SEED).to_bytes(None, random=nacl.utils.random)


def test_signatures_are_those_of_rfc_8032() -> None:
    made = Signer(SEED)
    assert made.public.raw.hex() == PUBLIC
    assert made.sign(b"\x72").signature == SIGNATURE
    made.public_key.verify_signature(made.sign(b"\x72"), b"\x72")


def test_a_key_is_known_by_the_hash_of_its_canonical_form() -> None:
    # what any other implementation of TUF computes for this key
    form = f'{{"keytype":"ed25519","keyval":{{"public":"{PUBLIC}"}},"scheme":"ed25519"}}'
    assert Signer(SEED).public.keyid == hashlib.sha256(form.encode()).hexdigest()


def test_keys_in_metadata_are_checked_by_this_class() -> None:
    public = Signer(SEED).public
    read = Key.from_dict(public.keyid, public.to_dict())
    assert isinstance(read, PublicKey)
    assert read == public


@pytest.mark.parametrize(
    "wrong", ["", "00" * 64, SIGNATURE[:-2], "zz", SIGNATURE + "00", None, 7, ["a"]]
)
def test_a_wrong_signature_is_unverified_and_nothing_else(wrong: Any) -> None:
    public = Signer(SEED).public
    with pytest.raises(UnverifiedSignatureError):
        public.verify_signature(Signature(public.keyid, wrong), b"\x72")


def test_a_signature_of_other_bytes_is_unverified() -> None:
    made = Signer(SEED)
    with pytest.raises(UnverifiedSignatureError):
        made.public.verify_signature(made.sign(b"a"), b"b")


@pytest.mark.parametrize("value", [{}, {"public": 5}, {"public": "00"}, {"public": "xy" * 32}])
def test_a_malformed_public_key_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is what TUF's reader expects
        Key.from_dict("id", {"keytype": "ed25519", "scheme": "ed25519", "keyval": value})


def test_a_signer_shows_no_secret() -> None:
    assert SEED.hex()[:8] not in repr(Signer(SEED))
    assert "Signer" not in repr(KeyRing.single(Signer(SEED)))


def test_a_signer_does_not_come_from_an_address() -> None:
    with pytest.raises(UsageError):
        Signer.from_priv_key_uri("file:x", Signer(SEED).public)


def test_key_files_are_those_of_the_specification() -> None:
    assert plain() == b"MDK\x00\x00" + bytes.fromhex(PUBLIC) + SEED
    head = b"MDK\x00\x01" + bytes.fromhex(PUBLIC) + bytes.fromhex("01 8040") + bytes(16 + 24)
    assert sealed()[: len(head)] == head
    assert len(sealed()) == len(head) + 16 + 32


def test_a_plain_key_comes_back() -> None:
    assert Signer.from_bytes(plain()).public == Signer(SEED).public


def test_a_sealed_key_comes_back_with_its_passphrase() -> None:
    assert Signer.from_bytes(sealed("höhe"), passphrase="höhe").public == Signer(SEED).public


def test_a_passphrase_with_any_bytes_of_the_environment_works() -> None:
    assert Signer.from_bytes(sealed("\udcff"), passphrase="\udcff")


def test_the_seed_is_not_in_a_sealed_file() -> None:
    assert SEED not in sealed()


def test_a_wrong_passphrase_is_refused() -> None:
    with pytest.raises(TrustError) as caught:
        Signer.from_bytes(sealed(), passphrase="other")
    assert caught.value.code is ErrorCode.BAD_KEY


def test_a_missing_passphrase_is_said_to_be_missing() -> None:
    with pytest.raises(UsageError, match="needs a passphrase"):
        Signer.from_bytes(sealed())


def test_a_damaged_plain_key_is_not_taken_for_another_key() -> None:
    """[TRU-16]"""
    data = bytearray(plain())
    data[-1] ^= 1
    with pytest.raises(TrustError, match="do not match"):
        Signer.from_bytes(bytes(data))


@pytest.mark.parametrize("cut", range(0, 69, 4))
def test_a_truncated_key_file_is_refused(cut: int) -> None:
    with pytest.raises(BitstreamError):
        Signer.from_bytes(plain()[:cut])


@pytest.mark.parametrize(
    "data",
    [b"PEM\x00\x00", b"MDK\x07\x00", b"MDK\x00\x02" + bytes(64), plain() + b"x", bytes(1 << 20)],
)
def test_what_is_no_key_file_is_refused(data: bytes) -> None:
    with pytest.raises(BitstreamError):
        Signer.from_bytes(data)


def with_cost(operations: int, memory: int) -> bytes:
    out = Writer().raw(b"MDK\x00\x01").raw(bytes(32)).varint(operations).varint(memory)
    return out.raw(bytes(16 + 24 + 32 + 16)).bytes()


@pytest.mark.parametrize(("operations", "memory"), [(17, 8192), (1, (1 << 30) + 1)])
def test_a_key_file_that_would_cost_too_much_is_refused(operations: int, memory: int) -> None:
    """[TRU-16]"""
    with pytest.raises(LimitError):
        Signer.from_bytes(with_cost(operations, memory), passphrase="x")


@pytest.mark.parametrize(("operations", "memory"), [(0, 8192), (1, 8191)])
def test_a_key_file_that_costs_nothing_is_refused(operations: int, memory: int) -> None:
    with pytest.raises(BitstreamError):
        Signer.from_bytes(with_cost(operations, memory), passphrase="x")


@settings(max_examples=40)
@given(st.integers(0, 127), st.integers(0, 255))
def test_a_changed_key_file_is_read_or_refused(at: int, value: int) -> None:
    data = bytearray(sealed())
    # its cost stays: a changed one is slow, and has tests of its own
    data[at if not 37 <= at < 40 else 0] = value
    try:
        assert Signer.from_bytes(bytes(data), passphrase="secret").public.raw.hex() == PUBLIC
    except DataError:
        assert bytes(data) != sealed()


def test_one_ring_of_one_key_signs_for_every_role() -> None:
    one = signer(1)
    assert {KeyRing.single(one).of(role) for role in (*ROLES, "abr")} == {(one,)}


def test_a_network_has_keys_of_its_own_or_those_of_release() -> None:
    keys = ring().replaced("face", (signer(70), signer(71)), 2)
    assert keys.of("abr") == keys.of("release")
    assert [one.public for one in keys.of("face")] == [signer(70).public, signer(71).public]
    assert (keys.threshold("face"), keys.threshold("abr"), keys.threshold("root")) == (2, 1, 1)


def test_a_threshold_of_release_holds_for_networks_without_keys_of_their_own() -> None:
    keys = ring().replaced("release", (signer(70), signer(71)), 2).replaced("x", (signer(3),), 1)
    assert (keys.threshold("abr"), keys.threshold("x")) == (2, 1)


def test_a_ring_without_a_role_gives_no_signer() -> None:
    assert KeyRing(signers={}).of("root") == ()
    assert KeyRing(signers={}).of("abr") == ()


def test_a_saved_key_is_loaded_again(tmp_path: Path) -> None:
    made = key_files.Signer.generate()
    made.save(tmp_path / "deep" / "a.key", passphrase="x")
    loaded = key_files.Signer.load(tmp_path / "deep" / "a.key", passphrase="x")
    assert loaded.public == made.public
    assert isinstance(loaded, key_files.Signer)


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    key_files.Signer.generate().save(tmp_path / "a.key")
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    made = key_files.Signer.generate()
    made.save(tmp_path / "a.key")
    with pytest.raises(UsageError, match="not overwritten"):
        key_files.Signer.generate().save(tmp_path / "a.key")
    assert key_files.Signer.load(tmp_path / "a.key").public == made.public
    assert len(list(tmp_path.iterdir())) == 1


def test_no_key_is_made_twice() -> None:
    assert key_files.Signer.generate().public != key_files.Signer.generate().public


@pytest.mark.parametrize("name", ["missing.key", ".", "file/x.key"])
def test_a_missing_key_file_is_wrong_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="no key file there"):
        key_files.Signer.load(tmp_path / name)


def test_an_unreadable_key_file_is_the_disk_s_fault(tmp_path: Path) -> None:
    (tmp_path / "loop.key").symlink_to(tmp_path / "loop.key")
    with pytest.raises(StoreError):
        key_files.Signer.load(tmp_path / "loop.key")


def test_a_key_that_cannot_be_saved_is_the_disk_s_fault(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StoreError):
        key_files.Signer.generate().save(tmp_path / "loop" / "a.key")


def test_an_error_says_which_file(tmp_path: Path) -> None:
    (tmp_path / "bad.key").write_bytes(b"nonsense")
    with pytest.raises(BitstreamError, match=r"bad\.key: key file"):
        key_files.Signer.load(tmp_path / "bad.key")


def test_an_enormous_key_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big.key").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BitstreamError):
        key_files.Signer.load(tmp_path / "big.key")


def test_a_folder_of_keys_comes_back(tmp_path: Path) -> None:
    made = keyring.generate_keys(tmp_path)
    key_files.Signer(SEED).save(tmp_path / "face.key")
    loaded = keyring.load_keys(tmp_path)
    assert [path.stem for path in made] == list(ROLES)
    for path in made:
        assert loaded.of(path.stem)[0].public == key_files.Signer.load(path).public
    assert loaded.of("face")[0].public == Signer(SEED).public
    assert len({loaded.of(role)[0].public.keyid for role in ROLES}) == len(ROLES)


def test_keys_that_a_role_was_given_later_are_loaded_too(tmp_path: Path) -> None:
    keyring.generate_keys(tmp_path)
    new = key_files.Signer(SEED)
    (path,) = keyring.add_keys(tmp_path, "root", [new], passphrase=None)
    assert path.name == f"root+{new.public.keyid[:8]}.key"
    assert len(keyring.load_keys(tmp_path).of("root")) == 2
    assert keyring.key_files(tmp_path, "root") == (path, tmp_path / "root.key")


def test_keys_that_were_put_aside_are_not_loaded_and_not_overwritten(tmp_path: Path) -> None:
    keyring.generate_keys(tmp_path)
    old = (tmp_path / "root.key").read_bytes()
    retired = keyring.retire_keys([tmp_path / "root.key"])
    assert retired == tmp_path / "retired"
    assert retired.stat().st_mode & 0o777 == 0o700
    assert keyring.load_keys(tmp_path).of("root") == ()
    key_files.Signer(SEED).save(tmp_path / "root.key")
    with pytest.raises(StoreError):
        keyring.retire_keys([tmp_path / "root.key"])
    assert (retired / "root.key").read_bytes() == old
    assert (tmp_path / "root.key").exists()


def test_plain_and_sealed_keys_may_lie_side_by_side(tmp_path: Path) -> None:
    """Key files of before keys were sealed are still read."""
    (tmp_path / "root.key").write_bytes(plain())
    assert not keyring.has_sealed_key(tmp_path)
    (tmp_path / "targets.key").write_bytes(sealed())
    assert keyring.has_sealed_key(tmp_path)
    assert keyring.load_keys(tmp_path, passphrase="secret").of("root")
    with pytest.raises(UsageError, match="needs a passphrase"):
        keyring.load_keys(tmp_path)


def test_a_folder_with_a_later_key_of_a_role_gets_no_other(tmp_path: Path) -> None:
    keyring.add_keys(tmp_path, "root", [key_files.Signer(SEED)])
    with pytest.raises(UsageError, match="root"):
        keyring.generate_keys(tmp_path)


def test_a_folder_with_keys_gets_no_others(tmp_path: Path) -> None:
    key_files.Signer.generate().save(tmp_path / "snapshot.key")
    with pytest.raises(UsageError, match="snapshot"):
        keyring.generate_keys(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_without_keys_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no key files"):
        keyring.load_keys(tmp_path)


def test_keys_are_there_all_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, count = key_files.Signer.save, 0

    def save_three(signer: key_files.Signer, path: Path, **more: object) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        save(signer, path, **more)  # type: ignore[arg-type] - handed on as it came

    monkeypatch.setattr(key_files.Signer, "save", save_three)
    with pytest.raises(KeyboardInterrupt):
        keyring.generate_keys(tmp_path / "in" / "keys")
    assert not list((tmp_path / "in").iterdir())
    made = keyring.generate_keys(tmp_path / "in" / "keys")
    assert len(made) == len(ROLES)
    assert (tmp_path / "in" / "keys").stat().st_mode & 0o777 == 0o700
