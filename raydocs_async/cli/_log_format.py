"""The form of the lines on standard error: text for a person, or JSON for a log collector."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final


def _now() -> datetime:
    return datetime.now(UTC)


class LogFormat:
    """Formats lines.

    Args:
        now: Returns the time of a line.
    """

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self.as_json = False
        """True for JSON; then every line is an object."""
        self._now = now

    def timestamp(self) -> str:
        """Return the time in ISO 8601, such as ``2026-01-31T06:00:00.123Z``."""
        return self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def format(self, message: str, facts: Mapping[str, Any]) -> str:
        """Return a line without its end.

        Args:
            message: The printable text, which is the whole line unless that is JSON.
            facts: More keys of the JSON; ``event`` says what kind of line it is.
        """
        if not self.as_json:
            return message
        line = {"time": self.timestamp(), "event": "message", "message": message}
        return json.dumps(line | dict(facts))

    def stamp(self, message: str) -> str:
        """Return a message after the time, or alone if the line gets a time anyway."""
        return message if self.as_json else f"{self.timestamp()} {message}"


LOG_FORMAT: Final = LogFormat()
"""The format of this process."""
