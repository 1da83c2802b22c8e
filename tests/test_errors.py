"""The tree of errors: codes, exit codes, and what an error of the operating system means."""

import errno

import pytest

from midstream import errors
from midstream.errors import DataError, ErrorCode, MidstreamError, StoreError

FREE = "; free space there, or name another folder"
WRITABLE = "; let this user read and write it, or name another folder"
CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, MidstreamError)
]


def test_every_error_is_exported() -> None:
    assert {kind.__name__ for kind in CLASSES} | {"ErrorCode"} == set(errors.__all__)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_says_its_message_and_its_code(kind: type[MidstreamError]) -> None:
    error = kind(ErrorCode.BAD_FIELD, "unit: 9 is no kind of unit")
    assert str(error) == "unit: 9 is no kind of unit [BAD_FIELD 303]"
    assert (error.code, error.message) == (303, "unit: 9 is no kind of unit")


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (errors.UsageError, 2),
        (errors.FormatError, 1),
        (errors.BitstreamError, 1),
        (errors.LimitError, 1),
        (errors.RecoveryError, 1),
        (errors.TrustError, 1),
        (errors.RefusedError, 1),
        (errors.TransportError, 1),
        (errors.UnavailableError, 3),
        (errors.RuntimeMissingError, 3),
        (errors.StoreError, 3),
    ],
)
def test_the_exit_code_follows_from_the_branch(kind: type[MidstreamError], exit_code: int) -> None:
    assert kind.exit_code == exit_code


def test_all_that_bytes_from_outside_can_cause_is_a_data_error() -> None:
    named = {"FormatError", "BitstreamError", "LimitError", "RecoveryError", "TrustError"}
    assert {kind.__name__ for kind in DataError.__subclasses__()} == {*named, "RefusedError"}


def test_code_numbers_are_unique() -> None:
    assert len(ErrorCode.__members__) == len(set(ErrorCode))


@pytest.mark.parametrize(
    ("number", "code", "advice"),
    [
        (errno.ENOSPC, ErrorCode.STORE_FULL, FREE),
        (errno.EDQUOT, ErrorCode.STORE_FULL, FREE),
        (errno.EROFS, ErrorCode.STORE_READ_ONLY, WRITABLE),
        (errno.EACCES, ErrorCode.STORE_READ_ONLY, WRITABLE),
        (errno.EPERM, ErrorCode.STORE_READ_ONLY, WRITABLE),
        (errno.EIO, ErrorCode.STORE_IO, ""),
    ],
)
def test_an_error_of_the_disk_gets_its_code_and_says_what_to_do(
    number: int, code: ErrorCode, advice: str
) -> None:
    error = StoreError.of(OSError(number, "as the system says"), "cannot write x")
    assert (error.code, error.message) == (code, f"cannot write x: as the system says{advice}")


def test_an_error_of_the_disk_without_a_number_says_its_kind() -> None:
    error = StoreError.of(TimeoutError(), "cannot read x")
    assert (error.code, error.message) == (ErrorCode.STORE_IO, "cannot read x: TimeoutError")
