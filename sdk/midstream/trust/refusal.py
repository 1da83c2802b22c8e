"""What an error of the TUF library means here. Knows nothing of where it came up."""

from securesystemslib.exceptions import UnverifiedSignatureError
from tuf.api import exceptions
from tuf.api.serialization import DeserializationError, SerializationError

from midstream.errors import ErrorCode, TrustError

__all__ = ["refusal"]

_CODES: tuple[tuple[type[Exception], ErrorCode], ...] = (
    (exceptions.UnsignedMetadataError, ErrorCode.BAD_SIGNATURE),
    (UnverifiedSignatureError, ErrorCode.BAD_SIGNATURE),
    (exceptions.BadVersionNumberError, ErrorCode.ROLLBACK),
    (exceptions.ExpiredMetadataError, ErrorCode.EXPIRED),
    (exceptions.LengthOrHashMismatchError, ErrorCode.BAD_HASH),
)

_ADVICE = {
    ErrorCode.BAD_SIGNATURE: "; the pinned root is of another repository, or this is a forgery",
    ErrorCode.EXPIRED: "; its publisher has to run midstream refresh",
}


def refusal(error: Exception, what: str) -> TrustError:
    """The error to raise for one of the TUF library's.

    Args:
        error: What it raised; all that has no code of its own is BAD_METADATA.
        what: What was being checked.
    """
    known = (code for kind, code in _CODES if isinstance(error, kind))
    code = next(known, ErrorCode.BAD_METADATA)
    if isinstance(error, DeserializationError | SerializationError):
        what += ": metadata is damaged"
    reason = " ".join(str(error).split() or str(error.__cause__).split())[:200]
    return TrustError(code, f"{what}: {reason}{_ADVICE.get(code, '')}")
