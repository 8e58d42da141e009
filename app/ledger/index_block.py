"""
The index of one block of ledger entries, as the fields of a hash. Pure.

A set of entries is a bitmap: an integer whose bit n stands for the nth entry of the block. It is stored as
such, or as a list of positions if that is smaller. Numbers are stored bit by bit, with one bitmap for each
binary digit, so that comparing an entire block takes a few operations on integers.

Source: O'Neil, Quass, "Improved query performance with variant indexes", SIGMOD 1997.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from app.ledger.query import (
    TEXTS,
    LedgerQuery,
    figure,
    is_cached,
    is_retried,
    requested_model,
    status_groups,
    tried_accounts,
)
from app.stores.records.ledger import LedgerEntry, Row

MAX_ENTRIES = 65_536  # per block: a position has two bytes
COUNT, IDS = b"n", b"ids"  # fields of every block
DURATION, COST, REQUEST = b"ms", b"cost", b"request"  # columns of numbers
ID_BITS = 24  # of the digest of a request id; it matches a wrong id in one of four thousand blocks
_LIST, _BITMAP = b"L", b"B"
_UINT64 = struct.Struct("<Q")

Term = tuple[str, str]  # a filter and its value


def encode_block(entries: Sequence[LedgerEntry]) -> dict[bytes, bytes]:
    """Return the fields of the block of *entries*, at most MAX_ENTRIES."""
    positions: dict[Term, list[int]] = defaultdict(list)
    for position, entry in enumerate(entries):
        for term in _terms_of_row(entry.row):
            positions[term].append(position)
    fields = {field_name(term): _encode_positions(places, len(entries)) for term, places in positions.items()}
    rows = [entry.row for entry in entries]
    return fields | {
        COUNT: str(len(entries)).encode(),
        IDS: _encode_ids([entry.position for entry in entries]),
        DURATION: encode_numbers([figure(row, "total_ms") for row in rows]),
        COST: encode_numbers([figure(row, "cost") for row in rows]),
        REQUEST: encode_numbers([id_digest(str(row.get("id", ""))) for row in rows]),
    }


def terms_of_query(query: LedgerQuery) -> list[list[Term]]:
    """Return the terms that an entry must have to match *query*: one of each list."""
    terms = [[term] for term in query.texts.items()]
    terms += [[term] for term in (("requested", query.requested), ("tried", query.tried)) if term[1]]
    terms += [[("label", _label(name, value) if value else name)] for name, value in query.labels.items()]
    terms += [
        [(name, str(flag))] for name in ("retried", "cached") if (flag := getattr(query, name)) is not None
    ]
    if query.status:
        terms.append([("status", status) for status in query.statuses])
    return terms


def _terms_of_row(row: Row) -> Iterator[Term]:
    """Yield each term of *row* once."""
    yield from ((name, value) for name in TEXTS if (value := row.get(name)))
    yield "requested", requested_model(row)
    yield from (("tried", account) for account in tried_accounts(row))
    for name, value in (row.get("labels") or {}).items():
        yield "label", name
        yield "label", _label(name, value)
    yield from (("status", group) for group in status_groups(int(row.get("status", 0))))
    yield "retried", str(is_retried(row))
    yield "cached", str(is_cached(row))


def _label(name: str, value: str) -> str:
    return f"{name}\0{value}"


@lru_cache(maxsize=4096)
def field_name(term: Term) -> bytes:
    """Return the field of *term* in a block: eight bytes, whatever the length of its value."""
    return hashlib.blake2b("\0".join(term).encode(errors="replace"), digest_size=8).digest()


def id_digest(request_id: str) -> int:
    """Return a digest of a request id, as a number of ID_BITS."""
    digest = hashlib.blake2b(request_id.encode(errors="replace"), digest_size=ID_BITS // 8).digest()
    return int.from_bytes(digest, "little")


def everything(count: int) -> int:
    """Return the bitmap of all entries of a block."""
    return (1 << count) - 1


def _encode_positions(positions: Sequence[int], count: int) -> bytes:
    width = (count + 7) // 8
    if 2 * len(positions) < width:
        return _LIST + struct.pack(f"<{len(positions)}H", *positions)
    bits = bytearray(width)
    for position in positions:
        bits[position >> 3] |= 1 << (position & 7)
    return _BITMAP + bytes(bits)


def decode_positions(stored: bytes | None) -> int:
    """Return the bitmap of a stored set; a missing set is empty."""
    if stored is None:
        return 0
    if stored[:1] == _BITMAP:
        return int.from_bytes(stored[1:], "little")
    bitmap = 0
    for (position,) in struct.iter_unpack("<H", stored[1:]):
        bitmap |= 1 << position
    return bitmap


def encode_numbers(numbers: Sequence[int]) -> bytes:
    """Return a column of *numbers* (not negative): a bitmap for each binary digit, the highest first."""
    digits = max(numbers).bit_length()
    if not digits:
        return b""
    width = (len(numbers) + 7) // 8
    texts = (f"{number:0{digits}b}" for number in reversed(numbers))  # bit 0 is the first entry
    return b"".join(int("".join(digit), 2).to_bytes(width, "little") for digit in zip(*texts, strict=True))


def _decode_digits(stored: bytes, count: int) -> list[int]:
    """Return the bitmap of each binary digit of a column, the highest first."""
    width = (count + 7) // 8
    return [int.from_bytes(stored[start : start + width], "little") for start in range(0, len(stored), width)]


def at_least(stored: bytes, count: int, minimum: int) -> int:
    """Return the bitmap of the entries whose number in a column is *minimum* or more."""
    digits = _decode_digits(stored, count)
    if minimum.bit_length() > len(digits):
        return 0
    greater, equal = 0, everything(count)
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if minimum >> place & 1:
            equal &= digit
        else:
            greater |= equal & digit
            equal &= ~digit
    return greater | equal


def equal_to(stored: bytes, count: int, numbers: Iterable[int]) -> int:
    """Return the bitmap of the entries whose number in a column is one of *numbers*."""
    digits = _decode_digits(stored, count)
    found = 0
    for number in numbers:
        equal = everything(count) if number.bit_length() <= len(digits) else 0
        for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
            equal &= digit if number >> place & 1 else ~digit
            if not equal:
                break
        found |= equal
    return found


def positions_in(bitmap: int) -> Iterator[int]:
    """Yield the positions of the entries in *bitmap*, the newest first."""
    while bitmap:
        position = bitmap.bit_length() - 1
        yield position
        bitmap ^= 1 << position


def _encode_ids(ids: Sequence[tuple[int, int]]) -> bytes:
    base = ids[0][0]
    numbers = (*(ms - base for ms, _ in ids), *(number for _, number in ids))
    return zlib.compress(struct.pack(f"<Q{len(numbers)}Q", base, *numbers))


def read_ids(stored: bytes, positions: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (Unix ms, number) of the entries at *positions* of a block."""
    data = zlib.decompress(stored)
    (base,), count = _UINT64.unpack_from(data), len(data) // 16

    def number(index: int) -> int:
        return int(_UINT64.unpack_from(data, 8 * index)[0])

    for place in positions:
        yield base + number(1 + place), number(1 + count + place)
