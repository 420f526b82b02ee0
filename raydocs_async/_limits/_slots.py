"""The layout of a shared record's file; pure.

After a few bytes that name the format, there are two slots, which are written in turn. Each holds
a number that grows with every write, a checksum and the content. The valid slot with the higher
number counts. So a write that ends at any byte leaves the content before it, and a reader needs
no lock.
"""

import struct
import zlib
from typing import Final

from attrs import frozen

MAGIC: Final = b"raydocs limit 1\n"
SLOT: Final = 16 * 1024
"""Bytes of a slot."""
SIZE: Final = len(MAGIC) + 2 * SLOT

_head = struct.Struct("<QII")


@frozen
class Content:
    """The content of a file."""

    number: int = 0
    """The number of the write; 0 if there was none."""
    payload: bytes | None = None
    """What was written; ``None`` if there is no valid slot."""
    damaged: bool = False
    """True if there is no valid slot although the file is not new."""


def parse(data: bytes) -> Content:
    """Return the content of a file whose bytes are `data`.

    Raises:
        ValueError: the file is of another kind, or of another version of this format.
    """
    magic = data[: len(MAGIC)]
    if magic != MAGIC and not MAGIC.startswith(magic.rstrip(b"\0")):
        raise ValueError("it holds something else than a shared rate limit of this version")
    found = [content for slot in (0, 1) if (content := _slot(data, slot)) is not None]
    if found:
        return max(found, key=lambda content: content.number)
    return Content(damaged=any(data[len(MAGIC) :]))


def write(number: int, payload: bytes) -> tuple[int, bytes]:
    """Return where to write the content with this number, and the bytes to write there.

    Raises:
        ValueError: `payload` is too large.
    """
    if _head.size + len(payload) > SLOT:
        raise ValueError("too many processes share it")
    at = len(MAGIC) + number % 2 * SLOT
    return at, _head.pack(number, len(payload), _checksum(number, payload)) + payload


def _slot(data: bytes, slot: int) -> Content | None:
    start = len(MAGIC) + slot * SLOT
    head = data[start : start + _head.size]
    if len(head) < _head.size:
        return None
    number, length, checksum = _head.unpack(head)
    payload = data[start + _head.size : start + _head.size + length]
    valid = number and length == len(payload) and checksum == _checksum(number, payload)
    return Content(number, payload) if valid else None


def _checksum(number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(number.to_bytes(8, "little")))
