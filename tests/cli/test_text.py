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


OUTAGE = evolve(
    changed(snapshot(failed=2), outage=60.0, next_attempt=7.2),
    retries=4,
    last_status=503,
    max_outage=300.0,
)


def test_line_in_an_outage() -> None:
    """In an outage, a line says what is wrong, and when the job tries again and gives up."""
    assert _text.progress_line(OUTAGE) == (
        "120 of 300 sessions, 2 failed, 120 a minute, 4 retries; the service answers 503, "
        "next try in 8 s, giving up in 4 min 0 s"
    )


def test_line_in_a_silent_outage() -> None:
    """Where nothing is known of the outage's end, the line says no more than that."""
    silent = evolve(changed(OUTAGE, next_attempt=None), last_status=None, max_outage=None)
    assert _text.progress_line(silent).endswith("; the service does not answer, trying again")


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (120, (20, "120 of 300 sessions, 2 failed, service answers 503, next try in 8 s, ")),
        (73, (0, "120/300, 2 failed, answers 503, next try in 8 s, giving up in 4 min 0 s")),
        (55, (0, "120/300, 2 failed, answers 503, next try in 8 s")),
    ],
)
def test_fit_in_an_outage(columns: int, shown: tuple[int, str]) -> None:
    """On a terminal of 80 columns, an outage is shown whole beside the counts."""
    bar, words = _text.fit_bar(OUTAGE, columns)
    assert (bar, words.startswith(shown[1])) == (shown[0], True), words


def test_line_of_others() -> None:
    """A line says how much of the window other clients have used."""
    used = evolve(status(remaining=3), foreign=40, processes=2)
    assert ", window open, 3 left, 2 processes, 40 used by others, " in _text.progress_line(
        changed(snapshot(), rate_limit=used)
    )


@pytest.mark.parametrize(("count", "text"), [(0, ""), (1, "1 retry"), (2, "2 retries")])
def test_retries(count: int, text: str) -> None:
    """The number of retries is shown if there are any."""
    assert _text.retries(evolve(snapshot(), retries=count)) == text


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


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("sesion_id", " (did you mean Session_ID?)"),
        ("SESSION_ID", " (did you mean Session_ID?)"),
        ("b", ""),
        ("customer", ""),
    ],
)
def test_choices(wrong: str, hint: str) -> None:
    """Names to choose from are all listed, with the nearest one in any case as a hint."""
    assert _text.name_choices(["a", "A", "Session_ID"], wrong) == f"a, A, Session_ID{hint}"
