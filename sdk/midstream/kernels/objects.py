"""Kinds of objects of a TFLite file, whose places a topology leaves out. Knows nothing of bytes.

Fields are numbered as in the public TFLite schema, version 3 (spec/objects.md, "Kinds").
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

__all__ = [
    "BYTES",
    "COUNTED",
    "COUNTER",
    "HEADER_SIZE",
    "IDENTIFIER",
    "ITEMS",
    "KINDS",
    "KIND_TABLE",
    "MOST_OBJECTS",
    "ROOT",
    "VTABLE",
    "Form",
    "Kind",
    "children",
]

MOST_OBJECTS = 1 << 16
BYTES, VTABLE, ROOT = range(3)
"""Kinds that nothing refers to by a field, and the first that is in the table of kinds."""
IDENTIFIER = b"TFL3"
HEADER_SIZE = 8
"""Bytes of the reference to the root, and of the identifier."""
ITEMS = 255
"""Where a list refers to its items, in place of a field."""
COUNTED, COUNTER = 9, 2
"""The kind of table, and the field of it, whose numbers are differences."""


class Form(IntEnum):
    """What an object consists of; the numbers are those of the specification."""

    TABLE = 0
    LIST = 1
    TEXT = 2
    BYTES = 3
    SINGLES = 4
    DOUBLES = 5
    INTEGERS = 6
    INDICES = 7

    @property
    def item_size(self) -> int:
        """Bytes of an item."""
        return {Form.TEXT: 1, Form.BYTES: 1, Form.DOUBLES: 8}.get(self, 4)


@dataclass(frozen=True, slots=True)
class Kind:
    """What refers to an object, and what it consists of."""

    parent: int
    """The kind of what refers to it."""
    field: int
    """The field that does, or ITEMS."""
    form: Form


KINDS = (
    Kind(0, 0, Form.TABLE),  # 2: the model
    Kind(2, 1, Form.LIST),
    Kind(3, ITEMS, Form.TABLE),  # 4: a code of operators
    Kind(4, 1, Form.TEXT),
    Kind(2, 2, Form.LIST),
    Kind(6, ITEMS, Form.TABLE),  # 7: a graph
    Kind(7, 0, Form.LIST),
    Kind(8, ITEMS, Form.TABLE),  # 9: a tensor
    Kind(9, 0, Form.INTEGERS),
    Kind(9, 3, Form.TEXT),
    Kind(9, 4, Form.TABLE),  # 12: its quantisation
    Kind(12, 0, Form.SINGLES),
    Kind(12, 1, Form.SINGLES),
    Kind(12, 2, Form.SINGLES),
    Kind(12, 3, Form.DOUBLES),
    Kind(9, 6, Form.TABLE),  # 17: its sparsity
    Kind(17, 0, Form.INTEGERS),
    Kind(17, 1, Form.INTEGERS),
    Kind(17, 2, Form.LIST),
    Kind(20, ITEMS, Form.TABLE),
    Kind(21, 3, Form.TABLE),
    Kind(22, 0, Form.BYTES),
    Kind(21, 5, Form.TABLE),
    Kind(24, 0, Form.BYTES),
    Kind(9, 7, Form.INTEGERS),
    Kind(7, 1, Form.INTEGERS),
    Kind(7, 2, Form.INTEGERS),
    Kind(7, 3, Form.LIST),
    Kind(29, ITEMS, Form.TABLE),  # 30: an operator
    Kind(30, 1, Form.INDICES),
    Kind(30, 2, Form.INDICES),
    Kind(30, 4, Form.TABLE),
    Kind(30, 5, Form.BYTES),
    Kind(30, 8, Form.INTEGERS),
    Kind(30, 12, Form.TABLE),
    Kind(7, 4, Form.TEXT),
    Kind(2, 3, Form.TEXT),
    Kind(2, 4, Form.LIST),
    Kind(39, ITEMS, Form.TABLE),  # 40: a buffer
    Kind(40, 0, Form.BYTES),
    Kind(2, 5, Form.INTEGERS),
    Kind(2, 6, Form.LIST),
    Kind(43, ITEMS, Form.TABLE),
    Kind(44, 0, Form.TEXT),
    Kind(2, 7, Form.LIST),
    Kind(46, ITEMS, Form.TABLE),  # 47: a signature
    Kind(47, 0, Form.LIST),
    Kind(48, ITEMS, Form.TABLE),
    Kind(49, 0, Form.TEXT),
    Kind(47, 1, Form.LIST),
    Kind(51, ITEMS, Form.TABLE),
    Kind(52, 0, Form.TEXT),
    Kind(47, 2, Form.TEXT),
)
"""Kinds from ROOT on; each stands after its parent."""
KIND_TABLE = np.array([(k.parent, k.field, k.form, k.form.item_size) for k in KINDS], np.uint8)
"""The same for the kernel in C: parent, field, form, bytes of an item; (kinds, 4)."""


def children(kind: int) -> tuple[tuple[int, int], ...]:
    """What the fields of a table refer to: each field and its kind, in order of the kinds."""
    return _CHILDREN[kind - ROOT]


_CHILDREN = tuple(
    tuple((k.field, ROOT + at) for at, k in enumerate(KINDS) if k.parent == ROOT + parent)
    for parent in range(len(KINDS))
)
