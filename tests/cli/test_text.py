"""Numbers and states in words."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import Progress, RateLimitStatus
from raydocs_async.cli import _text
from raydocs_async.cli._snapshot import Snapshot


def status(
    *, remaining: int | None = None, resets_in: float | None = None, in_flight: int = 0
) -> RateLimitStatus:
    """A rate limit of 100 in 60 s."""
    return RateLimitStatus(
        limit=100, per=60.0, remaining=remaining, resets_in=resets_in,
        in_flight=in_flight, waiting=0, foreign=0,
    )  # fmt: skip


def snapshot(
    *, total: int | None = 300, failed: int = 0, unfinished: int = 0, eta: float | None = 90.0
) -> Snapshot:
    """A job with 120 sessions done in a minute, and a window that opens in 23 s."""
    progress = Progress(
        total=total, done=120, failed=failed, in_flight=0, eta=eta,
        rate_limit=status(remaining=0, resets_in=22.4),
    )  # fmt: skip
    return Snapshot(progress=progress, seconds=60.0, failed=failed, unfinished=unfinished)


def changed(before: Snapshot, **changes: Any) -> Snapshot:
    """Return a snapshot with changes of its progress."""
    return evolve(before, progress=evolve(before.progress, **changes))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.2, "1 s"),
        (59.0, "59 s"),
        (59.1, "1 min 0 s"),
        (125.0, "2 min 5 s"),
        (3599.0, "59 min 59 s"),
        (3600.0, "1 h 0 min"),
        (90_060.0, "25 h 1 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    """A duration is shown in its two largest units, and never as shorter than it is."""
    assert _text.duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 ids"), (1, "1 id"), (2, "2 ids")])
def test_plural(count: int, text: str) -> None:
    """The noun is singular for 1 alone."""
    assert _text.plural(count, "id") == text


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (status(remaining=12, resets_in=40.0), "window open, 12 left"),
        (status(remaining=0, resets_in=22.4), "window opens in 23 s"),
        (status(in_flight=1), "window opening"),
        (status(), ""),
    ],
)
def test_window(limit: RateLimitStatus, text: str) -> None:
    """The window shows how many requests may be sent, or when."""
    assert _text.window(limit) == text


@pytest.mark.parametrize(
    ("processes", "text"), [(None, ""), (1, ""), (2, "2 processes"), (8, "8 processes")]
)
def test_sharing(processes: int | None, text: str) -> None:
    """The number of processes shows where several share the limit."""
    assert _text.sharing(evolve(status(), processes=processes)) == text


SHARED = changed(snapshot(), rate_limit=evolve(status(remaining=0, resets_in=22.4), processes=3))


def test_line_of_a_shared_limit() -> None:
    """A line of a log says how many processes share the limit."""
    assert _text.progress_line(SHARED) == (
        "120 of 300 sessions, 120 a minute, window opens in 23 s, 3 processes, "
        "about 1 min 30 s to go"
    )


def test_a_wide_terminal_shows_the_processes() -> None:
    """In a narrow one, they are the first words to go."""
    assert "3 processes" in _text.fit_bar(SHARED, 110)[1]
    bar, words = _text.fit_bar(SHARED, 90)
    assert bar == 20
    assert "process" not in words


def test_line() -> None:
    """A line of a log has the whole progress."""
    assert _text.progress_line(snapshot(failed=2)) == (
        "120 of 300 sessions, 2 failed, 120 a minute, window opens in 23 s, about 1 min 30 s to go"
    )


def test_line_of_unfinished_sessions() -> None:
    """A line of a log counts the sessions that the service is still working on."""
    shown = _text.progress_line(snapshot(failed=2, unfinished=3))
    assert shown.startswith("120 of 300 sessions, 2 failed, 3 unfinished, 120 a minute, ")


OUTAGE = changed(snapshot(failed=2), outage=11.2)


def test_line_in_an_outage() -> None:
    """In an outage, a line says how long the service has not answered, and guesses no end."""
    assert _text.progress_line(OUTAGE) == (
        "120 of 300 sessions, 2 failed, 120 a minute, service not answering for 12 s"
    )


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (98, (20, "120 of 300 sessions, 2 failed, window opens in 23 s, about 1 min 30 s to go")),
        (90, (10, "120 of 300 sessions, 2 failed, window opens in 23 s, about 1 min 30 s to go")),
        (80, (10, "120 of 300 sessions, 2 failed, opens in 23 s, 1 min 30 s to go")),
        (70, (10, "120/300, 2 failed, opens in 23 s, 1 min 30 s to go")),
        (60, (0, "120/300, 2 failed, opens in 23 s, 1 min 30 s to go")),
        (45, (0, "120/300, 2 failed, 1 min 30 s to go")),
        (20, (0, "120/300, 2 failed")),
        (4, (0, "120/")),
        (-1, (0, "")),
    ],
)
def test_fit(columns: int, shown: tuple[int, str]) -> None:
    """The words are shortened to the terminal, and the least important ones go first."""
    assert _text.fit_bar(snapshot(failed=2), columns) == shown


@given(
    st.integers(0, 200),
    st.one_of(st.none(), st.integers(0, 10**7)),
    st.integers(0, 10**7),
    st.one_of(st.none(), st.floats(0, 1e7)),
)
def test_fit_always(columns: int, total: int | None, failed: int, eta: float | None) -> None:
    """Any progress fits into the columns."""
    shown = snapshot(total=total, failed=failed, unfinished=failed // 3, eta=eta)
    bar, words = _text.fit_bar(shown, columns)
    assert (bar and bar + 1) + len(words) <= columns


def test_many_names() -> None:
    """A message names some of many columns."""
    names = [f"c{number}" for number in range(40)]
    assert _text.name_some(names).endswith("c28, c29 and 10 more")
    assert _text.name_some(["a", "b"]) == "a, b"
