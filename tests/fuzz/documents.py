"""Changes of JSON documents that are signed, so that damage goes below their signatures.

A fuzzer's bytes say which place is changed and how.
"""

import json
from typing import Any

from securesystemslib.formats import encode_canonical

from choices import Choices
from midstream.trust.keys import Signer
from mutations import damage

__all__ = ["change", "signed_anew"]

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1 << 70,
    1e308,
    "",
    "é\ud800",
    "../x",
    [],
    [[]],
    {},
    "2",
)


def change(value: Any, choices: Choices) -> Any:
    """One place of a document becomes another value, or goes, or has one more beside it."""
    if isinstance(value, dict) and value and choices.integer(0, 7):
        key = sorted(value)[choices.integer(0, len(value) - 1)]
        changed = dict(value)
        match choices.integer(0, 9):
            case 0:
                del changed[key]
            case 1:
                changed[key + "x"] = changed[key]
            case _:
                changed[key] = change(value[key], choices)
        return changed
    if isinstance(value, list) and value and choices.integer(0, 7):
        place = choices.integer(0, len(value) - 1)
        return [
            *value[:place],
            change(value[place], choices),
            *value[place + choices.integer(0, 1) :],
        ]
    if isinstance(value, str) and choices.integer(0, 1):
        return damage(value.encode(), choices).decode("utf-8", "replace")
    if isinstance(value, int) and choices.integer(0, 1):
        return value + choices.integer(-2, 2)
    return VALUES[choices.integer(0, len(VALUES) - 1)]


def signed_anew(data: bytes, signer: Signer, choices: Choices) -> bytes:
    """A document changed in one place, with a signature that is good if it can have one."""
    document = json.loads(data)
    document["signed"] = change(document["signed"], choices)
    try:
        payload = encode_canonical(document["signed"]).encode()
    except Exception:  # whatever the library cannot write down has no signature to be good
        payload = b""
    document["signatures"] = [signer.sign(payload).to_dict()]
    return json.dumps(document).encode()
