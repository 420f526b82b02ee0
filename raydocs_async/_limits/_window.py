"""The server's rate-limit window, as far as a client can know it.

The server's side
    The server counts hits for each IP address in a *fixed window*, opened by the first accepted hit
    and not by the clock; 100 hits in 60 s is the documented size. A hit over the limit is refused
    with a 429 and costs nothing. A passed reply says how many hits are left, ``Remaining``, read
    after its handler has run, so that every client's hits up to then are in it; it does not say
    when the window ends. A 429 does: ``Retry-After`` in whole seconds, cut and not rounded, from
    whole-second clocks, so that the true end is up to one second before or after.

Unknowns, and their bounds
    *The window's end.* The window was open when the first of our replies in it arrived, so it ends
    at most one period after that. If that reply's ``Remaining`` is ``Limit - 1``, our request
    opened it, so it ends at least one period after that was sent. A 429 bounds the end from both
    sides to within two seconds. All bounds are kept as one interval, `Window.ends`, which only
    narrows while the window lasts; a bound that contradicts it is about another window, and
    replaces it. Waiting for the interval's upper end is always safe; it costs one round trip.
    *The hits left.* The lowest ``Remaining`` seen, less what is in flight: replies come out of
    order, and a request that is still in flight may or may not be in a ``Remaining`` that has
    arrived. The estimate is never too high for our own hits, and it is exact as soon as nothing is
    in flight.
    *Foreign use.* Hits of other clients on the same address show as a ``Remaining`` lower than we
    made it. Their requests in flight are invisible, so while there are any, ours in flight are
    kept to a share of what is left: the closer to the end, the more carefully.
    *A new window* is wholly unknown. One request, the probe, opens it, and its reply tells how many
    may follow. A probe that is slow to answer is followed by another after a second, so that one
    slow reply does not hold up every caller.

Assumptions, and their cost when wrong
    *The period* is as configured or learned; `_period` has its theory. Too short a period means a
    probe that is refused, once a window; too long a one leaves the end of each window unused.
    *The end of a window that another client opened* is asked for, with one request that will be
    refused, when there is nothing left and the end is not known to within two seconds. That costs
    a 429, which the server does not count, in place of up to a period of waiting.
    *A request without a reply* was counted, and so was one that a gateway answered with a 5xx and
    without headers. If that leaves nothing to send, but would leave something had it not been
    counted, one request is sent to ask: the ``Remaining`` of its reply, or its refusal, which costs
    nothing, ends the doubt. Where a reserve applies, a question may cost one hit of it.
    *A question without an answer* is asked again after 1, 2, 4 and 8 s, and then every 8 s, up to
    the window's end, so that an outage is not met with a storm.
    *No headers at all* mean that the configured limit is the truth, or with none configured, that
    there is no limit. One reply without them, from a server that has sent them, means nothing.

Three classes hold this, one for each lifetime. `Window` is one window's count, and a new window is
a new object. `Period`, in `_period`, is what has been learned of the windows' length.
`WindowTracker`, in `_tracker`, is all else that outlives a window, and decides. They are pure
functions of what was observed and of `now`, in seconds on a clock that does not jump. Nothing
waits; `WindowTracker.admit` returns when to ask again.
"""

import math

from attrs import define, field

from raydocs_async._limits._period import Interval
from raydocs_async._limits._values import Ticket, Wait

ASK_AGAIN_AFTER = 1.0
"""Seconds after which a probe or a question without a reply is followed by another."""
MAX_DOUBLINGS = 3
"""Times that the patience doubles while questions are not answered: up to 8 s."""


@define(eq=False, kw_only=True)
class Window:
    """One window's count. Every field is about this window alone."""

    began: float = -math.inf
    """The earliest that a request in it can have been sent."""
    ends: Interval = field(factory=Interval)
    sent: int = 0
    """Our requests that it may have counted; those in flight when it began are among them."""
    left: float | None = None
    """The lowest ``Remaining`` so far; ``None`` before the first one."""
    unseen: int = 0
    """Our requests that may have been counted, and that no ``Remaining`` reflects yet."""
    foreign: int = 0
    """Hits of other clients, at least."""

    lowest_sent_at: float = -math.inf
    """When the request was sent whose reply gave `left`."""
    lowest_received_at: float = -math.inf
    unseen_at: float = -math.inf
    """When `unseen` last grew."""
    granted_at: float = -math.inf
    """When a request was last permitted."""
    probed_at: float = -math.inf
    """When the probe was sent that is still out."""
    asked_at: float = -math.inf
    questions: int = 0
    """Consecutive questions without an answer."""

    def holds(self, ticket: Ticket) -> bool:
        """Tell if the request of `ticket` belongs to this window, and not to an earlier one."""
        return ticket.sent_at >= self.began

    def is_over_by(self, ticket: Ticket, remaining: float) -> bool:
        """Tell if a `Remaining` is a later window's.

        A higher one than the lowest is merely out of order, unless its request was sent after the
        lowest had been received: counts do not rise within a window.
        """
        later = ticket.sent_at >= self.lowest_received_at
        return later and self.left is not None and remaining > self.left

    def probe(self, now: float) -> Wait | None:
        """Permit the request that opens the window, or another one if that is slow."""
        if now < self.probed_at + ASK_AGAIN_AFTER:
            return Wait(self.probed_at + ASK_AGAIN_AFTER)
        self.probed_at = now
        return None

    def ask(self, now: float, in_flight: int = 0) -> Wait | None:
        """Permit one request for what its reply will tell, whether it passes or not."""
        due = self.asked_at + ASK_AGAIN_AFTER * 2.0 ** (self.questions - 1)
        if in_flight:  # the reply to a request that was just sent will probably tell as much
            due = max(due, self.granted_at + ASK_AGAIN_AFTER)
        if now < due:
            return Wait(min(due, self.ends.high))
        self.questions = min(self.questions + 1, MAX_DOUBLINGS + 1)
        self.asked_at = now
        return None

    def answer(self) -> None:
        """Note that the server itself replied, so that the next question may be asked at once."""
        self.asked_at, self.questions = -math.inf, 0

    def count_unseen(self, now: float) -> None:
        """Count a request that the server may have counted without saying so."""
        self.unseen += 1
        self.unseen_at = now

    def lower(self, ticket: Ticket, remaining: float, now: float) -> None:
        """Take in a ``Remaining`` of this window."""
        if self.left is None or remaining < self.left:
            self.left, self.lowest_sent_at, self.lowest_received_at = remaining, ticket.sent_at, now
        if ticket.sent_at >= self.unseen_at:
            self.unseen = 0

    def exhaust(self, ticket: Ticket, now: float) -> None:
        """Take in a refusal: nothing is left, and nothing is in doubt."""
        self.left, self.unseen = 0, 0
        self.lowest_sent_at, self.lowest_received_at = ticket.sent_at, now

    def narrow(self, low: float, high: float) -> None:
        """Take in bounds of this window's end."""
        self.ends = self.ends.narrowed(low, high)
