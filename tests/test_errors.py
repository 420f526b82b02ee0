"""The exception tree: what is what, what each says, and that each is frozen data that travels."""

import contextlib
import copy
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenError, FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    FileError,
    InternalServerError,
    InvalidIdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsError,
    Session,
    UnprocessableEntityError,
    WaitTimeoutError,
)
from raydocs_async._converter import decode
from tests.strategies import GUIDE

TREE: dict[type[RaydocsError], tuple[type[Exception], ...]] = {
    RaydocsError: (Exception,),
    ConfigurationError: (RaydocsError, ValueError),
    InvalidIdError: (RaydocsError, ValueError),
    ClientClosedError: (RaydocsError,),
    FileError: (RaydocsError,),
    WaitTimeoutError: (RaydocsError,),
    APIConnectionError: (RaydocsError,),
    APITimeoutError: (APIConnectionError,),
    APIResponseValidationError: (RaydocsError,),
    APIStatusError: (RaydocsError,),
    BadRequestError: (APIStatusError,),
    AuthenticationError: (APIStatusError,),
    PermissionDeniedError: (APIStatusError,),
    NotFoundError: (APIStatusError,),
    UnprocessableEntityError: (APIStatusError,),
    RateLimitError: (APIStatusError,),
    InternalServerError: (APIStatusError,),
}
every_error = pytest.mark.parametrize("kind", TREE)

HISTORY = (
    Attempt(at=0.0, status=500, error="HTTP 500"),
    Attempt(at=1.5, error="time-out", waited=1.5),
)
MORE: dict[type[RaydocsError], dict[str, Any]] = {
    WaitTimeoutError: {"last_seen": decode(GUIDE, Session)},
    APIResponseValidationError: {"payload": b"MARKER", "payload_size": 100, "truncated": True},
}


def full(kind: type[RaydocsError]) -> RaydocsError:
    """An error with every field set."""
    return kind(
        "it went wrong",
        resource="session",
        resource_id="770e8400",
        status=500,
        retry_after=2.0,
        request_id="req-1",
        body_excerpt="oops",
        attempts=HISTORY,
        **MORE.get(kind, {}),
    )


def descendants(kind: type[Exception]) -> Iterator[type[Exception]]:
    """All classes below the one given."""
    for each in kind.__subclasses__():
        yield each
        yield from descendants(each)


def state(error: RaydocsError) -> dict[str, Any]:
    """All that the error holds."""
    return attrs.asdict(error, recurse=False)


@every_error
def test_bases(kind: type[RaydocsError]) -> None:
    """Every error is where the tree has it."""
    assert kind.__bases__ == TREE[kind]


def test_tree_is_complete() -> None:
    """The library has no error that the tree does not show."""
    ours = {each for each in descendants(Exception) if each.__module__ == RaydocsError.__module__}
    assert ours == TREE.keys()


@every_error
def test_name_is_drawn(kind: type[RaydocsError]) -> None:
    """Every error is in the drawing that opens the module."""
    drawing = str(__import__(kind.__module__, fromlist=["_"]).__doc__)
    assert f" {kind.__name__}" in drawing


@every_error
def test_every_field_is_kept(kind: type[RaydocsError]) -> None:
    """What an error is given it holds, under the same name."""
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
    """An error asks for a message alone; all else is absent or empty."""
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
    """Every field but the message is given by name."""
    with pytest.raises(TypeError, match="positional"):
        kind("m", "770e8400")  # type: ignore[call-arg]  # that is the point


@every_error
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(kind: type[RaydocsError], protocol: int) -> None:
    """S6: every error comes back from pickle as the same class with the same fields."""
    error = full(kind)
    back = pickle.loads(pickle.dumps(error, protocol))
    assert (type(back), state(back), str(back)) == (kind, state(error), str(error))


@every_error
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copy(kind: type[RaydocsError], duplicate: Callable[[Any], Any]) -> None:
    """S6: every error copies as the same class with the same fields."""
    error = full(kind)
    back = duplicate(error)
    assert (type(back), state(back), back.args) == (kind, state(error), error.args)


@every_error
def test_evolve(kind: type[RaydocsError]) -> None:
    """An error can be copied with one field changed."""
    error = full(kind)
    changed = attrs.evolve(error, resource_id="other")
    assert state(changed) == state(error) | {"resource_id": "other"}


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
def test_other_attributes(kind: type[RaydocsError]) -> None:
    """Other libraries can set and delete attributes of their own, as on any exception."""
    error: Any = kind("m")
    error.traceback = "kept by a task queue"
    error.args = ("m", "and more")
    error.__traceback__ = error.__cause__ = error.__context__ = None
    assert (error.traceback, error.args) == ("kept by a task queue", ("m", "and more"))
    del error.traceback
    assert not hasattr(error, "traceback")


DUPLICATES = [
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
    pytest.param(lambda error: pickle.loads(pickle.dumps(error)), id="pickle"),
]


@every_error
@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_other_attributes_are_kept(
    kind: type[RaydocsError], duplicate: Callable[[Any], Any]
) -> None:
    """S6: attributes, arguments and notes that were added go along with a copy."""
    error: Any = kind("m")
    error.job, error.args = 7, ("m", "and more")
    error.add_note("while fetching invoices")
    back = duplicate(error)
    back.add_note("once more")
    assert (back.job, back.args) == (7, ("m", "and more"))
    assert back.__notes__ == ["while fetching invoices", "once more"]
    assert error.__notes__ == ["while fetching invoices"]


class JobError(NotFoundError):
    """A user's error, with an attribute and a signature of its own."""

    def __init__(self, job: int) -> None:
        super().__init__(f"job {job} is gone", status=404)
        self.job = job


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_users_subclass(duplicate: Callable[[Any], Any]) -> None:
    """A subclass can set attributes and have an ``__init__`` of its own, and is copied whole."""
    back = duplicate(JobError(7))
    assert type(back) is JobError
    assert (back.job, back.status, str(back)) == (7, 404, f"job 7 is gone. {NotFoundError.hint}")


@every_error
def test_raise(kind: type[RaydocsError]) -> None:
    """An error can be raised from another one, as any other."""
    cause = KeyError("x")
    with pytest.raises(kind) as caught:
        raise kind("m") from cause
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (cause, True)


@every_error
def test_through_a_context_manager(kind: type[RaydocsError]) -> None:
    """An error passes through a generator's context manager, which sets its traceback."""

    @contextlib.contextmanager
    def passing() -> Iterator[None]:
        yield

    error = kind("m")
    with pytest.raises(kind) as caught, passing():
        raise error
    assert caught.value is error


@every_error
def test_with_traceback(kind: type[RaydocsError]) -> None:
    """A traceback can be put on an error."""
    error = kind("m")
    assert error.with_traceback(None) is error


@every_error
def test_notes(kind: type[RaydocsError]) -> None:
    """A note can be added, and is printed with the traceback."""
    error = kind("m")
    error.add_note("while fetching invoices")
    assert "while fetching invoices\n" in traceback.format_exception_only(error)


@every_error
def test_notes_are_pickled(kind: type[RaydocsError]) -> None:
    """S6: what was noted on an error goes with it to another process."""
    error = kind("m")
    error.add_note("while fetching invoices")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while fetching invoices"]


@every_error
def test_hashable(kind: type[RaydocsError]) -> None:
    """Errors compare by identity, as exceptions do, even with what cannot be hashed in them."""
    error, other = full(kind), full(kind)
    assert {error, other, error} == {other, error}
    assert error != other


@every_error
def test_repr(kind: type[RaydocsError]) -> None:
    """A ``repr`` is the class and what the error says."""
    error = full(kind)
    assert repr(error) == f"{kind.__name__}({str(error)!r})"


@every_error
def test_args(kind: type[RaydocsError]) -> None:
    """The only argument, as other libraries print it, is the message."""
    assert full(kind).args == ("it went wrong",)


@every_error
def test_content_is_not_printed(kind: type[RaydocsError]) -> None:
    """S2: neither the payload, the session nor the excerpt is in what an error says of itself."""
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
    """A message keeps its full stop, but where something follows it."""
    assert str(RaydocsError(message, retry_after=retry_after)) == expected


@pytest.mark.parametrize(("fields", "expected"), STRINGS)
def test_str(fields: dict[str, Any], expected: str) -> None:
    """An error says which session, what happened, how often it was tried and when to come back."""
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
    """What a person can do is said at the end."""
    assert str(kind("m", retry_after=1.0)) == f"m; retry after 1 s. {hint}"


def test_no_other_hints() -> None:
    """Where there is nothing to advise, nothing is said."""
    advising = {AuthenticationError, PermissionDeniedError, NotFoundError}
    assert {kind for kind in TREE if kind.hint} == advising


@given(st.text(), st.floats(0, 1e9) | st.none())
def test_message_is_always_in_the_string(message: str, retry_after: float | None) -> None:
    """Whatever the message and the wait, an error can be printed, and begins with its message."""
    assert str(RaydocsError(message, retry_after=retry_after)).startswith(message.removesuffix("."))


def test_caught_as_value_error() -> None:
    """An id that is none can be caught as a `ValueError`."""
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
