"""Neural networks, compressed and signed, delivered and updated while they run.

Publish::

    publisher = Publisher("repo/", signer=Signer.load("release.key"))
    release = publisher.publish("abr.tflite", name="abr", ladder=("2.5b", "4b", "6b", "exact"))

Play::

    async with midstream.connect(url, "abr", root="1.root.json") as model:
        await model.ready()
        with model.pin() as net:
            outputs = net.run(features)
        model.swap()

Errors are in `midstream.errors`, fakes for tests in `midstream.testing`.
"""

from midstream.client import (
    AdapterChosen,
    AdaptersMerged,
    AdaptersRefused,
    CheckFailed,
    Delivery,
    GenerationRefused,
    GenerationStaged,
    GenerationSwapped,
    Marks,
    Model,
    SharedLink,
    StoreFailed,
    SwapMode,
    connect,
)
from midstream.decoder import rebuild
from midstream.encoder import encode
from midstream.errors import MidstreamError
from midstream.limits import Limits
from midstream.publisher import Publisher, Release, Use
from midstream.runtime import Generation, PinnedNetwork, Slots, find_backend
from midstream.session import (
    Choice,
    Event,
    Policy,
    ReleaseOpened,
    UnitChosen,
    UnitDamaged,
    UnitFailed,
    UnitVerified,
)
from midstream.store.keys import Signer
from midstream.trust.keys import KeyRing
from midstream.types import DType, Fidelity, UnitKind
from midstream.version import __version__

__all__ = [
    "AdapterChosen",
    "AdaptersMerged",
    "AdaptersRefused",
    "CheckFailed",
    "Choice",
    "DType",
    "Delivery",
    "Event",
    "Fidelity",
    "Generation",
    "GenerationRefused",
    "GenerationStaged",
    "GenerationSwapped",
    "KeyRing",
    "Limits",
    "Marks",
    "MidstreamError",
    "Model",
    "PinnedNetwork",
    "Policy",
    "Publisher",
    "Release",
    "ReleaseOpened",
    "SharedLink",
    "Signer",
    "Slots",
    "StoreFailed",
    "SwapMode",
    "UnitChosen",
    "UnitDamaged",
    "UnitFailed",
    "UnitKind",
    "UnitVerified",
    "Use",
    "__version__",
    "connect",
    "encode",
    "find_backend",
    "rebuild",
]
