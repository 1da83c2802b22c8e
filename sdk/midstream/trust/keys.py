"""Ed25519 keys for signing and checking metadata. Knows nothing of files: see store/keys.py.

Importing this module registers PublicKey with securesystemslib, so that TUF's metadata is
checked by libsodium. Randomness comes in as an argument.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from nacl import pwhash
from nacl.bindings import (
    crypto_pwhash_argon2id_MEMLIMIT_MIN,
    crypto_pwhash_argon2id_OPSLIMIT_MIN,
)
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.secret import SecretBox
from nacl.signing import SigningKey, VerifyKey
from securesystemslib import signer as sslib
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.formats import encode_canonical

from midstream.errors import BitstreamError, ErrorCode, TrustError, UsageError
from midstream.limits import LIMITS, Limits
from midstream.trust.checked import CheckedSignatures
from midstream.wire import Reader, Writer

__all__ = [
    "DEFAULT_COST",
    "ROLES",
    "Cost",
    "KeyRing",
    "PublicKey",
    "Random",
    "Signer",
    "is_sealed",
]

ROLES = ("root", "targets", "snapshot", "timestamp", "release")
"""Who signs: TUF's four roles, and `release` for every network without keys of its own."""

Random = Callable[[int], bytes]
"""Gives so many random bytes, fit for keys."""

_ED25519 = "ed25519"
_MAGIC = b"MDK"
_VERSION = 0
_PLAIN, _SEALED = 0, 1
_SEED_SIZE = 32
_MAX_OPERATIONS = 16
_MAX_MEMORY = 1 << 30
_CHECKED = CheckedSignatures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one guess at a passphrase costs, Argon2id with one lane."""

    operations: int
    """Passes over the memory."""
    memory: int
    """Bytes."""


DEFAULT_COST = Cost(operations=3, memory=64 << 20)
"""The second recommended option of RFC 9106, 4, with the one lane that libsodium has."""


class PublicKey(sslib.Key):
    """The public half of an Ed25519 key, checked by libsodium.

    Args:
        keyid: SHA-256 of the key's canonical form, hex (TUF 4.2).
        keytype: `ed25519`.
        scheme: `ed25519`.
        keyval: `{"public": 64 hex digits}`.
        unrecognized_fields: Whatever else its metadata had.

    Raises:
        ValueError: The key is not 32 bytes in hex; TUF's reader expects this one.
    """

    def __init__(
        self,
        keyid: str,
        keytype: str,
        scheme: str,
        keyval: dict[str, Any],
        unrecognized_fields: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(keyid, keytype, scheme, keyval, unrecognized_fields)
        self._verify_key = VerifyKey(_from_hex(keyval.get("public")))

    @classmethod
    def of(cls, raw: bytes) -> "PublicKey":
        """A key from its 32 bytes."""
        keyval = {"public": raw.hex()}
        form = {"keytype": _ED25519, "scheme": _ED25519, "keyval": keyval}
        keyid = hashlib.sha256(str(encode_canonical(form)).encode()).hexdigest()
        return cls(keyid, _ED25519, _ED25519, keyval)

    @classmethod
    def from_dict(cls, keyid: str, key_dict: dict[str, Any]) -> "PublicKey":
        """A key as metadata holds it; used by securesystemslib."""
        keytype, scheme, keyval = cls._from_dict(key_dict)
        return cls(keyid, keytype, scheme, keyval, key_dict)

    def to_dict(self) -> dict[str, Any]:
        """The key as metadata holds it."""
        return self._to_dict()

    @property
    def raw(self) -> bytes:
        """Its 32 bytes."""
        return self._verify_key.encode()

    def verify_signature(self, signature: sslib.Signature, data: bytes) -> None:
        """Make sure that `signature` is this key's over `data`.

        Raises:
            UnverifiedSignatureError: It is not. Any other error would end TUF's count of
                good signatures early, so one bad signature would refuse a whole role.
        """
        try:
            _CHECKED.check(self._verify_key, _from_hex(signature.signature), data)
        except (BadSignatureError, ValueError) as error:
            raise UnverifiedSignatureError(f"not signed by {self.keyid}") from error


sslib.KEY_FOR_TYPE_AND_SCHEME[_ED25519, _ED25519] = PublicKey


class Signer(sslib.Signer):
    """A secret Ed25519 key.

    Args:
        seed: The 32 bytes that it is derived from (RFC 8032, 5.1.5).
    """

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self._public = PublicKey.of(self._key.verify_key.encode())

    def __repr__(self) -> str:
        return f"<Signer {self.public.keyid[:16]}>"

    @property
    def public(self) -> PublicKey:
        """What others check its signatures with."""
        return self._public

    @property
    def public_key(self) -> PublicKey:
        """The same under securesystemslib's name."""
        return self._public

    def sign(self, payload: bytes) -> sslib.Signature:
        """Sign bytes."""
        return sslib.Signature(self.public.keyid, self._key.sign(payload).signature.hex())

    @classmethod
    def from_priv_key_uri(
        cls,
        priv_key_uri: str,  # noqa: ARG003 - securesystemslib's signature
        public_key: sslib.Key,  # noqa: ARG003
        secrets_handler: sslib.SecretsHandler | None = None,  # noqa: ARG003
    ) -> "Signer":
        """Not for this kind of key: its file is read by `load`.

        Raises:
            UsageError: Always.
        """
        raise UsageError(ErrorCode.BAD_ARGUMENT, "keys are read from files, not from addresses")

    def to_bytes(
        self, passphrase: str | None, *, random: Random, cost: Cost = DEFAULT_COST
    ) -> bytes:
        """The content of a key file (spec/trust.md, "Key file").

        Args:
            passphrase: What seals it; None leaves the key readable.
            random: Where salt and nonce come from.
            cost: What each guess at the passphrase costs.
        """
        out = Writer().raw(_MAGIC).u8(_VERSION)
        seed = self._key.encode()
        if passphrase is None:
            return out.u8(_PLAIN).raw(self.public.raw).raw(seed).bytes()
        salt, nonce = random(pwhash.argon2id.SALTBYTES), random(SecretBox.NONCE_SIZE)
        box = _box(passphrase, salt, cost)
        out.u8(_SEALED).raw(self.public.raw).varint(cost.operations).varint(cost.memory)
        return out.raw(salt).raw(box.encrypt(seed, nonce)).bytes()

    @classmethod
    def from_bytes(
        cls, data: bytes, *, passphrase: str | None = None, limits: Limits = LIMITS
    ) -> Self:
        """A key from the content of its file.

        Raises:
            BitstreamError: It is not a key file, or cut short.
            LimitError: Its cost is more than 16 passes over 1 GiB.
            TrustError: BAD_KEY where the passphrase is wrong or the key is damaged.
            UsageError: It is sealed and there is no passphrase.
        """
        reader = Reader(data[: limits.key_size], "key file")
        if bytes(reader.take(3)) != _MAGIC:
            raise BitstreamError(ErrorCode.BAD_MAGIC, "key file: it is not one of midstream's")
        if (version := reader.u8()) != _VERSION:
            raise BitstreamError(ErrorCode.BAD_VERSION, f"key file: version {version}")
        kind, public = reader.u8(), bytes(reader.take(_SEED_SIZE))
        if kind not in (_PLAIN, _SEALED):
            raise BitstreamError(ErrorCode.BAD_FIELD, f"key file: {kind} is no way to keep a key")
        seed = reader.take(_SEED_SIZE) if kind == _PLAIN else _open(reader, passphrase)
        reader.end()
        signer = cls(bytes(seed))
        if signer.public.raw != public:
            raise TrustError(ErrorCode.BAD_KEY, "key file: secret and public key do not match")
        return signer


def is_sealed(data: bytes) -> bool:
    """Whether the content of a key file needs a passphrase; False where it is no key file."""
    return data[: len(_MAGIC) + 2] == _MAGIC + bytes([_VERSION, _SEALED])


def _open(reader: Reader, passphrase: str | None) -> bytes:
    """The seed of a sealed key file."""
    cost = _read_cost(reader)
    salt = bytes(reader.take(pwhash.argon2id.SALTBYTES))
    sealed = bytes(reader.take(SecretBox.NONCE_SIZE + _SEED_SIZE + SecretBox.MACBYTES))
    if passphrase is None:
        raise UsageError(ErrorCode.BAD_KEY, "key file: it is sealed and needs a passphrase")
    try:
        return _box(passphrase, salt, cost).decrypt(sealed)
    except CryptoError:
        raise TrustError(
            ErrorCode.BAD_KEY, "key file: the passphrase is wrong or the file is damaged"
        ) from None


def _read_cost(reader: Reader) -> Cost:
    """Bounded before memory is taken for it."""
    cost = Cost(
        operations=reader.varint(limit=_MAX_OPERATIONS), memory=reader.varint(limit=_MAX_MEMORY)
    )
    if (
        cost.operations < crypto_pwhash_argon2id_OPSLIMIT_MIN
        or cost.memory < crypto_pwhash_argon2id_MEMLIMIT_MIN
    ):
        raise BitstreamError(
            ErrorCode.BAD_FIELD,
            f"key file: {cost.operations} passes over {cost.memory} bytes cost nothing",
        )
    return cost


def _box(passphrase: str, salt: bytes, cost: Cost) -> SecretBox:
    key = pwhash.argon2id.kdf(
        SecretBox.KEY_SIZE,
        passphrase.encode("utf-8", "surrogateescape"),  # as it came from the environment
        salt,
        opslimit=cost.operations,
        memlimit=cost.memory,
    )
    return SecretBox(key)


def _from_hex(value: object) -> bytes:
    """Hex from metadata; whatever else is there is a ValueError."""
    if not isinstance(value, str):
        raise ValueError("hex digits expected")
    return bytes.fromhex(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The secret keys a publisher has at hand, by role; roles may be missing."""

    signers: Mapping[str, tuple[Signer, ...]] = field(repr=False)
    """For each of ROLES, or a network's name, those that sign."""
    thresholds: Mapping[str, int] = field(default_factory=dict)
    """How many of a role's keys have to sign; one where it is not said."""

    @classmethod
    def single(cls, signer: Signer) -> "KeyRing":
        """One key for all roles: simple, and all is lost with it."""
        return cls(signers=dict.fromkeys(ROLES, (signer,)))

    def of(self, role: str) -> tuple[Signer, ...]:
        """Who signs for a role; for a network without keys of its own, those of `release`."""
        fallback = () if role in ROLES else self.signers.get("release", ())
        return self.signers.get(role, fallback)

    def at_hand(self, role: str) -> tuple[Signer, ...]:
        """All that may sign for a role that has keys already: for a network, `release` too."""
        found = self.signers.get(role, ())
        if role not in ROLES:
            found += self.signers.get("release", ())
        return tuple({signer.public.keyid: signer for signer in found}.values())

    def threshold(self, role: str) -> int:
        """How many of its keys have to sign."""
        fallback = 1 if role in ROLES else self.thresholds.get("release", 1)
        return self.thresholds.get(role, fallback if role not in self.signers else 1)

    def replaced(self, role: str, signers: tuple[Signer, ...], threshold: int) -> "KeyRing":
        """The same with other keys for one role."""
        return KeyRing(
            signers={**self.signers, role: signers},
            thresholds={**self.thresholds, role: threshold},
        )
