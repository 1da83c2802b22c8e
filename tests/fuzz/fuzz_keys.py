"""Damaged key files: an error of ours, or the key; no secret is in what the error says."""

import hashlib

from nacl import pwhash

from choices import Choices
from midstream.errors import MidstreamError
from midstream.trust.keys import Cost, Signer, is_sealed
from mutations import damage

SEED = hashlib.sha256(b"seed").digest()
PASSPHRASE = "correct horse"
CHEAP = Cost(operations=1, memory=8192)


def cheap(size: int, password: bytes, salt: bytes, *, opslimit: int, memlimit: int) -> bytes:
    """Stands in for Argon2, whose cost is its purpose: a gigabyte for each input is no fuzzing."""
    assert opslimit <= 16
    assert memlimit <= 1 << 30
    assert len(salt) == pwhash.argon2id.SALTBYTES
    text = password + salt + f"{opslimit} {memlimit}".encode()
    return hashlib.sha256(text).digest()[:size]


pwhash.argon2id.kdf = cheap
PLAIN = Signer(SEED).to_bytes(None, random=bytes)
SEALED = Signer(SEED).to_bytes(PASSPHRASE, random=bytes, cost=CHEAP)


def test_one(choices: Choices) -> None:
    """Raw bytes, or a good file with damage."""
    good = SEALED if choices.integer(0, 1) else PLAIN
    data = choices.raw(1 << 8) if choices.integer(0, 15) == 0 else damage(good, choices)
    passphrase = PASSPHRASE if choices.integer(0, 3) else None
    is_sealed(data)
    try:
        signer = Signer.from_bytes(data, passphrase=passphrase)
    except MidstreamError as error:
        assert SEED.hex() not in str(error)
        assert PASSPHRASE not in str(error)
        return
    assert signer.public.raw == Signer(SEED).public.raw, "no damage makes another key"
