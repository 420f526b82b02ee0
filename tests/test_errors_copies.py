"""Errors as other exceptions are: copied, pickled, raised from others, and annotated."""

import contextlib
import copy
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from raydocs_async import NotFoundError, RaydocsError
from tests.support.errors import every_error, full, state


@every_error
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(kind: type[RaydocsError], protocol: int) -> None:
    """S6: a pickled error is loaded as the same class with the same fields."""
    error = full(kind)
    back = pickle.loads(pickle.dumps(error, protocol))
    assert (type(back), state(back), str(back)) == (kind, state(error), str(error))


@every_error
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copy(kind: type[RaydocsError], duplicate: Callable[[Any], Any]) -> None:
    """S6: a copy of an error has the same class and the same fields."""
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
def test_other_attributes(kind: type[RaydocsError]) -> None:
    """Other libraries can set and delete further attributes, as on any exception."""
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
    """S6: a copy keeps the attributes, arguments and notes that were added."""
    error: Any = kind("m")
    error.job, error.args = 7, ("m", "and more")
    error.add_note("while fetching invoices")
    back = duplicate(error)
    back.add_note("once more")
    assert (back.job, back.args) == (7, ("m", "and more"))
    assert back.__notes__ == ["while fetching invoices", "once more"]
    assert error.__notes__ == ["while fetching invoices"]


class JobError(NotFoundError):
    """A user's error with its own attribute and signature."""

    def __init__(self, job: int) -> None:
        super().__init__(f"job {job} is gone", status=404)
        self.job = job


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_users_subclass(duplicate: Callable[[Any], Any]) -> None:
    """A subclass with its own attributes and ``__init__`` is copied whole."""
    back = duplicate(JobError(7))
    assert type(back) is JobError
    assert (back.job, back.status, str(back)) == (7, 404, f"job 7 is gone. {NotFoundError.hint}")


@every_error
def test_raise(kind: type[RaydocsError]) -> None:
    """An error can be raised from another one, as any exception."""
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
    """`with_traceback` returns the error itself."""
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
    """S6: a pickled error keeps its notes."""
    error = kind("m")
    error.add_note("while fetching invoices")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while fetching invoices"]
