"""The server's rate-limit window, as far as a client can know it.

What the server does
    It counts hits for each IP address in a *fixed window*, opened by the first accepted hit and
    not by the clock; 100 hits in 60 s is the documented size. A hit over the limit is refused
    with a 429 and costs nothing. A passed reply says how many hits are left, ``Remaining``, read
    after its handler has run, so that everybody's hits up to then are in it; it does not say when
    the window ends. A 429 does: ``Retry-After`` in whole seconds, cut and not rounded, from
    whole-second clocks, so that the true end is up to one second before or after.

What is not known, and how it is bounded
    *When the window ends.* It was open when the first of our replies in it arrived, so it ends at
    most one period after that. If that reply's ``Remaining`` is ``Limit - 1``, ours was the
    opening hit, and it ends at least one period after that was sent. A 429 bounds the end from
    both sides to within two seconds. All bounds are kept as one interval, `ends`, and only narrow
    while the window lasts; a bound that contradicts them is about another window, and replaces
    them. Waiting for the interval's upper end is always safe; it costs one round trip.
    *How much is left.* The lowest ``Remaining`` seen, less what is in flight: replies come out of
    order, and one that is not yet here may or may not be in a count that is. The estimate is never
    too high for our own hits, and it is exact as soon as nothing is in flight.
    *What others take.* Hits on the same address that are not ours show as ``Remaining`` lower than
    we made it. Their requests in flight are invisible, so with others about, ours in flight are
    kept to a share of what is left: the closer to the end, the more carefully.
    *A new window* is wholly unknown. One request, the probe, opens it, and its reply tells all the
    others how many may follow. A probe that is slow to answer is followed by another after a
    second, so that one slow reply does not hold up everybody.

What is assumed, and what it costs when wrong
    *The period* is what the caller said. If nothing was said it is learned: the first 429 by this
    limit after a window that we saw opening gives it in whole seconds. Too short a period means a
    probe that is refused, once a window; too long a one leaves the end of each window unused. It is
    not changed by a 429 that contradicts it, which counts for its own window alone: gateways and
    firewalls send their own, and one of them must not slow down a process for its whole life.
    *The end of a window that others opened* is asked for, with one request that will be refused,
    when there is nothing left and its end is not known to within two seconds. That costs a 429,
    which the server does not count, in place of up to a period of waiting.
    *A request without a reply* was counted, and so was one that a gateway answered with a 5xx and
    without headers. If that leaves nothing to send, but would leave something had it not been
    counted, one request is sent to ask: the ``Remaining`` of its reply, or its refusal, which costs
    nothing, ends the doubt. A question that gets no answer either is asked again after 1, 2, 4 and
    8 s, and so on every 8 s, up to the window's end: an outage is not met with a storm. Where
    `reserve` applies, a question may cost one hit of it.
    *No headers at all* mean that the configured limit is the truth, or with none configured, that
    there is no limit. One reply without them, from a server that has sent them, means nothing.

Everything here is a pure function of what was observed and of `now`, in seconds on any clock that
does not jump. Nothing waits; `admit` says until when to.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from attrs import Factory, define, field, frozen

from raydocs_async._headers import RateLimitHeaders
from raydocs_async.events import ForeignUse, Paused, RateLimitEvent, WindowOpened

PROBE_PATIENCE = 1.0
"""Seconds after which a probe without a reply is followed by another."""
KNOWN_ENOUGH = 2.0
"""A refusal tells the window's end to within this many seconds; better is not to be asked for."""
MAX_DOUBLINGS = 3
"""Doublings of the patience between two questions that were not answered: up to 8 s."""
CAUTION = 4
"""With others about, at most one in so many of what is left is in flight."""


@frozen
class Ticket:
    """The permission to send one request, to be handed back with what became of it."""

    sent_at: float


@frozen
class Wait:
    """No permission now."""

    until: float
    """When to ask again; earlier, whenever a reply has come in."""


@frozen
class Interval:
    """When something happens, as far as it is known."""

    low: float = -math.inf
    high: float = math.inf

    def narrowed(self, low: float, high: float) -> "Interval":
        """Both bounds together, or the new ones alone if they contradict these."""
        if low <= self.low and self.high <= high:
            return self
        if low > self.high or high < self.low:
            return Interval(low, high)
        return Interval(max(low, self.low), min(high, self.high))


@frozen
class Opening:
    """A reply that told of its request having opened a window."""

    sent_at: float
    received_at: float
    served_at: float | None
    """By the server's clock, in epoch seconds."""


class View(NamedTuple):
    """What others may want to hear of, as it was at one moment."""

    left: float | None
    shut_until: float
    foreign: int


@define(kw_only=True)
class Window:
    """What is known of the current window, and what may be sent by that."""

    limit: int | None
    """Hits a window: as told, or as the server said."""
    per: float | None
    """Seconds a window lasts: as told, or as learned."""
    left: float | None = None
    """The lowest ``Remaining`` of this window; ``None`` before its first reply."""
    unseen: int = 0
    """Our hits since then that no ``Remaining`` has told of."""
    in_flight: int = 0
    """Requests sent and not yet answered, those of earlier windows included."""
    ends: Interval = Interval()
    """When the window ends."""
    shut_until: float = -math.inf
    """Nobody sends before; then one does."""
    foreign: int = 0
    """Hits of this window that were not ours, at least."""
    refusals: int = 0
    """429s since the last reply that was none."""

    _foreign_before: int = 0
    _spent: int = 0
    _began: float = -math.inf
    _probed_at: float = -math.inf
    _lowest: Ticket | None = None
    _lowest_at: float = -math.inf
    _unseen_at: float = -math.inf
    _refused_at: float = -math.inf
    _granted_at: float = -math.inf
    _asked_at: float = -math.inf
    _asks: int = 0
    _opening: Opening | None = None
    _learns: bool = field(default=Factory(lambda self: self.per is None, takes_self=True))
    _mended: bool = False

    # -- asking ---------------------------------------------------------------------------

    def admit(self, now: float, reserve: int = 0) -> Ticket | Wait:
        """Permit a request, or say when to ask again; `reserve` hits are left to others."""
        if now < self.shut_until:
            return Wait(self.shut_until)
        if now >= self.ends.high:
            self._turn(now)
        if self.left is None:
            return self._probe(now)
        if self._crowded and self.in_flight and self._is_bold(self.in_flight + 1, self.left):
            return Wait(self.ends.high)
        if self.free > reserve:
            return self._grant(now)
        if self._doubtful > reserve:
            return self._ask(now)
        if self.in_flight or self._end_is_known(now):
            return Wait(self.ends.high)
        # A reserve is kept only for as long as the window's end is in sight.
        asks = self.free <= 0 or math.isinf(self.ends.high)
        return self._ask(now) if asks else Wait(self.ends.high)

    @property
    def free(self) -> float:
        """Hits that may follow at once; none while the window is unknown."""
        return 0 if self.left is None else self.left - self.unseen - self.in_flight

    @property
    def _doubtful(self) -> float:
        """Hits that are left if no request without a `Remaining` was counted; 0 if that is known.

        Of a server that never told of the limit no doubt can be cleared.
        """
        in_doubt = self.left is not None and self.unseen and self._lowest is not None
        return self.left - self.in_flight if in_doubt and self.left is not None else 0

    def opens_at(self, now: float, ahead: int = 0) -> float:
        """The earliest that a request behind `ahead` others can be sent, as far as is known."""
        shut = now < self.shut_until
        budget = max(self.free, self._doubtful)
        if not shut and (self.left is None or budget > ahead or not self._end_is_known(now)):
            return now
        start = self.shut_until if shut else self.ends.high
        later = ahead - (0 if shut else max(0, self.free))
        return start + (later // self.limit * self.per if self.limit and self.per else 0)

    @property
    def _crowded(self) -> bool:
        return self.foreign > 0 or self._foreign_before > 0

    def _is_bold(self, in_flight: int, left: float) -> bool:
        return CAUTION * in_flight > left - self.unseen  # which may be infinite

    def _end_is_known(self, now: float) -> bool:
        # A server that never told of the limit would not tell of its end either.
        doubt = self.ends.high - max(self.ends.low, now)
        return doubt <= KNOWN_ENOUGH or (self._lowest is None and doubt < math.inf)

    def _probe(self, now: float) -> Ticket | Wait:
        if now < self._probed_at + PROBE_PATIENCE:
            return Wait(self._probed_at + PROBE_PATIENCE)
        self._probed_at = now
        return self._grant(now)

    def _ask(self, now: float) -> Ticket | Wait:
        """Permit one request whose reply is worth more than its hit."""
        due = self._asked_at + PROBE_PATIENCE * 2.0 ** (self._asks - 1)
        if self.in_flight:  # what was sent just now will probably tell
            due = max(due, self._granted_at + PROBE_PATIENCE)
        if now < due:
            return Wait(min(due, self.ends.high))
        self._asks = min(self._asks + 1, MAX_DOUBLINGS + 1)
        self._asked_at = now
        return self._grant(now)

    def _grant(self, now: float) -> Ticket:
        self._granted_at = now
        self.in_flight += 1
        self._spent += 1
        return Ticket(now)

    @property
    def view(self) -> View:
        """To be given to `news_since`."""
        return View(self.left, self.shut_until, self.foreign)

    def news_since(self, before: View, now: float) -> Sequence[RateLimitEvent]:
        """What a reply that was read at `now` has changed for everybody."""
        after = self.view
        news: list[RateLimitEvent] = []
        if after.shut_until > max(before.shut_until, now):
            news.append(Paused(seconds=after.shut_until - now))
        elif after.left is not None and (before.left is None or after.left > before.left):
            finite = math.isfinite(after.left)
            news.append(
                WindowOpened(limit=self.limit, remaining=int(after.left) if finite else None)
            )
        if after.foreign > before.foreign:
            news.append(ForeignUse(hits=after.foreign))
        return news

    # -- being told -----------------------------------------------------------------------

    def passed(self, ticket: Ticket, headers: RateLimitHeaders, now: float) -> None:
        """The server let the request of `ticket` in, whatever it answered."""
        self.in_flight -= 1
        self.refusals = 0
        self.limit = headers.limit or self.limit
        if ticket.sent_at < self._began:
            return
        self._asks, self._asked_at = 0, -math.inf
        if headers.remaining is None:
            self._count_unseen(ticket, now)
        else:
            self._see(ticket, headers, min(headers.remaining, self.limit or math.inf), now)
        # A full count is one that expired while the request was handled: no window is open.
        is_open = headers.remaining is None or self.limit is None or headers.remaining < self.limit
        self._bound_end(-math.inf, now + self.per if self.per and is_open else math.inf)

    def refused(self, ticket: Ticket, headers: RateLimitHeaders, now: float, pause: float) -> None:
        """The server answered 429; `pause` is how long to wait if it did not say."""
        self.in_flight -= 1
        is_first = ticket.sent_at >= self._refused_at
        if is_first:  # and not another one of the same burst
            self.refusals += 1
            self._refused_at = now
        if ticket.sent_at < self._began:
            return
        self._probed_at = self._asked_at = -math.inf
        self._asks = 0
        if headers.retry_after is None:
            self.left = None
            if is_first:
                self.shut_until = max(self.shut_until, now + pause)
            return
        low, high = ticket.sent_at + headers.retry_after - 1, now + headers.retry_after + 1
        self._learn_period(ticket, headers, now)
        self._bound_end(low, high)
        if self.free > 0:  # it should have passed
            self.foreign += 1
        self.left, self.unseen, self._lowest_at = 0, 0, now
        self.shut_until = max(self.shut_until, self.ends.high)

    def lost(self, ticket: Ticket, now: float, *, sent: bool) -> None:
        """No reply came; `sent` tells whether the server may have counted it."""
        self.in_flight -= 1
        if ticket.sent_at >= self._began:
            self._probed_at = -math.inf
            if sent:
                self.unseen += 1
                self._unseen_at = now

    def _count_unseen(self, ticket: Ticket, now: float) -> None:
        if self.left is None and self._lowest is not None:
            return  # a server that tells, and this time did not: the window stays unknown
        # What was sent before a refusal says nothing about the time after it.
        if self.left is None and ticket.sent_at >= self._refused_at:
            self.left = math.inf if self.limit is None else self.limit
            self.unseen = 0
        self.unseen += 1
        self._unseen_at = now

    def _see(self, ticket: Ticket, headers: RateLimitHeaders, remaining: float, now: float) -> None:
        """Take in a ``Remaining``; after a lower one, it can only be a new window's."""
        if self.left is not None and remaining > self.left and ticket.sent_at >= self._lowest_at:
            if self._learns and now < self.ends.low:
                self.per = None  # it was too long: this window should not have been over
            self._turn(ticket.sent_at)
            low = self._lowest.sent_at + self.per if self._lowest and self.per else -math.inf
            self.ends, self._spent = Interval(low), self.in_flight + 1
        if self.left is None or remaining < self.left:
            self.left, self._lowest, self._lowest_at = remaining, ticket, now
        if ticket.sent_at >= self._unseen_at:
            self.unseen = 0
        if self.limit is not None:
            self.foreign = max(self.foreign, int(self.limit - remaining) - self._spent)
            if remaining == self.limit - 1:
                self._opening = Opening(ticket.sent_at, now, headers.served_at)
                self._bound_end(ticket.sent_at + self.per if self.per else -math.inf, math.inf)

    def _bound_end(self, low: float, high: float) -> None:
        self.ends = self.ends.narrowed(low, high)

    def _turn(self, now: float) -> None:
        """Forget the old window; `now` is when the first request of the new one is sent."""
        self.ends = Interval(self.ends.low + self.per if self.per else -math.inf)
        self.left, self.unseen = None, 0
        self.foreign, self._foreign_before = 0, self.foreign
        self._spent, self._began, self._probed_at = self.in_flight, now, -math.inf
        self._asks, self._asked_at = 0, -math.inf

    def _learn_period(self, ticket: Ticket, headers: RateLimitHeaders, now: float) -> None:
        """Take a period that nobody told from a refusal in a window whose opening was seen.

        Both clocks of ``Retry-After`` are cut to whole seconds, and so are the replies' ``Date``s:
        their difference is exact, but for an opening reply that was slow to be dated. That makes
        the period too short by a second, which a refusal just after the expected end mends, once.
        A refusal that is not by this limit (a gateway's, a firewall's) teaches nothing.
        """
        opening, wait = self._opening, headers.retry_after
        if not self._learns or opening is None or wait is None or headers.limit != self.limit:
            return
        if opening.sent_at < self._began:
            if self.per and wait <= 1 and not self._mended:
                late = ticket.sent_at - opening.received_at - self.per
                self.per, self._mended = self.per + (late < 1), True
        elif not self._period_fits(opening, ticket, wait, now):
            elapsed = math.floor(now - opening.sent_at) + 1.0
            if opening.served_at is not None and headers.served_at is not None:
                elapsed = headers.served_at - opening.served_at
            self.per = wait + elapsed
            self._bound_end(opening.sent_at + self.per, opening.received_at + self.per)

    def _period_fits(self, opening: Opening, ticket: Ticket, wait: float, now: float) -> bool:
        return (
            self.per is not None
            and opening.received_at + self.per >= ticket.sent_at + wait - 1
            and opening.sent_at + self.per <= now + wait + 1
        )
