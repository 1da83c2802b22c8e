"""Ed25519 signatures, each computed once. Knows nothing of who may sign what.

Whether a signature is good follows from key, signature and bytes alone. Clients check what they
have kept again at each look, and several in one process check the same: a good one is remembered
by all three, the bytes by their SHA-256, on which TUF's own chain of files rests.
"""

import hashlib

from nacl.signing import VerifyKey

__all__ = ["CheckedSignatures"]

_Checked = tuple[bytes, bytes, bytes]


class CheckedSignatures:
    """Remembers good ones, and no others.

    Args:
        most: How many, before all are forgotten; each takes some 300 bytes.
    """

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._good: set[_Checked] = set()

    def check(self, key: VerifyKey, signature: bytes, data: bytes) -> None:
        """Make sure that a signature is a key's over these bytes.

        Raises:
            BadSignatureError: It is not.
            ValueError: It has not the length of one.
        """
        # a tuple: joined bytes would let a part of the signature pass for data
        checked = (bytes(key), signature, hashlib.sha256(data).digest())
        if checked in self._good:
            return
        key.verify(data, signature)
        if len(self._good) >= self._most:
            self._good = set()  # in one step, whoever is at it besides
        self._good.add(checked)
