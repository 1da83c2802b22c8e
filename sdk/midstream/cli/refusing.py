"""What was refused, by the publisher or on a device, as a table. Knows nothing of who refuses."""

from midstream.cli.output import Output
from midstream.store.refusals import Refusal, RefusalLog

__all__ = ["say_refusals"]

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
