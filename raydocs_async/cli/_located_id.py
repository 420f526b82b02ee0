"""Session ids with the place where the user gave them, and with values that stand beside them."""

from typing import Final, Self

KEPT: Final = "_input"
"""The key of the kept values in the output's lines."""


class LocatedId(str):
    """A session id, valid or not, with the place where the user gave it."""

    __slots__ = ("kept", "location")
    location: str
    """A file with a line number, as in ``ids.txt:3``, or ``argument 1``."""
    kept: bytes | None
    """A JSON object with the values of the columns that ``--keep`` names."""

    def __new__(cls, text: str, location: str, kept: bytes | None = None) -> Self:
        """Return a string with a location."""
        self = super().__new__(cls, text)
        self.location, self.kept = location, kept
        return self
