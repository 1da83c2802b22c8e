"""trust.checked: a good signature is computed once, and nothing else passes for it."""

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from midstream.trust.checked import CheckedSignatures

DATA = b"timestamp 7, snapshot 7"
SIGNING = SigningKey(bytes(range(32)))
SIGNATURE = SIGNING.sign(DATA).signature


class Counting(VerifyKey):
    """A key that counts how often it computes."""

    computed = 0

    def verify(self, *args, **kwargs):
        self.computed += 1
        return super().verify(*args, **kwargs)


@pytest.fixture
def key():
    return Counting(bytes(SIGNING.verify_key))


def test_a_good_signature_is_computed_once(key):
    checked = CheckedSignatures()
    for _ in range(3):
        checked.check(key, SIGNATURE, DATA)
    assert key.computed == 1


def test_a_bad_signature_is_refused_each_time_and_never_remembered(key):
    checked = CheckedSignatures()
    for _ in range(3):
        with pytest.raises(BadSignatureError):
            checked.check(key, SIGNATURE, DATA + b" ")
    assert key.computed == 3


@pytest.mark.parametrize("cut", [1, 32, 63])
def test_no_end_of_a_signature_passes_for_data(key, cut):
    checked = CheckedSignatures()
    checked.check(key, SIGNATURE, DATA)
    with pytest.raises((BadSignatureError, ValueError)):
        checked.check(key, SIGNATURE[:cut], SIGNATURE[cut:] + DATA)


def test_what_one_key_signed_is_not_another_s(key):
    checked = CheckedSignatures()
    checked.check(key, SIGNATURE, DATA)
    with pytest.raises(BadSignatureError):
        checked.check(SigningKey.generate().verify_key, SIGNATURE, DATA)


def test_any_bit_that_differs_is_found_though_the_good_one_is_remembered(key):
    checked = CheckedSignatures()
    checked.check(key, SIGNATURE, DATA)
    for bit in range(8 * len(SIGNATURE)):
        other = bytearray(SIGNATURE)
        other[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadSignatureError):
            checked.check(key, bytes(other), DATA)


def test_no_more_are_remembered_than_there_may_be(key):
    checked = CheckedSignatures(most=2)
    many = [bytes([number]) for number in range(3)]
    for data in [*many, many[2], many[0]]:
        checked.check(key, SIGNING.sign(data).signature, data)
    assert key.computed == 4
