"""What was refused, by a publisher, a provider or on a device: put down, and as a table.

Knows nothing of who refuses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from midstream.cli.output import Output
from midstream.errors import DataError, StoreError, UsageError
from midstream.store.refusals import Refusal, RefusalLog

__all__ = ["putting_down", "say_refusals"]

_COLUMNS = ["time (UTC)", "refused", "why"]
_LAST = 10


def say_refusals(
    title: str, log: RefusalLog, output: Output, *, network: str
) -> tuple[Refusal, ...]:
    """Show the last refusals of a network.

    Returns:
        All of them, the newest last.

    Raises:
        StoreError: The record cannot be read.
    """
    found, damaged = log.read()
    kept = tuple(refusal for refusal in found if refusal.network == network)
    if damaged:
        output.warn(f"{log.path}: {damaged} damaged lines are left out")
    if kept:
        count = f"the last {_LAST} of {len(kept)}" if len(kept) > _LAST else str(len(kept))
        rows = [_row(refusal) for refusal in kept[-_LAST:]]
        output.table(f"{title}: {count}", _COLUMNS, rows, folds=True)
    return kept


@contextmanager
def putting_down(log: RefusalLog, output: Output, *, network: str, **more: Any) -> Iterator[None]:
    """Put down what is refused, where that is raised, in a folder that is there.

    Args:
        log: Where.
        output: Told where it cannot be put down.
        network: The network that it is for.
        more: Other fields of a `Refusal`.
    """
    try:
        yield
    except (DataError, UsageError) as error:
        if log.path.parent.is_dir():
            try:
                log.add([Refusal.of(error, network, datetime.now(UTC), **more)])
            except StoreError as failed:
                output.warn(f"what was refused is in no log: {failed}")
        raise


def _row(refusal: Refusal) -> list[str]:
    again = f", {refusal.times} times" if refusal.times > 1 else ""
    return [
        refusal.at[:16].replace("T", " "),
        _subject(refusal),
        f"{refusal.message} [{refusal.error}]{again}",
    ]


def _subject(refusal: Refusal) -> str:
    of = f" of {refusal.provider}" if refusal.provider else ""
    to = f" to release {refusal.release}" if refusal.release else ""
    return f"{refusal.what}{of}{to}"
