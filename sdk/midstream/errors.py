"""Every error midstream raises, each with a stable code number.

The tree, and the exit code that the command line gives it::

    MidstreamError
    ├── UsageError            2   an argument makes no sense
    ├── DataError             1   bytes from outside are at fault
    │   ├── FormatError           a model file cannot be read
    │   ├── BitstreamError        a unit, slice, manifest or bundle is malformed
    │   ├── LimitError            a count or size is over its limit
    │   ├── RecoveryError         more is lost than the repair symbols cover
    │   └── TrustError            a signature, hash, version or expiry is wrong
    ├── TransportError        1   the peer did not answer, or not as agreed
    └── UnavailableError      3   this machine cannot do it
        ├── RuntimeMissingError   no TFLite runtime is installed
        └── StoreError            the disk is full, read-only or gone
    RefusedError (a DataError)    a generation failed its self-test and is not used

Messages say what, where, got and expected; they never hold the payload or a secret.
Those of a disk say what to do as well:

    STORE_FULL       free space there, or name another folder
    STORE_READ_ONLY  let this user read and write it, or name another folder
    STORE_IO         what the system says is wrong there; where it is a store's own file, the
                     store may be deleted: what it held is fetched again
    STORE_BUSY       end the other process, which holds a lock and does not go on
"""

import errno
from enum import IntEnum

__all__ = [
    "BitstreamError",
    "DataError",
    "ErrorCode",
    "FormatError",
    "LimitError",
    "MidstreamError",
    "RecoveryError",
    "RefusedError",
    "RuntimeMissingError",
    "StoreError",
    "TransportError",
    "TrustError",
    "UnavailableError",
    "UsageError",
]


class ErrorCode(IntEnum):
    """Stable numbers for logs and dashboards; the hundreds say which part."""

    BAD_ARGUMENT = 100
    BAD_LADDER = 101
    BAD_NAME = 102
    BAD_STATE = 103

    UNKNOWN_FORMAT = 200
    TRUNCATED = 201
    BAD_OFFSET = 202
    BAD_HEADER = 203
    UNSUPPORTED_DTYPE = 204

    BAD_MAGIC = 300
    BAD_VERSION = 301
    BAD_LENGTH = 302
    BAD_FIELD = 303
    BAD_SYMBOL = 304
    TRAILING_BYTES = 305
    WRONG_PARENT = 306

    OVER_LIMIT = 400

    TOO_MANY_ERASURES = 500
    BAD_CODEWORD = 501

    BAD_SIGNATURE = 600
    BAD_HASH = 601
    EXPIRED = 602
    ROLLBACK = 603
    UNKNOWN_ROLE = 604
    BAD_KEY = 605
    BAD_METADATA = 606
    NOT_FOUND = 607

    UNREACHABLE = 700
    BAD_STATUS = 701
    SHORT_BODY = 702
    LONG_BODY = 703
    TIMEOUT = 704
    BAD_URL = 705

    STORE_FULL = 800
    STORE_READ_ONLY = 801
    STORE_IO = 802
    STORE_BUSY = 803

    NO_RUNTIME = 900
    LOAD_FAILED = 901
    SELF_TEST_FAILED = 902
    STALE_PIN = 903
    NO_GENERATION = 904
    RUN_FAILED = 905
    NO_PACKAGE = 906


class MidstreamError(Exception):
    """Base of everything midstream raises on purpose."""

    exit_code = 1

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        """The stable number of this error."""
        self.message = message
        """What, where, got and expected, in one line."""

    def __str__(self) -> str:
        return f"{self.message} [{self.code.name} {self.code.value}]"


class UsageError(MidstreamError):
    """An argument makes no sense; nothing was done."""

    exit_code = 2


class DataError(MidstreamError):
    """Bytes that came from outside are at fault."""


class FormatError(DataError):
    """A model file cannot be read."""


class BitstreamError(DataError):
    """A unit, slice, manifest or bundle is malformed."""


class LimitError(DataError):
    """A count or size read from outside is over its limit."""


class RecoveryError(DataError):
    """More is lost than the repair symbols cover."""


class TrustError(DataError):
    """A signature, hash, version or expiry is wrong."""


class RefusedError(DataError):
    """A generation failed its self-test; the active one stays."""


class TransportError(MidstreamError):
    """The peer did not answer, or not as agreed."""


class UnavailableError(MidstreamError):
    """This machine cannot do it: something is missing, full or read-only."""

    exit_code = 3


class RuntimeMissingError(UnavailableError):
    """No TFLite runtime is installed."""


class StoreError(UnavailableError):
    """The disk is full, read-only or gone."""

    @classmethod
    def of(cls, error: OSError, what: str) -> "StoreError":
        """What an error of the operating system means, in one line.

        Args:
            error: The error.
            what: What could not be done, and to which file.
        """
        code = _STORE_CODES.get(error.errno or 0, ErrorCode.STORE_IO)
        return cls(code, f"{what}: {error.strerror or type(error).__name__}{_ADVICE[code]}")


_STORE_CODES = {
    errno.ENOSPC: ErrorCode.STORE_FULL,
    errno.EDQUOT: ErrorCode.STORE_FULL,
    errno.EROFS: ErrorCode.STORE_READ_ONLY,
    errno.EACCES: ErrorCode.STORE_READ_ONLY,
    errno.EPERM: ErrorCode.STORE_READ_ONLY,
}

_ADVICE = {
    ErrorCode.STORE_FULL: "; free space there, or name another folder",
    ErrorCode.STORE_READ_ONLY: "; let this user read and write it, or name another folder",
    ErrorCode.STORE_IO: "",
}
