"""The progress of a stream: its counts, its ``repr``, and its estimated end."""

import asyncio

import pytest

from raydocs_async import NotFoundError, Progress, RateLimitStatus, RaydocsClient
from raydocs_async._progress import estimate
from tests.support.jobs import OPEN, Stub, failed, found, numbers

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


async def test_progress_tells_how_far_it_is() -> None:
    """The progress has the total, the done, the failed and those in flight, at any time."""
    stub = Stub(
        answer=lambda sid: failed(NotFoundError("x", status=404)) if sid.int == 0 else found(sid)
    )
    async with stub.stream(numbers(10)) as stream:
        await anext(stream)
        await asyncio.sleep(0.5)
        assert stream.progress == Progress(
            total=10, done=4, failed=1, in_flight=1, eta=0.0, rate_limit=OPEN
        )


async def test_progress_of_a_generator_has_no_total() -> None:
    """The progress of an input without a length has neither total nor estimate."""
    progress = Stub().stream(iter(numbers(3))).progress
    assert (progress.total, progress.eta) == (None, None)


async def test_the_repr_tells_how_far_it_is() -> None:
    """The ``repr`` of a stream shows its progress."""
    assert repr(Stub().stream([])) == "<Stream 0 done, 0 failed>"


def test_the_repr_needs_no_event_loop() -> None:
    """The ``repr`` of a stream needs no event loop, for debuggers and crash reporters."""
    stream = RaydocsClient("a-token").stream_sessions(numbers(3))
    assert repr(stream) == "<Stream 0 done, 0 failed>"


@pytest.mark.parametrize(
    ("left", "expected"), [(10, 0.0), (11, 30.0), (110, 30.0), (111, 90.0), (1010, 570.0)]
)
def test_the_eta_is_arithmetic(left: int, expected: float) -> None:
    """The estimate is this window, then one window for each `limit` ids."""
    assert estimate(left, OPEN) == expected


def test_no_eta_without_a_limit() -> None:
    """Without a known limit there is no estimate."""
    unknown = RateLimitStatus(
        limit=None, per=None, remaining=None, resets_in=None, in_flight=0, waiting=0, foreign=0
    )
    assert estimate(5, unknown) is None


@pytest.mark.parametrize(
    ("total", "eta", "shown"),
    [
        (9, 20.4, '<progress value="3" max="9"></progress> 3 of 9, 1 failed, about 20 s to go'),
        (None, None, "<progress></progress> 3, 1 failed"),
    ],
)
def test_a_notebook_shows_a_bar(total: int | None, eta: float | None, shown: str) -> None:
    """A notebook shows the progress as a bar with its numbers, as far as they are known."""
    progress = Progress(total=total, done=3, failed=1, in_flight=2, eta=eta, rate_limit=OPEN)
    assert progress._repr_html_() == shown
