"""One window for all processes of an address: who may send how many hits of it; pure.

`_window` has the theory of one client, and it holds here for all processes together. The shared
`Record` is the state of one `WindowTracker`; to it, a hit that any process holds is a request in
flight. So the hits that are left can never be overestimated, and foreign use is what ``Remaining``
lost beyond the hits of all processes.

Leases
    A process asks for the hits that it needs, and for some more that it will probably need soon,
    and spends them without asking again. A lease is void at the end of the window, or `LEASE`
    seconds after its process last asked or reported. What was not spent goes back with the next
    claim: a claim states what its process has in flight, so a claim that is lost or repeated
    leaves no error behind.
Death
    The hits of a process that is not heard of for `LEASE` seconds count as requests without a
    reply, about which the next process asks the server.
Shares
    While others wait, a process gets its fair share of the hits that are left, and waits for its
    turn. Single calls of any process go before bulk work of any process, and bulk work leaves the
    largest reserve that a process has asked for in the last hour. Shares are kept for a process
    until it should have come for them, `GRACE` seconds after the time at which it was to ask again.
    Hits beyond the need are leased only if no process waits, and with a part left for one that
    comes later.
One question for all
    While the window is unknown, the tracker permits one probe, of whichever process asks first.
    The others look again every `LOOK_SOON` seconds until its reply is there.
Sleep
    A process that waits sleeps until the time that the record names. Only while hits are held, so
    that the record may change at any time, it looks every `LOOK` seconds.
"""

import math
from collections.abc import Iterable
from typing import Final

from attrs import define, evolve

from raydocs_async._limits._claim import Claim, Configuration, Grant
from raydocs_async._limits._period import Period
from raydocs_async._limits._record import Account, Record
from raydocs_async._limits._shares import Demand, fair_share
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket
from raydocs_async._limits._window import Window

LEASE: Final = 1.0
"""Seconds after which a process that did not ask or report counts as dead."""
GRACE: Final = 0.25
"""Seconds that a share is kept for a process that is late."""
LOOK: Final = 0.05
"""Seconds between two looks at a record that another process will change."""
LOOK_SOON: Final = 0.005
"""The same while the window is unknown, for about a round trip, or another process is due for its
share of the hits that are left."""
RESERVED: Final = 3600.0
"""Seconds for which a reserve is kept; its process may be idle for long."""
MEMBERSHIP: Final = 60.0
"""Seconds for which the account of an idle process is kept."""

_NEWCOMER: Final = Account(
    held=0,
    leased_at=-math.inf,
    expires_at=-math.inf,
    single=0,
    bulk=0,
    due_at=-math.inf,
    served=0,
    seen_at=-math.inf,
)


class _Held(set[Ticket]):
    """Stands for all tickets in flight, of every process, by their number."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __contains__(self, ticket: object) -> bool:
        return True  # the process that reports it has checked that

    def add(self, ticket: Ticket, /) -> None:
        self.count += 1

    def remove(self, ticket: Ticket, /) -> None:
        self.count = max(0, self.count - 1)


def transact(record: Record | None, claim: Claim, now: float) -> tuple[Record, Grant]:
    """Settle a claim: apply its reports, and lease hits.

    Args:
        record: The state before, which must not be used afterwards; ``None`` for a new one.
        claim: The claim.
        now: The current time, on the clock of all processes.

    Returns:
        The state after, and the answer to the process.
    """
    tracker = _tracker_of(record) if record else WindowTracker(limit=None, period=Period(None))
    others = {} if record is None else dict(record.accounts)
    mine = others.pop(claim.owner, None) or _NEWCOMER
    if claim.joins is not None:
        _configure(tracker, claim.joins)
    # A process that was killed says nothing; its account goes when its hits are due.
    others = {
        owner: account
        for owner, account in _buried(others, tracker.window, now)
        if max(account.seen_at + MEMBERSHIP, account.due_at) > now
    }
    held = _Held(mine.held + sum(account.held for account in others.values()))
    tracker.in_flight = held
    for report in claim.reports:
        tracker.settle(report.ticket, report.observation, report.at, report.pause)
    returned = mine.held - len(claim.reports) - claim.in_flight
    if returned < 0:  # sent without a lease, perhaps in this window
        mine = evolve(mine, leased_at=now)
    # The claim states all that is in flight, so this corrects what an interrupted one left behind.
    held.count = claim.in_flight + sum(account.held for account in others.values())
    _take_back(returned, mine, tracker.window)
    reserve = _reserve(record, claim.reserve, now)
    served = _served(mine, others.values()) - returned
    counter = _Counter(tracker, claim, served, reserve[0], others, now)
    grant = counter.serve()
    account = counter.account(mine, grant)
    return _record_of(tracker, reserve, {**others, claim.owner: account}), grant


@define
class _Counter:
    """Serves one claim."""

    tracker: WindowTracker
    claim: Claim
    served: int
    reserve: int
    others: dict[str, Account]
    now: float

    def serve(self) -> Grant:
        """Lease hits for the single calls, then for bulk work, then ahead of the need."""
        claim, waiting = self.claim, self._waiting
        single, ask_at, contended = self._admit(claim.single, self._single_quota(waiting), 0)
        bulk = 0
        if single == claim.single:
            quota = self._bulk_quota(waiting)
            bulk, ask_at, contended = self._admit(claim.bulk, quota, self.reserve)
        ahead, _, _ = self._admit(self._surplus(waiting), math.inf, self.reserve)
        held = claim.in_flight or any(account.held for account in self.others.values())
        if contended or held:
            ask_at = min(ask_at, self.now + LEASE)
            soon = contended or self.tracker.window.left is None
            look_at = min(ask_at, self.now + (LOOK_SOON if soon else LOOK))
        else:
            look_at = ask_at
        return Grant(
            single=single,
            any=bulk + ahead,
            expires_at=min(self.now + LEASE, self.tracker.window.ends.high),
            ask_at=ask_at,
            look_at=look_at,
            contended=contended,
            waiting=sum(account.single + account.bulk for account in waiting),
            processes=1 + len(self.others),
            tracker=self.tracker,
        )

    def account(self, before: Account, grant: Grant) -> Account:
        """Return the account after the grant."""
        claim, leased = self.claim, grant.single + grant.any
        single = claim.single - grant.single
        bulk = max(0, claim.bulk - grant.any)
        ask_at = grant.ask_at if math.isfinite(grant.ask_at) else self.now + LEASE
        return Account(
            held=claim.in_flight + leased,
            leased_at=self.now if leased else before.leased_at,
            expires_at=self.now + LEASE,
            single=single,
            bulk=bulk,
            due_at=ask_at + GRACE if single or bulk else self.now,
            served=self.served + leased,
            seen_at=self.now,
        )

    @property
    def _waiting(self) -> list[Account]:
        """Accounts of the other processes for which hits are kept."""
        return [account for account in self.others.values() if account.due_at > self.now]

    def _admit(self, want: int, quota: float, reserve: int) -> tuple[int, float, bool]:
        """Admit up to `want` requests; `quota` is less than is free only while others wait.

        Returns:
            Their number; if it is less, when to ask again, and whether `quota` was the reason.
        """
        for number in range(want):
            if number >= quota and self.tracker.free > reserve:
                return number, min(account.due_at for account in self._waiting), True
            wait = self.tracker.admit(Ticket(), self.now, reserve)
            if wait is not None:
                return number, wait.until, False
        return want, self.now, False

    @property
    def _countable(self) -> bool:
        """True if the hits that are left are known; else one request at most can be sent."""
        tracker = self.tracker
        known = tracker.window.left is not None and self.now < tracker.window.ends.high
        return known and self.now >= tracker.shut_until

    def _single_quota(self, waiting: list[Account]) -> float:
        if not self._countable:
            return math.inf
        others = [Demand(account.served, account.single) for account in waiting]
        return self._share(self.tracker.free, self.claim.single, others)

    def _bulk_quota(self, waiting: list[Account]) -> float:
        if not self._countable:
            return math.inf
        budget = self.tracker.free - self.reserve - sum(account.single for account in waiting)
        others = [Demand(account.served, account.bulk) for account in waiting]
        return self._share(budget, self.claim.bulk, others)

    def _surplus(self, waiting: list[Account]) -> int:
        """Return the hits to lease ahead of the need; 0 while it is not met, as none are left then.

        Every process that has requests in flight will probably need as many again, and one that
        has not come yet would need some, too.
        """
        if not self._countable:
            return 0
        kept = self.reserve + sum(account.single + account.bulk for account in waiting)
        others = [Demand(account.served, account.held) for account in self.others.values()]
        newcomer = Demand(self.served, math.inf)
        return int(self._share(self.tracker.free - kept, self.claim.ahead, [*others, newcomer]))

    def _share(self, budget: float, want: int, others: Iterable[Demand]) -> float:
        return fair_share(budget, Demand(self.served, want), others)


def _configure(tracker: WindowTracker, configured: Configuration) -> None:
    """Take the configuration of a process that joins; the server's headers go before its limit."""
    if configured.period is not None:
        tracker.period = Period(configured.period)
    if configured.limit is not None and not tracker.sends_counts:
        tracker.limit = configured.limit


def _buried(
    accounts: dict[str, Account], window: Window, now: float
) -> Iterable[tuple[str, Account]]:
    """Return the accounts, with no hits in those that have expired.

    Such hits count as requests without a reply; those of an earlier window do not matter any more.
    """
    for owner, account in accounts.items():
        if account.held and now >= account.expires_at:
            if account.leased_at >= window.began:
                window.unseen += account.held
                window.unseen_at = now
            yield owner, evolve(account, held=0)
        else:
            yield owner, account


def _take_back(returned: int, account: Account, window: Window) -> None:
    """Correct the window's count by hits that were leased and will not be sent.

    The number is negative if a process that counted as dead still has requests in flight.
    """
    window.sent = max(0, window.sent - returned)
    if returned > 0 and window.probed_at == account.leased_at:
        window.probed_at = -math.inf


def _served(mine: Account, others: Iterable[Account]) -> int:
    """Return the hits that a process has had, for the comparison with the others.

    A process that was idle gets no credit for that time.
    """
    if mine.held or mine.single or mine.bulk:
        return mine.served
    active = [account.served for account in others if account.held or account.single + account.bulk]
    return max(mine.served, min(active, default=0))


def _tracker_of(record: Record) -> WindowTracker:
    period = Period(record.period, record.opening, record.learns, record.corrected)
    return WindowTracker(
        limit=record.limit,
        period=period,
        window=record.window,
        shut_until=record.shut_until,
        refusals=record.refusals,
        refused_at=record.refused_at,
        foreign_before=record.foreign_before,
        sends_counts=record.sends_counts,
    )


def _reserve(record: Record | None, wanted: int, now: float) -> tuple[int, float]:
    """Return the reserve that holds for all, and when it is forgotten."""
    if record is None or wanted >= record.reserve or now >= record.reserved_until:
        return wanted, now + RESERVED
    return record.reserve, record.reserved_until


def _record_of(
    tracker: WindowTracker, reserve: tuple[int, float], accounts: dict[str, Account]
) -> Record:
    period = tracker.period
    return Record(
        limit=tracker.limit,
        period=period.seconds,
        learns=period.learns,
        corrected=period.corrected,
        opening=period.opening,
        window=tracker.window,
        shut_until=tracker.shut_until,
        refusals=tracker.refusals,
        refused_at=tracker.refused_at,
        foreign_before=tracker.foreign_before,
        sends_counts=tracker.sends_counts,
        reserve=reserve[0],
        reserved_until=reserve[1],
        accounts=accounts,
    )
