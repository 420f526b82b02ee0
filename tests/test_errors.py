"""The tree of exceptions: the classes, their fields, and their texts."""

from collections.abc import Iterator
from typing import Any

import pytest
from attrs.exceptions import FrozenError, FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import (
    APIResponseValidationError,
    Attempt,
    AuthenticationError,
    InvalidIdError,
    NotFoundError,
    PermissionDeniedError,
    RaydocsError,
)
from tests.support.errors import HISTORY, MORE, TREE, every_error, full, state


def descendants(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Yield all classes below the given one."""
    for each in kind.__subclasses__():
        yield each
        yield from descendants(each)


@every_error
def test_bases(kind: type[RaydocsError]) -> None:
    """Every error has the base classes that the tree shows."""
    assert kind.__bases__ == TREE[kind]


def test_tree_is_complete() -> None:
    """The tree shows every error of the library."""
    ours = {each for each in descendants(Exception) if each.__module__ == RaydocsError.__module__}
    assert ours == TREE.keys()


@every_error
def test_name_is_drawn(kind: type[RaydocsError]) -> None:
    """The drawing in the module's docstring shows every error."""
    drawing = str(__import__(kind.__module__, fromlist=["_"]).__doc__)
    assert f" {kind.__name__}" in drawing


@every_error
def test_every_field_is_kept(kind: type[RaydocsError]) -> None:
    """An error keeps each value that it is given, under the same name."""
    assert state(full(kind)) == {
        "message": "it went wrong",
        "resource": "session",
        "resource_id": "770e8400",
        "status": 500,
        "retry_after": 2.0,
        "request_id": "req-1",
        "body_excerpt": "oops",
        "attempts": HISTORY,
        **MORE.get(kind, {}),
    }


@every_error
def test_defaults(kind: type[RaydocsError]) -> None:
    """Only the message of an error is required; all else is absent or empty."""
    more = {"last_seen": None, "payload": b"", "payload_size": 0, "truncated": False}
    assert state(kind("m")) == {
        "message": "m",
        "resource": None,
        "resource_id": None,
        "status": None,
        "retry_after": None,
        "request_id": None,
        "body_excerpt": "",
        "attempts": (),
        **{name: more[name] for name in MORE.get(kind, {})},
    }


@every_error
def test_only_the_message_is_positional(kind: type[RaydocsError]) -> None:
    """Every field but the message is keyword-only."""
    with pytest.raises(TypeError, match="positional"):
        kind("m", "770e8400")  # type: ignore[call-arg]  # that is the point


@every_error
def test_fields_are_read_only(kind: type[RaydocsError]) -> None:
    """No field of an error can be set or deleted."""
    error = full(kind)
    for name in state(error):
        with pytest.raises(FrozenError):
            setattr(error, name, "x")
        with pytest.raises(FrozenError):
            delattr(error, name)
    assert state(error) == state(full(kind))


@every_error
def test_hashable(kind: type[RaydocsError]) -> None:
    """Errors compare by identity, as exceptions do, even with unhashable values in them."""
    error, other = full(kind), full(kind)
    assert {error, other, error} == {other, error}
    assert error != other


@every_error
def test_repr(kind: type[RaydocsError]) -> None:
    """The ``repr`` has the class and the text of the error."""
    error = full(kind)
    assert repr(error) == f"{kind.__name__}({str(error)!r})"


@every_error
def test_args(kind: type[RaydocsError]) -> None:
    """The only argument is the message, as other libraries print it."""
    assert full(kind).args == ("it went wrong",)


@every_error
def test_content_is_not_printed(kind: type[RaydocsError]) -> None:
    """S2: the texts of an error show neither payload, session nor excerpt."""
    error = full(kind)
    shown = f"{error} {error!r} {error.args}"
    assert not [word for word in ("MARKER", "Invoices", "oops") if word in shown]


STRINGS = [
    pytest.param({}, "m", id="message alone"),
    pytest.param({"resource": "session", "resource_id": "77"}, "session 77: m", id="session"),
    pytest.param({"attempts": HISTORY[:1]}, "m", id="one attempt"),
    pytest.param({"attempts": HISTORY}, "m (attempts: 2)", id="two attempts"),
    pytest.param({"retry_after": 0.0}, "m; retry after 0 s", id="retry at once"),
    pytest.param({"retry_after": 86400.0}, "m; retry after 86400 s", id="R4 retry in a day"),
    pytest.param({"retry_after": 23.9}, "m; retry after 24 s", id="retry after a fraction"),
    pytest.param({"status": 500, "request_id": "r", "body_excerpt": "b"}, "m", id="silent fields"),
    pytest.param(
        {"resource": "session", "resource_id": "77", "attempts": HISTORY, "retry_after": 3.0},
        "session 77: m (attempts: 2); retry after 3 s",
        id="everything",
    ),
]


@pytest.mark.parametrize(
    ("message", "retry_after", "expected"),
    [
        ("It is gone.", None, "It is gone."),
        ("It is gone.", 2.0, "It is gone; retry after 2 s"),
        (".gone", 2.0, ".gone; retry after 2 s"),
    ],
)
def test_full_stop(message: str, retry_after: float | None, expected: str) -> None:
    """A message keeps its full stop, unless something follows it."""
    assert str(RaydocsError(message, retry_after=retry_after)) == expected


@pytest.mark.parametrize(("fields", "expected"), STRINGS)
def test_str(fields: dict[str, Any], expected: str) -> None:
    """The text names the resource, the failure, the number of attempts and the wait."""
    assert str(RaydocsError("m", **fields)) == expected


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (AuthenticationError, "Check the token; the service does not know it"),
        (PermissionDeniedError, "The token needs the ability 'sessions-read'"),
        (NotFoundError, "There is none, or this token may not see it, or base_url is not right"),
    ],
)
def test_hints(kind: type[RaydocsError], hint: str) -> None:
    """A hint for the user is the end of the text."""
    assert str(kind("m", retry_after=1.0)) == f"m; retry after 1 s. {hint}"


def test_no_other_hints() -> None:
    """Only these errors have a hint."""
    advising = {AuthenticationError, PermissionDeniedError, NotFoundError}
    assert {kind for kind in TREE if kind.hint} == advising


@given(st.text(), st.floats(0, 1e9) | st.none())
def test_message_is_always_in_the_string(message: str, retry_after: float | None) -> None:
    """The text of an error begins with its message, whatever message and wait are."""
    assert str(RaydocsError(message, retry_after=retry_after)).startswith(message.removesuffix("."))


def test_caught_as_value_error() -> None:
    """An invalid id can be caught as a `ValueError`."""
    with pytest.raises(ValueError, match=r"^not an id$"):
        raise InvalidIdError("not an id")


def test_a_whole_payload_has_its_own_size() -> None:
    """A payload is whole unless its size is given, too."""
    assert APIResponseValidationError("m", payload=b"abc").payload_size == 3


def test_attempts_are_values() -> None:
    """Attempts compare by value, and are frozen."""
    attempt = Attempt(at=1.0)
    assert (attempt, attempt.status, attempt.error, attempt.waited) == (
        Attempt(at=1.0, status=None, error=None, waited=0.0),
        None,
        None,
        0.0,
    )
    with pytest.raises(FrozenInstanceError):
        attempt.at = 2.0  # type: ignore[misc]  # that is the point
