"""A record of a window for several processes, and their claims in one line each."""

from collections.abc import Sequence

import attrs

from raydocs_async._headers import Observation, Passed
from raydocs_async._limits._claim import Claim, Configuration, Grant, Report
from raydocs_async._limits._ledger import transact
from raydocs_async._limits._record import Account, Record, Stamped, decode, encode
from raydocs_async._limits._values import Ticket
from tests.support.windows import pausing, says

KNOWN = Configuration(100, 60.0)


def report(observation: Observation, sent_at: float, at: float) -> Report:
    """Return the end of a request."""
    return Report(ticket=Ticket(sent_at), observation=observation, at=at, pause=pausing(5))


def passed(remaining: int | None, sent_at: float, at: float, *, limit: int = 100) -> Report:
    """Return the end of a request that passed."""
    return report(Passed(says(remaining, limit=limit)), sent_at, at)


@attrs.define
class Ledger:
    """A record, and steps of processes in one line each."""

    record: Record | None = None

    def claim(
        self,
        owner: str,
        now: float,
        *reports: Report,
        joins: Configuration | None = KNOWN,
        **needs: int,
    ) -> Grant:
        """Settle a claim."""
        claim = Claim(owner=owner, reports=reports, joins=joins, **needs)  # type: ignore[arg-type]
        record, grant = transact(self.record, claim, now)
        stored = encode(Stamped(clock="", at=now, wall=now, record=record))
        self.record = decode(stored).record
        return grant

    def account(self, owner: str) -> Account:
        """Return the account of a process."""
        assert self.record is not None
        return self.record.accounts[owner]


def opened(*, limit: int = 100, waiting: Sequence[str] = (), lane: str = "bulk") -> Ledger:
    """Return a ledger whose probe was sent at 0 s by `a`, and answered at 0.1 s.

    The processes `waiting` have asked for 32 hits in the meantime.
    """
    ledger = Ledger()
    configured = Configuration(limit, 60.0)
    assert ledger.claim("a", 0.0, single=1, joins=configured).single == 1
    for owner in waiting:
        ledger.claim(owner, 0.05, joins=configured, **{lane: 32})
    ledger.claim("a", 0.1, passed(limit - 1, 0.0, 0.1, limit=limit), joins=None)
    return ledger
