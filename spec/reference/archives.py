"""Checksums of NPZ archives, which follow from what was decoded."""

import zlib

LOCAL, CENTRAL, END, DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08"
STORED, DEFLATED, ENCRYPTED = 0, 8, 1
MOST_MEMBERS = 65_536


def number(data: bytes | bytearray, start: int, size: int) -> int:
    """A field of a header."""
    return int.from_bytes(data[start : start + size], "little")


def settle(model: bytearray) -> None:
    """Write the checksums of an archive's stored members; what is no archive stays."""
    name = model[30 : 30 + number(model, 26, 2)]
    members = (read_members(model) or []) if model[:4] == LOCAL and name.endswith(b".npy") else []
    if sum(stop - start for _, _, start, stop in members) > len(model):
        return
    for entry, local, start, stop in members:
        if number(model, entry + 10, 2) != STORED:
            continue
        old = bytes(model[entry + 16 : entry + 20])
        new = zlib.crc32(model[start:stop]).to_bytes(4, "little")
        after = stop + 4 if model[stop : stop + 4] == DESCRIPTOR else stop
        for place in (entry + 16, local + 14, after):
            if model[place : place + 4] == old:
                model[place : place + 4] = new


def read_members(model: bytearray) -> list[tuple[int, int, int, int]] | None:
    """Entry, header, start and stop of each member; None where it is no archive."""
    end = model.rfind(END, max(0, len(model) - 22 - 65_535))
    if end < 0 or end + 22 > len(model) or number(model, end + 10, 2) > MOST_MEMBERS:
        return None
    place, members = number(model, end + 16, 4), []
    for _ in range(number(model, end + 10, 2)):
        local = number(model, place + 42, 4)
        start = local + 30 + number(model, local + 26, 2) + number(model, local + 28, 2)
        packed, size = number(model, place + 20, 4), number(model, place + 24, 4)
        method, flags = number(model, place + 10, 2), number(model, place + 8, 2)
        if (
            model[place : place + 4] != CENTRAL
            or place + 46 > len(model)
            or model[local : local + 4] != LOCAL
            or start + packed > len(model)
            or method not in (STORED, DEFLATED)
            or flags & ENCRYPTED != 0
            or (method == STORED and packed != size)
        ):
            return None
        members.append((place, local, start, start + packed))
        place += 46 + sum(number(model, place + field, 2) for field in (28, 30, 32))
    return members
