"""The hits left in a window: by ``Remaining``, without it, and with odd values of it."""

import pytest

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._period import Interval
from raydocs_async._limits._window import ASK_AGAIN_AFTER
from tests.support.windows import (
    LIMIT,
    configured,
    loses,
    opened,
    passes,
    permit,
    refusal,
    says,
)


def test_a_lost_reply_counts() -> None:
    """A request without a reply counts as a hit."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    assert tracker.free == 9


def test_a_request_that_was_never_sent_does_not_count() -> None:
    """After a refused connection the request counts as no hit."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=False)
    assert tracker.free == 10


def test_a_later_reply_corrects_the_count_of_lost_ones() -> None:
    """A later ``Remaining`` includes the lost requests, so they no longer count beside it."""
    tracker = opened(remaining=10)
    for _ in range(3):
        loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    passes(tracker, permit(tracker, 3.0), says(9), 3.1)
    assert tracker.free == 9


def test_a_lost_probe_is_replaced_at_once() -> None:
    """If the probe found no server, the next request is the probe."""
    tracker = configured()
    loses(tracker, permit(tracker, 0.0), 0.1, sent=False)
    permit(tracker, 0.1)


def test_without_headers_the_configured_limit_counts() -> None:
    """Without headers, as many requests are sent in a period as configured."""
    tracker = configured(limit=3)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    permit(tracker, 0.2), permit(tracker, 0.2)
    assert refusal(tracker, 0.2) == pytest.approx(60.1)


def test_without_headers_and_without_a_limit_everything_goes() -> None:
    """Without a configured limit and without headers, there is no limit."""
    tracker = configured(limit=None, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    for _ in range(1000):
        permit(tracker, 0.2)


@pytest.mark.parametrize(
    ("limit", "remaining", "expected"),
    [
        pytest.param(10, 9, 9, id="limit lowered"),
        pytest.param(10, 70, 10, id="R11 Remaining above Limit"),
        pytest.param(LIMIT, 0, 0, id="R11 nothing left at once"),
    ],
)
def test_the_headers_override_the_configuration(limit: int, remaining: int, expected: int) -> None:
    """R11: the limit, and the hits left, follow the server's headers."""
    tracker = configured()
    passes(tracker, permit(tracker, 0.0), says(remaining, limit=limit), 0.1)
    assert (tracker.limit, tracker.window.left) == (limit, expected)


def test_a_remaining_without_a_limit_is_believed() -> None:
    """R11: the hits left are known from ``Remaining`` alone, without ``Limit``."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(5, limit=None), 0.1)
    assert (tracker.limit, tracker.free) == (None, 5)


def test_several_lost_replies_count() -> None:
    """Each lost reply counts as one hit."""
    tracker = opened(remaining=10)
    for _ in range(2):
        loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    assert tracker.free == 8


def test_several_replies_without_headers_count() -> None:
    """Each reply without headers counts as one hit of the configured limit."""
    tracker = configured(limit=10)
    for now in range(3):
        passes(tracker, permit(tracker, now), RateLimitHeaders(), now + 0.1)
    assert tracker.free == 7


def test_a_remaining_corrects_the_count_of_replies_without_headers() -> None:
    """The first ``Remaining`` replaces the count of replies without headers."""
    tracker = configured(limit=10)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    passes(tracker, permit(tracker, 1.0), says(5, limit=10), 1.1)
    assert tracker.free == 5


def test_a_remaining_includes_requests_lost_before_its_request() -> None:
    """The reply to a request sent at the moment of a loss includes the lost request."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    passes(tracker, permit(tracker, 2.0), says(8), 2.1)
    assert tracker.free == 8


def test_a_loss_before_a_slow_probes_reply_counts() -> None:
    """A second probe that is lost counts as one hit, also in a later window."""
    tracker = opened()
    slow = permit(tracker, 60.2)
    loses(tracker, permit(tracker, 61.3), 61.5, sent=True)
    passes(tracker, slow, says(98), 61.6)
    assert tracker.free == 97


def test_a_loss_before_the_first_reply_counts() -> None:
    """A second probe that is lost is the only hit in doubt."""
    tracker = configured()
    slow = permit(tracker, 0.0)
    loses(tracker, permit(tracker, ASK_AGAIN_AFTER), 1.5, sent=True)
    passes(tracker, slow, says(98), 1.6)
    assert tracker.free == 97


def test_a_remaining_above_the_configured_limit_is_believed() -> None:
    """A ``Remaining`` above the configured limit replaces the count without headers."""
    tracker = configured(limit=10)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    passes(tracker, permit(tracker, 1.0), says(50), 1.1)
    assert tracker.free == 50


def test_a_full_count_does_not_say_when_the_window_ends() -> None:
    """If ``Remaining`` is ``Limit``, the count expired during the request: no window is open."""
    tracker = configured()
    passes(tracker, permit(tracker, 0.0), says(LIMIT), 0.1)
    assert (tracker.free, tracker.window.ends) == (LIMIT, Interval())


def test_the_first_hit_after_a_full_count_opens_a_window() -> None:
    """A window that opens later ends a period after its first hit."""
    tracker = configured()
    passes(tracker, permit(tracker, 0.0), says(LIMIT), 0.1)
    passes(tracker, permit(tracker, 30.0), says(LIMIT - 1), 30.1)
    assert tracker.window.ends == Interval(90.0, 90.1)


def test_a_server_that_counts_nothing_lets_everything_through() -> None:
    """If ``Remaining`` stays at ``Limit``, requests are never held back."""
    tracker = configured()
    for now in range(3 * LIMIT):
        passes(tracker, permit(tracker, now), says(LIMIT), now + 0.1)
    assert tracker.free == LIMIT


@pytest.mark.parametrize("remaining", ["-1", "-12"])
def test_a_negative_count_is_an_empty_window(remaining: str) -> None:
    """After a burst over the limit ``Remaining`` is negative, so no hits are left."""
    tracker = configured()
    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": remaining}
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders.parse(headers), 0.1)
    assert (tracker.free, tracker.window.foreign) == (0, LIMIT - 1)


def test_a_window_that_ran_over_is_followed_by_a_whole_one() -> None:
    """Hits over the limit of one window do not count in the next one."""
    tracker = opened(limit=20)
    tickets = [permit(tracker, 0.2) for _ in range(19)]
    for ticket in tickets:
        passes(tracker, ticket, says(0, limit=20), 0.3)
    passes(tracker, permit(tracker, 60.2), says(19, limit=20), 60.3)
    assert (tracker.free, tracker.window.foreign) == (19, 0)
