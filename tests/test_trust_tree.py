"""Packet hash trees and hash pages."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midstream.errors import ErrorCode, TrustError
from midstream.trust import tree
from midstream.trust.tree import HashPage

# RFC 6962 has no vectors of its own; these leaves and roots are those of its reference
# implementation's tests ("compact Merkle tree" of eight inputs)
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(1, 9))
def test_roots_are_those_of_certificate_transparency(count: int) -> None:
    hashes = [tree.leaf(data) for data in INPUTS[:count]]
    assert tree.root(hashes).hex() == ROOTS[count - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert tree.root([]) == hashlib.sha256().digest()


def split_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word: split at the largest power of two below n."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    both = split_root(hashes[:split]) + split_root(hashes[split:])
    return hashlib.sha256(b"\x01" + both).digest()


@given(st.integers(1, 300))
def test_the_shape_is_that_of_rfc_6962_for_any_number_of_leaves(count: int) -> None:
    hashes = [tree.leaf(bytes([i & 255, i >> 8])) for i in range(count)]
    assert tree.root(hashes) == split_root(hashes)


def test_the_last_packet_is_hashed_as_short_as_it_is() -> None:
    data = bytes(range(50))
    assert tree.leaves(data, 20) == [tree.leaf(data[a : a + 20]) for a in (0, 20, 40)]
    assert tree.leaves(bytearray(data), 20) == tree.leaves(memoryview(data), 20)
    assert tree.leaves(b"", 20) == []


def test_a_node_cannot_be_passed_off_as_a_packet() -> None:
    left, right = tree.leaf(b"a"), tree.leaf(b"b")
    assert tree.leaf(left + right) != tree.root([left, right])


def page(repair: bytes = bytes(40)) -> HashPage:
    return HashPage.of(bytes(range(100)), repair, 20)


def test_a_page_that_was_signed_for_is_taken() -> None:
    made = page()
    read = HashPage.read(made.bytes(), 5, 2, made.source_root, made.repair_root)
    assert read == made
    assert len(made.bytes()) == 7 * 32


def test_a_page_without_repair_symbols_has_no_repair_root() -> None:
    made = page(b"")
    assert made.repair_root is None
    assert HashPage.read(made.bytes(), 5, 0, made.source_root, None) == made


@pytest.mark.parametrize("at", [0, 100, 5 * 32, 7 * 32 - 1])
def test_a_damaged_page_is_refused(at: int) -> None:
    """[TRU-12] Packets are checked against a page that was checked against the manifest."""
    made = page()
    data = bytearray(made.bytes())
    data[at] ^= 1
    with pytest.raises(TrustError) as caught:
        HashPage.read(bytes(data), 5, 2, made.source_root, made.repair_root)
    assert caught.value.code is ErrorCode.BAD_HASH


@pytest.mark.parametrize("cut", [0, 31, 6 * 32])
def test_a_page_of_another_length_is_refused(cut: int) -> None:
    made = page()
    with pytest.raises(TrustError, match="224 were signed for"):
        HashPage.read(made.bytes()[:cut], 5, 2, made.source_root, made.repair_root)


def test_source_hashes_do_not_pass_for_repair_hashes() -> None:
    made = page()
    with pytest.raises(TrustError):
        HashPage.read(made.bytes(), 4, 3, made.source_root, made.repair_root)
