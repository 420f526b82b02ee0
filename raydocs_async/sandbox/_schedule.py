"""Progress of sessions: the stages of one, and the time of each stage."""

import math
from enum import Enum
from uuid import UUID

from attrs import define, field
from attrs.validators import and_, gt, lt, optional


class Stage(Enum):
    """A stage, as the statuses of a session and of its documents, parsings and results."""

    WAITING = ("pending", "queued", "queued", "created")
    PARSING = ("processing", "parsing", "processing", "parsing_pending")
    EXTRACTING = ("processing", "ready", "ready", "processing")
    FINISHED = ("completed", "ready", "ready", "completed")

    def __init__(self, session: str, document: str, parsing: str, result: str) -> None:
        self.session = session
        self.document = document
        self.parsing = parsing
        self.result = result


_BEGINNINGS = ((1.0, Stage.FINISHED), (0.5, Stage.EXTRACTING), (0.1, Stage.PARSING))
"""The share of a session's duration at which each stage begins, the last stage first."""

_DURATIONS = 997
"""The number of different durations."""


@define
class Schedule:
    """The progress of the built-in sessions, as a function of the time.

    Args:
        finish_within: Seconds from the sandbox's first start until all sessions are finished. Each
            session has its own duration, which depends on its id alone. ``None`` means that all
            are finished before the start.

    Raises:
        ValueError: `finish_within` is not a positive, finite number.
    """

    finish_within: float | None = field(
        default=None, validator=optional(and_(gt(0.0), lt(math.inf)))
    )
    _started_at: float | None = field(default=None, init=False)

    def start(self, now: float) -> None:
        """Start the progress at `now`, unless it was started before."""
        # A sandbox may be closed and started again, and its sessions must not become unfinished.
        if self._started_at is None:
            self._started_at = now

    def stage(self, session: str, now: float) -> Stage:
        """Return the stage at `now` of the session with the UUID `session`."""
        if self.finish_within is None:
            return Stage.FINISHED
        elapsed = 0.0 if self._started_at is None else now - self._started_at
        share = elapsed / self.duration(session)
        return next((stage for begin, stage in _BEGINNINGS if share >= begin), Stage.WAITING)

    def duration(self, session: str) -> float:
        """Return the seconds that the session with the UUID `session` takes."""
        return (self.finish_within or 0.0) * (UUID(session).int % _DURATIONS + 1) / _DURATIONS
