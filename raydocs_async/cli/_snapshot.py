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
