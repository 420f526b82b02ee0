"""The progress of a bulk job at one moment, as the command line shows it; pure."""

from attrs import frozen

from raydocs_async import Progress


@frozen(kw_only=True)
class Snapshot:
    """The progress of a job: of its stream, and of the sessions that have been recorded."""

    progress: Progress
    """The progress of the stream."""
    seconds: float
    """Seconds since the job began."""
    failed: int = 0
    """Ids that failed, and sessions with status failed."""
    unfinished: int = 0
    """Sessions that the service is still working on."""
    retries: int = 0
    """Requests that were sent again."""
    last_status: int | None = None
    """The HTTP status of the last failed attempt; ``None`` if it got no reply."""
    max_outage: float | None = None
    """Seconds of an outage after which the job gives up; ``None`` if it does not."""

    @property
    def gives_up_in(self) -> float | None:
        """Seconds until the job gives up, in an outage."""
        if self.progress.outage is None or self.max_outage is None:
            return None
        return max(0.0, self.max_outage - self.progress.outage)
