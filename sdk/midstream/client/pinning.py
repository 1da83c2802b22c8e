"""The root that a client is given by hand, from its file. Knows nothing of what it trusts then."""

from pathlib import Path

from tuf.api.metadata import Root

from midstream.errors import TrustError
from midstream.limits import LIMITS, Limits
from midstream.store.files import read_given
from midstream.trust import roles

__all__ = ["read_root"]


def read_root(path: Path, *, limits: Limits = LIMITS) -> bytes:
    """The pinned root's bytes.

    A file that is no root at all is told from metadata that came damaged over the link.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        TrustError: It is no root.
        LimitError: It is too large.
    """
    data = read_given(path, limit=limits.metadata_size)
    try:
        roles.parse(Root, {str(path): data}, str(path), limits=limits)
    except TrustError as error:
        advice = "get 1.root.json from the publisher, not over the link"
        raise TrustError(error.code, f"{path}: it is no repository's root; {advice}") from error
    return data
