"""The layout of a shared record's file, and what a crash leaves of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async._limits._slots import MAGIC, SIZE, SLOT, Content, parse, write


def written(data: bytes, number: int, payload: bytes, cut: int | None = None) -> bytes:
    """Return the file after a write, or after its first bytes if it was cut off."""
    at, content = write(number, payload)
    content = content[:cut]
    data = (MAGIC + data[len(MAGIC) :]).ljust(at, b"\0")
    return data[:at] + content + data[at + len(content) :]


@given(payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_the_last_write_is_read(payloads: list[bytes]) -> None:
    """The last write is read, whatever was written before it."""
    data = b""
    for number, payload in enumerate(payloads, 1):
        data = written(data, number, payload)
    assert parse(data) == Content(len(payloads), payloads[-1])


@given(old=st.binary(max_size=100), new=st.binary(max_size=100), data=st.data())
def test_a_write_that_ends_at_any_byte_leaves_the_old_content(
    old: bytes, new: bytes, data: st.DataObject
) -> None:
    """Of the third write, any part may be there; the second one stands, or the third."""
    file = written(written(b"", 1, b"first"), 2, old)
    cut = data.draw(st.integers(0, len(write(3, new)[1])))
    found = parse(written(file, 3, new, cut))
    assert found in {Content(2, old), Content(3, new)}


@pytest.mark.parametrize("number", [2, 3])
def test_the_higher_number_counts(number: int) -> None:
    """Of two valid slots, the one with the higher number counts, whichever comes first."""
    data = written(written(b"", number - 1, b"older"), number, b"newer")
    assert parse(data) == Content(number, b"newer")


@pytest.mark.parametrize("number", [2, 3])
def test_a_flipped_bit_never_becomes_content(number: int) -> None:
    """The checksum notices each bit that is flipped in a slot, and the other slot counts."""
    data = bytearray(written(written(b"", number - 1, b"older"), number, b"n"))
    at, content = write(number, b"n")
    for byte in range(at, at + len(content)):
        for bit in range(8):
            data[byte] ^= 1 << bit
            assert parse(bytes(data)) == Content(number - 1, b"older")
            data[byte] ^= 1 << bit


def test_the_bytes_of_a_slot() -> None:
    """The format is the same on all machines and in all versions that share a file."""
    number, length, checksum = "0300000000000000", "02000000", "26ebf791"
    assert write(3, b"hi") == (len(MAGIC) + SLOT, bytes.fromhex(number + length + checksum) + b"hi")


@pytest.mark.parametrize(
    "data", [b"", MAGIC[:5], MAGIC[:5] + b"\0" * 40, b"\0" * 40, MAGIC], ids=repr
)
def test_a_file_that_nobody_has_written_is_empty(data: bytes) -> None:
    """An empty file, and one whose first write has only begun, hold nothing."""
    assert parse(data) == Content()


def test_a_file_without_a_valid_slot_is_damaged() -> None:
    """That is told apart from a new one."""
    assert parse(MAGIC + b"x" * 100).damaged
    assert parse(MAGIC + b"x" * 2 * SLOT).damaged


@pytest.mark.parametrize(
    "data", [b"important notes", b"raydocs limit 2\n" + b"\0" * 9, b"\0x", b"raydX"]
)
def test_a_file_of_another_kind_is_refused(data: bytes) -> None:
    """A file of another kind is refused, so that it is not overwritten."""
    says = r"^it holds something else than a shared rate limit of this version$"
    with pytest.raises(ValueError, match=says):
        parse(data)


def test_the_largest_content() -> None:
    """A slot holds a bit less than its size; more is refused before anything is written."""
    largest = b"x" * (SLOT - 16)
    assert parse(written(b"", 1, largest)) == Content(1, largest)
    assert len(written(written(b"", 1, largest), 2, largest)) == SIZE
    with pytest.raises(ValueError, match=r"^too many processes share it$"):
        write(1, largest + b"x")
