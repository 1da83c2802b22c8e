"""The client: a network's units fetched, verified and run. Knows nothing of players.

`connect` gives a `Model` that runs while it gets better; `Delivery` is the same without a
runtime, for those who only want the file.
"""

from midstream.client.connecting import connect
from midstream.client.delivery import Delivery
from midstream.client.events import (
    AdapterChosen,
    AdaptersMerged,
    AdaptersRefused,
    CheckFailed,
    GenerationRefused,
    GenerationStaged,
    GenerationSwapped,
)
from midstream.client.keeping import StoreFailed
from midstream.client.marking import Marks
from midstream.client.model import Model, SwapMode
from midstream.client.sharing import SharedLink

__all__ = [
    "AdapterChosen",
    "AdaptersMerged",
    "AdaptersRefused",
    "CheckFailed",
    "Delivery",
    "GenerationRefused",
    "GenerationStaged",
    "GenerationSwapped",
    "Marks",
    "Model",
    "SharedLink",
    "StoreFailed",
    "SwapMode",
    "connect",
]
