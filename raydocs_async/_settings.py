"""Checks of the arguments that callers pass: one style, one set of bounds.

Each function refuses a wrong value with a `ConfigurationError` that names the argument, the
accepted values and the given one. So a mistake shows at construction instead of at the first call.
"""

import math
import re
from inspect import iscoroutinefunction
from types import NoneType, UnionType
from typing import Final, get_args

from raydocs_async._secret import Secret
from raydocs_async.errors import ConfigurationError

LONGEST: Final = 1e9
"""The bound of every number of seconds: 31 years, which timers of all platforms accept."""

_visible_ascii = re.compile(r"[\x21-\x7e]+").fullmatch


def count(name: str, value: object, *, minimum: int = 1) -> int:
    """Accept a whole number from `minimum`; a boolean is not a number.

    Raises:
        ConfigurationError: `value` is anything else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise _refused(name, f"a whole number from {minimum}", value)
    return value


def seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Accept a number of seconds above 0 (or 0, with `zero`) and below `LONGEST`.

    Raises:
        ConfigurationError: `value` is anything else, ``nan`` and ``inf`` included.
    """
    number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else value
    if not (0 < number < LONGEST or (zero and number == 0)):
        least = "from 0" if zero else "above 0"
        raise _refused(name, f"a finite number of seconds {least}", value)
    return number


def optional_seconds(name: str, value: object) -> float | None:
    """Accept what `seconds` accepts, or ``None`` for no end.

    Raises:
        ConfigurationError: `value` is anything else.
    """
    return None if value is None else seconds(name, value)


def instance(name: str, value: object, expected: type | UnionType) -> None:
    """Accept an instance of `expected`.

    Raises:
        ConfigurationError: `value` is an instance of another type.
    """
    if not isinstance(value, expected):
        kinds = get_args(expected) if isinstance(expected, UnionType) else (expected,)
        raise _refused(name, " or ".join(map(_named, kinds)), value)


def hook(name: str, value: object) -> None:
    """Accept a plain function, or any other callable that is not a coroutine function, or ``None``.

    Raises:
        ConfigurationError: `value` is anything else.
    """
    if value is None:
        return
    # An object with an `async def __call__` is not a coroutine function itself, but calling it
    # makes a coroutine, which would never be awaited.
    if not callable(value) or any(map(iscoroutinefunction, (value, type(value).__call__))):
        raise ConfigurationError(f"{name} must be a plain function, not a coroutine function")


def token(value: Secret) -> Secret:
    """Accept a token of visible ASCII characters: HTTP would change or cut any other silently.

    Raises:
        ConfigurationError: the token is empty, or has other characters. The message never shows
            the token.
    """
    if not value:
        raise ConfigurationError("no token: give token= as a str, or set $RAYDOCS_API_TOKEN")
    if not _visible_ascii(value):
        raise ConfigurationError(
            "the token has a space, a line end or another character that is not visible ASCII; "
            "give the token alone, without 'Bearer'"
        )
    return value


def _named(kind: type) -> str:
    return "None" if kind is NoneType else f"a {kind.__name__}"


def _refused(name: str, accepted: str, value: object) -> ConfigurationError:
    # Only a number is shown: a text in the wrong argument may be the token.
    given = repr(value) if isinstance(value, int | float) else _named(type(value))
    return ConfigurationError(f"{name} must be {accepted}, not {given}")
