"""What is expected of a tensor's weights: read as it was written, or refused."""

import numpy as np
import pytest

from midstream.codec import references
from midstream.codec.references import Decayed, LowRank, Pruned, Scaled
from midstream.errors import DataError
from midstream.types import DType, Tensor
from tensorfiles import normal

INTEGERS = np.random.default_rng(2).integers(-100, 100, 24).astype(np.int8)
TENSOR = Tensor(name="t", dtype=DType.FLOAT32, shape=(6, 4), offset=0)
WHOLE = Tensor(name="t", dtype=DType.INT8, shape=(6, 4), offset=0)


@pytest.mark.parametrize(
    ("reference", "tensor"),
    [
        (Pruned(threshold=77), TENSOR),
        (Pruned(threshold=1 << 30, is_signed=True), TENSOR),
        (Pruned(threshold=9), WHOLE),
        (Decayed(steps=1, decay=-(1 << 39)), TENSOR),
        (Decayed(steps=60, decay=-17 << 16, then=Pruned(threshold=1 << 29)), TENSOR),
        (Scaled(scales=np.array([0, 65536, 9, 1 << 20, 70000, 65535], np.int32)), WHOLE),
        (
            LowRank(
                left=np.arange(12, dtype=np.int32).reshape(6, 2) * 1000,
                right=np.array([[1, -2, 3, -4], [0, 0, 1 << 20, 5]], np.int32),
                shift=-3,
            ),
            TENSOR,
        ),
    ],
)
def test_a_reference_is_read_as_it_was_written(
    reference: references.Reference, tensor: Tensor
) -> None:
    read = references.read(references.write(reference), tensor)
    old = normal(24) if tensor is TENSOR else INTEGERS
    whole = read.apply(old, tensor, 0)
    assert whole.tobytes() == reference.apply(old, tensor, 0).tobytes()
    # a slice of a tensor is expected to be what it is as part of the whole
    assert read.apply(old[5:19], tensor, 5).tobytes() == whole[5:19].tobytes()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\4", b"\1\0\0", b"\1\x41\0", b"\0\x80\0", b"\3", b"\3\1", b"\3\0\1"),
        *(b"\3\1\1\3\1\1", b"\3\1\1\0", b"\3\1\1\2\0"),
    ],
)
def test_any_other_reference_is_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        references.read(data, TENSOR)


@pytest.mark.parametrize("decay", [1 << 30, 1 << 24, 12345])
def test_what_is_no_number_does_not_decay(decay: int) -> None:
    """With factors that are float32, and with one that is not."""
    old = np.array([np.nan, -np.inf, 3.4e38, -0.0, 2.0], "<f4")
    found = Decayed(steps=2, decay=decay).apply(old, TENSOR, 0)
    assert found[:2].tobytes() == old[:2].tobytes()
    assert found[3:4].tobytes() == old[3:4].tobytes()
    once = np.float32(2 * (1 + decay * 2.0**-40))
    assert found[4] == np.float32(np.float64(once) * (1 + decay * 2.0**-40))
