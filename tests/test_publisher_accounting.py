"""Where the bytes of units went, and what they brought."""

import hashlib
import math

import pytest

import models
from midstream.encoder import encode
from midstream.publisher.accounting import account
from midstream.publisher.noise import tensor_snr

MODEL = models.mlp((40, 90, 60))
UNITS = [unit.data for unit in encode(MODEL, ladder="3b,5b,exact").units]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_bytes_of_every_layer_add_up_to_its_unit(count: int) -> None:
    found = account(UNITS[:count])
    parts = [tensor.layers for tensor in found.tensors] + list(found.others.values())
    assert [sum(layer) for layer in zip(*parts, strict=True)] == [len(u) for u in UNITS[:count]]
    assert min(min(sizes) for sizes in parts) >= 0


def test_tensors_have_the_names_of_the_model_file_and_come_largest_first() -> None:
    found = account(UNITS)
    assert all(tensor.name for tensor in found.tensors)
    sizes = [tensor.size for tensor in found.by_size]
    assert sizes == sorted(sizes, reverse=True)


def test_snr_rises_to_exact_in_the_last_layer() -> None:
    snr = tensor_snr(UNITS, hashlib.sha256(MODEL).digest())
    assert snr is not None
    largest = account(UNITS).by_size[0].index
    assert 0 < snr[largest][0] < snr[largest][1] < snr[largest][2] == math.inf


def test_snr_is_not_known_without_an_exact_layer() -> None:
    assert tensor_snr(UNITS[:2], hashlib.sha256(MODEL).digest()) is None
