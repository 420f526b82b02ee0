"""Many calls on a server that misbehaves at random; `nox -s soak` makes a hundred thousand."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import pytest

from raydocs_async import Attempt, Session, converter
from tests.support import soak
from tests.support.replies import session_json
from tests.support.soak import Books

SOAK = Path(soak.__file__)


@pytest.mark.parametrize("loop", soak.LOOPS)
async def test_a_short_soak(loop: str) -> None:
    """E4: with random faults and cancellations every call ends once, and nothing is left."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SOAK), "--calls", "3000", "--seed", "68", "--loop", loop),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await child.communicate()
    assert child.returncode == 0, told.decode()


def session(number: int) -> Session:
    """The session of that number."""
    return converter.loads(session_json(str(UUID(int=number))), Session)


def no_file() -> Attempt:
    """An attempt that had none."""
    return Attempt(at=0.0, error="could not connect: OSError: Too many open files")


def test_the_books_of_a_soak_are_in_order() -> None:
    """A call that ended once, with its own session or an error, and no more requests, is fine."""
    books = Books(2)
    books.enter(0, session(0))
    books.enter(1, "NotFoundError", (Attempt(at=0.0),))
    books.compare({str(UUID(int=0)): soak.ATTEMPTS, str(UUID(int=1)): 1})
    assert books.complaints == []
    assert books.ends == {"session": 1, "NotFoundError": 1}


def test_the_books_of_a_soak_complain() -> None:
    """Another's session, no outcome or two, an uncounted request, a lack of files: each is told."""
    books = Books(4)
    books.enter(0, session(3))
    books.enter(1, "APIConnectionError", (no_file(),))
    books.enter(2, "left")
    books.enter(2, "left")
    books.compare({str(UUID(int=1)): 2})
    assert books.complaints == [
        f"call 0 was answered by {UUID(int=3)}",
        "call 1 had no file left",
        "call 1 made 2 requests",
        "call 2 ended 2 times",
        "call 3 ended 0 times",
    ]
