"""Which lines of a file are kept, as functions of its bytes."""

import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import ResultStatus, Session, SessionStatus, converter
from raydocs_async.cli import _ids
from raydocs_async.cli._scan import (
    FailureLine,
    ForeignLine,
    Line,
    Scan,
    SessionLine,
    Split,
    decode,
    prune,
    read_lines,
    scan,
)
from raydocs_async.sandbox._ids import session_id as make_id
from raydocs_async.sandbox._sessions import build_session

REST = {"documents": [], "name": "Ünïcode", "status": "completed"}


def record(session_id: str = "a", **values: Any) -> bytes:
    """A session's line, without its end."""
    return json.dumps({"id": session_id, **REST, **values}, separators=(",", ":")).encode()


def line(session_id: str = "a", **values: Any) -> bytes:
    """A session's line."""
    return record(session_id, **values) + b"\n"


def nested(depth: int) -> bytes:
    """A session's line with so many levels in it."""
    return record().replace(
        b'"name"', b'"x":' + b'[{"y":' * depth + b'"]"' + b"}]" * depth + b',"name"'
    )


def scanned(content: bytes, **options: Any) -> Scan:
    """What is found in a file of sessions."""
    return scan(io.BytesIO(content), SessionLine, **options)


def rest(content: bytes) -> bytes:
    """What is kept of a file of sessions."""
    return b"".join(content[first:last] for first, last in scanned(content).kept)


def test_whole_lines_are_kept() -> None:
    """Everything stays in a file that was not interrupted."""
    found = scanned(line("A") + line("b"))
    assert (found.ids, found.is_whole, list(found.notes("x"))) == ({"a", "b"}, True, [])


def test_nothing() -> None:
    """An empty file is whole."""
    assert scanned(b"").is_whole
    assert scanned(b"").has_none


@pytest.mark.parametrize("depth", [100, 500, 5000, 200_000])
def test_any_depth_is_read(depth: int) -> None:
    """A record is kept however deep its data is nested, and whatever interpreter wrote it."""
    assert scanned(nested(depth) + b"\n" + line("b")).ids == {"a", "b"}
    assert scanned(nested(depth)).lacks_end


def test_deep_and_torn() -> None:
    """A deep record that was cut off is torn, as any other."""
    deep = nested(5000)
    for cut in (len(deep) // 2, len(deep) - 1):
        assert scanned(deep[:cut]).torn == cut
    assert scanned(record()[:-1] + b',"x":' + b"[" * 5000 + b'"' + b"]" * 5000 + b"}").torn


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_pruning_keeps_what_is_shallow(value: Any) -> None:
    """JSON stays as it is down to eight levels, brackets in strings included."""
    text = json.dumps([[["]}", '"[{\\"', value]]]).encode()
    pruned = json.loads(prune(text))
    assert pruned[0][0][:2] == ["]}", '"[{\\"']
    if text.count(b"[") + text.count(b"{") < 8:
        assert prune(text) == text


def test_pruning_of_no_json() -> None:
    """Brackets that do not match, and strings without an end, are no JSON."""
    assert prune(b"[[") == prune(b'{"a') == prune(b"]") == b""


@pytest.mark.parametrize("status", [None, *SessionStatus, "archived"])
@pytest.mark.parametrize("results", [[], [*ResultStatus], ["completed"], ["failed", "completed"]])
def test_finished_as_the_model_says(status: str | None, results: list[str]) -> None:
    """A line is finished exactly if the session is that it holds."""
    values = build_session(make_id(0))
    example = values["results"][0]
    values |= {"status": status, "results": [example | {"status": each} for each in results]}
    session = converter.loads(json.dumps(values).encode(), Session)
    read = decode(msgspec.json.Decoder(SessionLine), converter.dumps(session))
    assert read.is_finished == session.is_finished


def test_unfinished_sessions() -> None:
    """What was not finished is not kept, is known by its id in order, and is mentioned."""
    content = line("a") + line("C", status="pending") + line("b", status="processing") + line("d")
    found = scanned(content)
    assert (found.ids, list(found.unfinished)) == ({"a", "d"}, ["c", "b"])
    assert rest(content) == line("a") + line("d")
    assert list(found.notes("x")) == [
        "x: sessions to fetch again, because they were not finished: 2"
    ]


def test_finished_later() -> None:
    """A session that is there a second time, finished, is not fetched again."""
    found = scanned(line("a", status="pending") + line("a"))
    assert (found.ids, list(found.unfinished)) == ({"a"}, [])


HOLE = b"\0" * 4096


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (HOLE, b""),
        (line() + HOLE, line()),
        (HOLE + b'"}\n' + line(), line()),
        (line("b") + line()[:20] + HOLE + line()[9:] + line("c"), line("b") + line("c")),
        (line("b") + line()[:20] + HOLE, line("b")),
        (line("b") + HOLE + line()[:20] + HOLE + line("d") + line("c"), line("b") + line("c")),
    ],
)
def test_holes(content: bytes, kept: bytes) -> None:
    """Lines with blocks of NULs are dropped wherever they are, the others stay."""
    assert rest(content) == kept
    dropped = len(content) - len(kept)
    assert list(scanned(content).notes("x")) == [
        f"x: dropped {dropped} bytes that are damaged, as after a power cut"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"SQLite format 3\0" + HOLE,
        b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0",
        b"\0\0\1\0\1\0\x20\x20",
        '{"id": "a", "documents": []}\n'.encode("utf-16-le"),
        '{"id": "a", "documents": []}\n'.encode("utf-16-be"),
    ],
)
def test_binary_files_have_no_holes(content: bytes) -> None:
    """NULs alone do not make a file ours: images, databases and UTF-16 are refused."""
    with pytest.raises(ForeignLine, match="1"):
        scanned(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"theme": "dark"}',
        b'{"theme":"dark"}',
        b"[1, 2]",
        b"12",
        b"null",
        b"{ ",
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
@pytest.mark.parametrize("before", [b"", line()])
def test_foreign_json_is_not_torn(content: bytes, before: bytes) -> None:
    """A last line without its end is only torn if it is no complete JSON, and begins as ours."""
    with pytest.raises(ForeignLine, match=str(1 + bool(before))):
        scanned(before + content)


def test_damage_that_is_known() -> None:
    """After a line that cannot be ours, the rest is dropped if the file is known to be damaged."""
    content = line() + b"eeeeee\n" + line("b")
    found = scanned(content, is_damaged=lambda: True)
    assert (found.ids, found.kept) == ({"a"}, [(0, len(line()))])
    with pytest.raises(ForeignLine, match="2"):
        scanned(content)
    with pytest.raises(ForeignLine, match="1"):
        scanned(content[len(line()) :], is_damaged=lambda: True)


class Endless(io.BytesIO):
    """A file whose reads are counted."""

    longest = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, or a part of it."""
        found = super().readline(size)
        self.longest = max(self.longest, len(found))
        return found


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("length", [7, 8, 9, 15, 16, 17, 100])
def test_long_lines(length: int, end: bytes) -> None:
    """A line is measured to its end, with no more than a piece of it in memory."""
    content = b"x" * (length - len(end)) + end
    file = Endless(content + (b"y\n" if end else b""))
    first, *others = read_lines(file, 8)
    assert first == Line(content[:8], length, bool(end), may_be_holed=False)
    assert [each.content for each in others] == ([b"y\n"] if end else [])
    assert file.longest <= 8


def test_a_long_hole() -> None:
    """A hole may be longer than any line; a line of something else may not."""
    holed, other = (next(read_lines(io.BytesIO(each), 64)) for each in (HOLE, b"\0" * 80 + b"\1"))
    assert (holed.may_be_holed, other.may_be_holed) == (True, False)
    found, decoder = Scan(), msgspec.json.Decoder(SessionLine)
    assert found.take(holed, decoder)
    assert not found.take(Line(record(), 1000, has_end=True, may_be_holed=False), decoder)


def test_failures() -> None:
    """A file of failures is read likewise, with whatever payload."""
    deep = b'{"id":"A","error":{},"payload":' + b"[" * 5000 + b"]" * 5000 + b"}\n"
    found = scan(io.BytesIO(deep + b'{"id":"b","error":{"status":404}}\n'), FailureLine)
    assert (found.ids, found.is_whole) == ({"a", "b"}, True)
    with pytest.raises(ForeignLine):
        scan(io.BytesIO(line()), FailureLine)


def split(ids: list[str]) -> Split:
    """What a file with these ids tells."""
    found = Split()
    for each in ids:
        found.add(each)
    return found


def selected(shard: tuple[int, int], count: int) -> list[str]:
    """The first ids of the sandbox that a `--shard` selects, so many."""
    wanted = _ids.Wanted(shard)
    found = (_ids.Id(make_id(number), "") for number in range(count * shard[1] * 4))
    return [str(each) for each in found if wanted.needs(each)][:count]


@pytest.mark.parametrize(
    ("begun", "now"),
    [((1, 3), (2, 3)), ((1, 1), (1, 2)), ((2, 4), (2, 2)), ((1, 3), (1, 1)), ((3, 7), (1, 2))],
)
def test_another_shard(begun: tuple[int, int], now: tuple[int, int]) -> None:
    """The shard of a file follows from its ids; any other is refused."""
    ids = selected(begun, 40)
    assert split(ids).differs(now, 40) == begun
    assert split(ids).differs(begun, 40) is None


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_few_ids_prove_no_shard(count: int) -> None:
    """The hashes of two ids always differ by some large number, which is no number of parts."""
    ids = [make_id(number) for number in range(500)]
    for first in range(len(ids) - count):
        assert split(ids[first : first + count]).differs((1, 1), count) is None


def test_a_shard_of_few_ids() -> None:
    """With few ids it is refused if one of them is of another part, and named if that is sure."""
    one = selected((1, 3), 1)
    assert split(one).differs((2, 3), 1) == (1, 3)
    assert split(one).differs((1, 3), 1) is None
    assert split(selected((1, 3), 4)).differs((2, 3), 4) == (1, 3)
    assert split([]).differs((2, 3), 0) is None
    assert split(selected((1, 3), 3)).differs((1, 1), 3) is None
    two = [selected((1, 2), 1)[0], selected((2, 2), 2)[1]]
    assert split(two).differs((1, 2), 2) == (0, 0)
