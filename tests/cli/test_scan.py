"""Classification of the lines in a file of an earlier run."""

import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import ResultStatus, Session, SessionStatus, converter
from raydocs_async.cli._scan import (
    FailureRecord,
    ForeignLineError,
    Line,
    ResumeState,
    SessionRecord,
    decode_record,
    prune,
    read_lines,
    scan,
)
from raydocs_async.sandbox._ids import session_id as make_id
from raydocs_async.sandbox._sessions import build_session

REST = {"documents": [], "name": "Ünïcode", "status": "completed"}


def record(session_id: str = "a", **values: Any) -> bytes:
    """Return a session's line, without its end."""
    return json.dumps({"id": session_id, **REST, **values}, separators=(",", ":")).encode()


def line(session_id: str = "a", **values: Any) -> bytes:
    """Return a session's line."""
    return record(session_id, **values) + b"\n"


def nested(depth: int) -> bytes:
    """Return a session's line with `depth` levels of nesting."""
    return record().replace(
        b'"name"', b'"x":' + b'[{"y":' * depth + b'"]"' + b"}]" * depth + b',"name"'
    )


def scanned(content: bytes, **options: Any) -> ResumeState:
    """Return the state of a file of sessions."""
    return scan(io.BytesIO(content), SessionRecord, **options)


def kept_lines(content: bytes) -> bytes:
    """Return the lines of a file of sessions that are kept."""
    return b"".join(content[first:last] for first, last in scanned(content).spans)


def test_whole_lines_are_kept() -> None:
    """All lines of an uninterrupted run are kept."""
    found = scanned(line("A") + line("b"))
    assert (found.finished, found.is_intact, list(found.describe_drops("x", "again"))) == (
        {"a", "b"},
        True,
        [],
    )


def test_an_empty_file() -> None:
    """An empty file is intact."""
    assert scanned(b"").is_intact
    assert scanned(b"").is_empty


@pytest.mark.parametrize("depth", [100, 500, 5000, 200_000])
def test_any_depth_is_read(depth: int) -> None:
    """A record is kept at any depth of nesting, on any interpreter."""
    assert scanned(nested(depth) + b"\n" + line("b")).finished == {"a", "b"}
    assert scanned(nested(depth)).lacks_newline


def test_deep_and_torn() -> None:
    """A deeply nested record that was cut off is torn, like any other."""
    deep = nested(5000)
    for cut in (len(deep) // 2, len(deep) - 1):
        assert scanned(deep[:cut]).torn_bytes == cut
    assert scanned(record()[:-1] + b',"x":' + b"[" * 5000 + b'"' + b"]" * 5000 + b"}").torn_bytes


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_pruning_keeps_shallow_values(value: Any) -> None:
    """JSON is unchanged down to eight levels, with brackets in strings included."""
    text = json.dumps([[["]}", '"[{\\"', value]]]).encode()
    pruned = json.loads(prune(text))
    assert pruned[0][0][:2] == ["]}", '"[{\\"']
    if text.count(b"[") + text.count(b"{") < 8:
        assert prune(text) == text


def test_pruning_invalid_json() -> None:
    """Unbalanced brackets and unterminated strings give an empty result."""
    assert prune(b"[[") == prune(b'{"a') == prune(b"]") == b""


@pytest.mark.parametrize("status", [None, *SessionStatus, "archived"])
@pytest.mark.parametrize("results", [[], [*ResultStatus], ["completed"], ["failed", "completed"]])
def test_finished_as_the_model_says(status: str | None, results: list[str]) -> None:
    """A line is finished exactly if the model of its session is."""
    values = build_session(make_id(0))
    example = values["results"][0]
    values |= {"status": status, "results": [example | {"status": each} for each in results]}
    session = converter.loads(json.dumps(values).encode(), Session)
    read = decode_record(msgspec.json.Decoder(SessionRecord), converter.dumps(session))
    assert read.is_finished == session.is_finished


def test_unfinished_sessions() -> None:
    """Unfinished sessions are dropped with a warning, and their ids are known in order."""
    content = line("a") + line("C", status="pending") + line("b", status="processing") + line("d")
    found = scanned(content)
    assert (found.finished, list(found.unfinished)) == ({"a", "d"}, ["c", "b"])
    assert kept_lines(content) == line("a") + line("d")
    assert list(found.describe_drops("x", "again")) == ["x: again: 2"]


def test_finished_later() -> None:
    """A session that is in the file twice, and once finished, is not fetched again."""
    found = scanned(line("a", status="pending") + line("a"))
    assert (found.finished, list(found.unfinished)) == ({"a"}, [])


ZEROS = b"\0" * 4096


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (ZEROS, b""),
        (line() + ZEROS, line()),
        (ZEROS + b'"}\n' + line(), line()),
        (line("b") + line()[:20] + ZEROS + line()[9:] + line("c"), line("b") + line("c")),
        (line("b") + line()[:20] + ZEROS, line("b")),
        (line("b") + ZEROS + line()[:20] + ZEROS + line("d") + line("c"), line("b") + line("c")),
    ],
)
def test_zeroed_blocks(content: bytes, kept: bytes) -> None:
    """Lines with zeroed blocks are dropped anywhere in the file, and the others are kept."""
    assert kept_lines(content) == kept
    dropped = len(content) - len(kept)
    assert list(scanned(content).describe_drops("x", "again")) == [
        f"x: dropped {dropped} bytes that are damaged, as after a power cut"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"SQLite format 3\0" + ZEROS,
        b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0",
        b"\0\0\1\0\1\0\x20\x20",
        '{"id": "a", "documents": []}\n'.encode("utf-16-le"),
        '{"id": "a", "documents": []}\n'.encode("utf-16-be"),
    ],
)
def test_binary_files_are_foreign(content: bytes) -> None:
    """Images, databases and UTF-16, which have NUL bytes, too, are refused."""
    with pytest.raises(ForeignLineError, match="1"):
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
    """A last line is torn only if it is incomplete JSON and begins like a record."""
    with pytest.raises(ForeignLineError, match=str(1 + bool(before))):
        scanned(before + content)


def test_known_damage() -> None:
    """A foreign line is dropped with the rest if the file is known to be damaged."""
    content = line() + b"eeeeee\n" + line("b")
    found = scanned(content, is_damaged=lambda: True)
    assert (found.finished, found.spans) == ({"a"}, [(0, len(line()))])
    with pytest.raises(ForeignLineError, match="2"):
        scanned(content)
    with pytest.raises(ForeignLineError, match="1"):
        scanned(content[len(line()) :], is_damaged=lambda: True)


class MeasuredFile(io.BytesIO):
    """A file that keeps the length of the longest read."""

    longest = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, or a part of one."""
        found = super().readline(size)
        self.longest = max(self.longest, len(found))
        return found


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("length", [7, 8, 9, 15, 16, 17, 100])
def test_long_lines(length: int, end: bytes) -> None:
    """A line is measured to its end, with only a piece of it in memory."""
    content = b"x" * (length - len(end)) + end
    file = MeasuredFile(content + (b"y\n" if end else b""))
    first, *others = read_lines(file, 8)
    assert first == Line(content[:8], length, bool(end), is_zeroed=False)
    assert [each.content for each in others] == ([b"y\n"] if end else [])
    assert file.longest <= 8


def test_a_long_zeroed_line() -> None:
    """A zeroed line may be longer than the limit; other lines may not."""
    zeroed, other = (next(read_lines(io.BytesIO(each), 64)) for each in (ZEROS, b"\0" * 80 + b"\1"))
    assert (zeroed.is_zeroed, other.is_zeroed) == (True, False)
    found, decoder = ResumeState(), msgspec.json.Decoder(SessionRecord)
    assert found.add_line(zeroed, decoder)
    assert not found.add_line(Line(record(), 1000, has_end=True, is_zeroed=False), decoder)


def test_failures() -> None:
    """A file of failures is read with a payload of any depth."""
    deep = (
        b'{"id":"A","is_permanent":true,"error":{},"payload":' + b"[" * 5000 + b"]" * 5000 + b"}\n"
    )
    found = scan(io.BytesIO(deep + b'{"id":"b","error":{"status":404}}\n'), FailureRecord)
    assert (found.finished, list(found.unfinished)) == ({"a"}, ["b"])
    with pytest.raises(ForeignLineError):
        scan(io.BytesIO(line()), FailureRecord)
