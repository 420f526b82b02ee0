"""Values that are sent or saved as they are, and never shown: token, signed URLs, files."""

from typing import Final, NoReturn

REDACTED: Final = "<hidden>"


class Secret(str):
    """A string that is sent as it is but never shown: its ``repr`` hides it, pickling is refused.

    Tracebacks with captured locals, log records and aiohttp's exceptions show values by their
    ``repr``, so none of them shows the token.
    """

    __slots__ = ()

    # `__str__` stays that of `str`: the header and the URL are made by it.
    def __repr__(self) -> str:
        return REDACTED

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied into another process")


class HiddenBytes(bytes):
    """Bytes of a document: their ``repr`` shows the length alone, also in captured locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"
