"""The server's rate-limit window, as a client estimates it.

The server's side
    The server counts hits for each IP address in a *fixed window*. The first accepted hit opens it,
    at any time of the clock; 100 hits in 60 s is the documented size. A hit over the limit is
    refused with a 429 and costs nothing. The reply to an accepted hit says how many hits are left
    (``Remaining``), but not when the window ends. The server reads ``Remaining`` after the handler
    has run, so it includes all hits up to then. A 429 gives the end: ``Retry-After`` in whole
    seconds, cut and not rounded, from whole-second clocks, so the true end is up to one second
    before or after it.

Unknowns, and their bounds
    *The window's end.* The window was open when the first of our replies in it arrived, so it ends
    at most one period after that. If that reply's ``Remaining`` is ``Limit - 1``, our request
    opened the window, so it ends at least one period after that request was sent. A 429 bounds the
    end from both sides to within two seconds. All bounds are one interval, `Window.ends`, which
    only narrows while the window lasts. A bound that contradicts it belongs to another window, and
    replaces it. Waiting for the interval's upper end is always safe, and costs one round trip.
    *The hits left.* The estimate is the lowest ``Remaining`` minus the requests in flight, because
    replies come out of order, and a ``Remaining`` may or may not include a request in flight. The
    estimate is never too high as far as our own hits go, and it is exact when nothing is in flight.
    *Foreign use.* If other clients on the same address make hits, ``Remaining`` is lower than our
    hits explain. Their requests in flight are invisible. So while there is foreign use, our
    requests in flight are limited to a share of the hits left.
    *A new window* is unknown. One request, the probe, opens it, and the ``Remaining`` of its reply
    limits the next requests. If the reply takes more than a second, another probe is sent, so that
    one slow reply does not delay every caller.

Assumptions, and their cost when wrong
    *The period* is as configured or learned; `_period` has its theory. If it is too short, one
    probe a window is refused; if it is too long, the end of each window stays unused.
    *The end of a window that another client opened.* When no hits are left, and the end is not
    known to within two seconds, one request is sent although it will be refused, because its
    refusal gives the end. The server does not count a 429, and the alternative is to wait for up
    to a period.
    *A request without a reply* counts as a hit, as does one that a gateway answered with a 5xx and
    without headers. If hits would be left had the server not counted these requests, one request is
    sent as a *question*: the ``Remaining`` of its reply, or its refusal, decides. With a reserve, a
    question may cost one hit of it.
    *A question without an answer* is repeated after 1, 2, 4 and 8 s, and then every 8 s, up to the
    window's end, so that an outage does not get a storm of questions.
    *Without headers*, the configured limit counts; if none is configured, there is no limit. After
    a server has sent headers once, a single reply without them changes nothing.

There are three classes, one for each lifetime. `Window` is the count of one window, and each window
is a new object. `Period`, in `_period`, is the windows' length. `WindowTracker`, in `_tracker`, has
all other state, and decides. They are pure functions of the observations and of `now`, in seconds
on a clock that does not jump. They never wait; `WindowTracker.admit` returns when to ask again.
"""

import math

from attrs import define, field

from raydocs_async._limits._period import Interval
from raydocs_async._limits._values import Ticket, Wait

ASK_AGAIN_AFTER = 1.0
"""Seconds after which another probe or question is sent if the last one has no reply."""
MAX_DOUBLINGS = 3
"""Times that the interval between unanswered questions doubles: up to 8 s."""


@define(eq=False, kw_only=True)
class Window:
    """The count of one window."""

    began: float = -math.inf
    """The earliest time at which a request in it can have been sent."""
    ends: Interval = field(factory=Interval)
    """Bounds of its end."""
    sent: int = 0
    """Our requests that it may have counted, those included that were in flight when it began."""
    left: float | None = None
    """The lowest ``Remaining`` so far; ``None`` before the first one."""
    unseen: int = 0
    """Our requests that the server may have counted, and that no ``Remaining`` includes yet."""
    foreign: int = 0
    """Hits of other clients, at least."""

    lowest_sent_at: float = -math.inf
    """When the request was sent whose reply gave `left`."""
    lowest_received_at: float = -math.inf
    """When that reply was received."""
    unseen_at: float = -math.inf
    """When `unseen` last grew."""
    granted_at: float = -math.inf
    """When a request was last permitted."""
    probed_at: float = -math.inf
    """When the probe was sent that has no reply yet."""
    asked_at: float = -math.inf
    """When the last question was sent that has no answer yet."""
    questions: int = 0
    """Consecutive questions without an answer."""

    def holds(self, ticket: Ticket) -> bool:
        """Return True if the request of `ticket` belongs to this window, not to an earlier one."""
        return ticket.sent_at >= self.began

    def is_over_by(self, ticket: Ticket, remaining: float) -> bool:
        """Return True if a `Remaining` belongs to a later window.

        A higher one than the lowest is usually out of order. But if its request was sent after the
        lowest was received, it belongs to a later window, because no count rises within a window.
        """
        later = ticket.sent_at >= self.lowest_received_at
        return later and self.left is not None and remaining > self.left

    def probe(self, now: float) -> Wait | None:
        """Permit the request that opens the window, or another one if its reply is slow."""
        if now < self.probed_at + ASK_AGAIN_AFTER:
            return Wait(self.probed_at + ASK_AGAIN_AFTER)
        self.probed_at = now
        return None

    def ask(self, now: float, in_flight: int = 0) -> Wait | None:
        """Permit one question: a request for the information in its reply or refusal."""
        due = self.asked_at + ASK_AGAIN_AFTER * 2.0 ** (self.questions - 1)
        if in_flight:  # the reply to the latest request will probably answer it
            due = max(due, self.granted_at + ASK_AGAIN_AFTER)
        if now < due:
            return Wait(min(due, self.ends.high))
        self.questions = min(self.questions + 1, MAX_DOUBLINGS + 1)
        self.asked_at = now
        return None

    def answer(self) -> None:
        """Record a reply of the server itself, so that the next question may be sent at once."""
        self.asked_at, self.questions = -math.inf, 0

    def count_unseen(self, now: float) -> None:
        """Count a request that the server may have counted, and whose reply does not show it."""
        self.unseen += 1
        self.unseen_at = now

    def lower(self, ticket: Ticket, remaining: float, now: float) -> None:
        """Record a ``Remaining`` of this window."""
        if self.left is None or remaining < self.left:
            self.left, self.lowest_sent_at, self.lowest_received_at = remaining, ticket.sent_at, now
        if ticket.sent_at >= self.unseen_at:
            self.unseen = 0

    def exhaust(self, ticket: Ticket, now: float) -> None:
        """Record a refusal: no hits are left, and none are in doubt."""
        self.left, self.unseen = 0, 0
        self.lowest_sent_at, self.lowest_received_at = ticket.sent_at, now

    def narrow(self, low: float, high: float) -> None:
        """Record bounds of this window's end."""
        self.ends = self.ends.narrowed(low, high)
