"""Arguments: each check accepts its values, and names the argument that it refuses."""

import math
from typing import Any

import pytest

from raydocs_async import ConfigurationError, _settings
from raydocs_async._secret import Secret


@pytest.mark.parametrize("value", [1, 2, 10**30])
def test_a_count(value: int) -> None:
    """Whole numbers from 1 are counts."""
    assert _settings.count("n", value) == value


def test_a_count_from_another_minimum() -> None:
    """A count may begin elsewhere."""
    assert _settings.count("n", 0, minimum=0) == 0
    with pytest.raises(ConfigurationError, match=r"^n must be a whole number from 0, not -1$"):
        _settings.count("n", -1, minimum=0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (-1, "-1"), (1.0, "1.0"), (True, "True"), ("1", "a str"), (None, "None")],
)
def test_a_count_that_is_refused(value: object, shown: str) -> None:
    """C18: a refused count is named, with the accepted ones and the given one."""
    with pytest.raises(ConfigurationError) as caught:
        _settings.count("n", value)
    assert caught.value.message == f"n must be a whole number from 1, not {shown}"


@pytest.mark.parametrize("value", [1e-9, 1, 60.0, 999_999_999])
def test_seconds(value: float) -> None:
    """Any number above 0 and below the bound is a number of seconds, and optional ones, too."""
    assert _settings.seconds("s", value) == _settings.optional_seconds("s", value) == value


BAD_SECONDS: list[tuple[Any, str]] = [
    *((value, repr(value)) for value in (-1, -1e-9, 1e9, math.nan, math.inf, True, False)),
    ("1", "a str"),
    ([], "a list"),
]


@pytest.mark.parametrize(("value", "shown"), [*BAD_SECONDS, (0, "0"), (None, "None")])
def test_seconds_that_are_refused(value: object, shown: str) -> None:
    """C18: 0, negative, endless and other values are refused."""
    with pytest.raises(ConfigurationError) as caught:
        _settings.seconds("s", value)
    assert caught.value.message == f"s must be a finite number of seconds above 0, not {shown}"


@pytest.mark.parametrize(("value", "shown"), BAD_SECONDS)
def test_seconds_from_zero(value: object, shown: str) -> None:
    """C18: where 0 is accepted, the others are refused as before."""
    assert _settings.seconds("s", 0, zero=True) == 0
    with pytest.raises(ConfigurationError) as caught:
        _settings.seconds("s", value, zero=True)
    assert caught.value.message == f"s must be a finite number of seconds from 0, not {shown}"


def test_optional_seconds() -> None:
    """``None`` is no end; all else is checked as seconds are."""
    assert _settings.optional_seconds("s", None) is None
    with pytest.raises(ConfigurationError, match=r"^s must be .* above 0, not 0$"):
        _settings.optional_seconds("s", 0)


def test_an_instance() -> None:
    """An instance of the type, or of one of a union's, is accepted."""
    _settings.instance("x", 1, int)
    _settings.instance("x", None, int | None)
    _settings.instance("x", "a", int | str)


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        (int, "x must be a int, not a list"),
        (int | None, "x must be a int or None, not a list"),
        (int | str | None, "x must be a int or a str or None, not a list"),
    ],
    ids=str,
)
def test_an_instance_of_another_type(expected: Any, says: str) -> None:
    """C18: the accepted types are named, and the given one."""
    with pytest.raises(ConfigurationError) as caught:
        _settings.instance("x", [], expected)
    assert caught.value.message == says


class Callable:
    """An object that can be called."""

    def __call__(self, event: object) -> None:
        """Take an event."""


@pytest.mark.parametrize("value", [None, print, lambda event: None, Callable()], ids=type)
def test_a_hook(value: object) -> None:
    """Any plain callable is a hook, and ``None`` is none."""
    _settings.hook("h", value)


async def coroutine_function(event: object) -> None:
    """A hook that nobody would await."""


class AsyncCallable:
    """An object whose call makes a coroutine."""

    async def __call__(self, event: object) -> None:
        """Take an event."""


@pytest.mark.parametrize("value", [coroutine_function, AsyncCallable(), 3, "print"], ids=type)
def test_a_hook_that_is_refused(value: object) -> None:
    """C18: a coroutine function would never run, and a value cannot be called."""
    with pytest.raises(ConfigurationError) as caught:
        _settings.hook("h", value)
    assert caught.value.message == "h must be a plain function, not a coroutine function"


@pytest.mark.parametrize("value", ["!", "~", "1|abcDEF012"])
def test_a_token(value: str) -> None:
    """Visible ASCII characters are a token, the first and the last of them included."""
    assert _settings.token(Secret(value)) == value


@pytest.mark.parametrize("value", ["a b", "a\n", "\x7f", "é", "\ud800", " "])
def test_a_token_that_is_refused(value: str) -> None:
    """S1: any other character is refused, and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        _settings.token(Secret(value))
    assert caught.value.message == (
        "the token has a space, a line end or another character that is not visible ASCII; "
        "give the token alone, without 'Bearer'"
    )


def test_no_token() -> None:
    """S1: an empty token is refused, with the places where one is looked for."""
    with pytest.raises(ConfigurationError) as caught:
        _settings.token(Secret(""))
    assert caught.value.message == ("no token: give token= as a str, or set $RAYDOCS_API_TOKEN")
