"""Many calls, in one process with few files, on a server that misbehaves at random.

    python tests/support/soak.py [--calls 100000] [--seed 1] [--loop uvloop]

Some calls are cancelled, some run out of time, some streams are left early. In the end every id
must have had exactly one outcome, the server must not have seen more requests than were counted,
and neither memory nor anything else may have stayed behind. What is done to a call depends on the
seed and its number, so that the same seed does the same again, but for the timing.
"""

import argparse
import asyncio
import gc
import json
import random
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import uvloop
from attrs import frozen

from raydocs_async import Attempt, Fetched, RaydocsClient, RaydocsError, RetryPolicy, Session

FILES = 256
"""File descriptors that the process may have."""
CONNECTIONS = 50
CALLERS, CONCURRENCY = 40, 20
"""Single calls at a time, and those of a stream."""
ATTEMPTS = 3
WARM_UP = 0.2
"""The share of the calls after which memory may grow no more, but by what follows."""
BLOCKS, BYTES = 8_000, 4_000_000
"""For 80 000 calls a tenth of a block, and 50 bytes, each; or so much for connections that are
idle at the one moment and were not at the other."""
ASK_AGAIN_AFTER = 300.0
"""Seconds after which what has not ended never will."""
FATES = {"plain": 88, "cancelled": 4, "caller's time-out": 4, "time-out": 4}
LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
SERVER = Path(__file__).parent / "unruly.py"


class Books:
    """What became of each call; its number is its id."""

    def __init__(self, calls: int) -> None:
        self.outcomes = bytearray(calls)
        self.attempts = bytearray(calls)
        """As the library tells them; 0 where it tells nothing."""
        self.ends = Counter[str]()
        self.complaints: list[object] = []

    def enter(self, number: int, end: Session | str, attempts: tuple[Attempt, ...] = ()) -> None:
        """A call has ended, with its session or in words."""
        self.outcomes[number] += 1
        self.attempts[number] = len(attempts)
        self.ends[end if isinstance(end, str) else "session"] += 1
        if isinstance(end, Session) and end.id != UUID(int=number):
            self.complaints.append(f"call {number} was answered by {end.id}")
        if "Too many open files" in str(attempts):
            self.complaints.append(f"call {number} had no file left")

    def compare(self, asked: Mapping[str, int]) -> None:
        """Look at each call, and at how often the server was asked for it."""
        for number, outcomes in enumerate(self.outcomes):
            requests = asked.get(str(UUID(int=number)), 0)
            if outcomes != 1:
                self.complaints.append(f"call {number} ended {outcomes} times")
            if requests > (self.attempts[number] or ATTEMPTS + 1):  # one for a 429
                self.complaints.append(f"call {number} made {requests} requests")


@frozen
class Held:
    """The resources that the process holds between two calls."""

    files: int
    tasks: int
    timers: int
    """Where the event loop tells."""
    blocks: int
    bytes: int

    @classmethod
    def now(cls) -> "Held":
        """Once all that is garbage is gone."""
        gc.collect()
        timers = getattr(asyncio.get_running_loop(), "_scheduled", ())
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return cls(
            files=len(list(Path("/dev/fd").iterdir())),
            tasks=len(asyncio.all_tasks()),
            timers=sum(not timer.cancelled() for timer in timers),
            blocks=sys.getallocatedblocks(),
            bytes=pages * resource.getpagesize(),
        )


class Soak:
    """Calls of every kind, by one client."""

    def __init__(self, client: RaydocsClient, books: Books, seed: int) -> None:
        self._client = client
        self._books = books
        self._seed = seed
        self.most_under_way = 0
        """Ids that a stream had taken, and not told the outcome of."""

    async def run(self, numbers: Iterator[int]) -> None:
        """Make all these calls, many at a time."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream_all(numbers))
            for _ in range(CALLERS):
                tasks.create_task(self._call_all(numbers))

    async def _call_all(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            rand = random.Random(f"{self._seed} {number}")
            (fate,) = rand.choices(list(FATES), list(FATES.values()))
            await self._call(number, fate, rand.expovariate(200))

    async def _call(self, number: int, fate: str, seconds: float) -> None:
        call = asyncio.create_task(self._get(UUID(int=number), fate, seconds))
        if fate == "cancelled":
            await _cancelled_after(seconds, call)
        try:
            self._books.enter(number, await call)
        except RaydocsError as error:
            self._books.enter(number, type(error).__name__, error.attempts)
        except (asyncio.CancelledError, TimeoutError) as error:
            self._books.enter(number, type(error).__name__)

    async def _get(self, session_id: UUID, fate: str, seconds: float) -> Session:
        if fate == "time-out":
            return await self._client.get_session(session_id, timeout=seconds)
        async with asyncio.timeout(seconds if fate == "caller's time-out" else None):
            return await self._client.get_session(session_id)

    async def _stream_all(self, numbers: Iterator[int]) -> None:
        """One stream after the other, until one comes to the end of the numbers."""
        exhausted = False
        while not exhausted:
            taken = set[int]()
            rand = random.Random(f"{self._seed} {sum(self._books.outcomes)}")
            consumer = asyncio.create_task(self._consume(numbers, taken, rand))
            await _cancelled_after(rand.choice([rand.expovariate(10), ASK_AGAIN_AFTER]), consumer)
            exhausted = not consumer.cancelled() and consumer.result()
            self.most_under_way = max(self.most_under_way, len(taken))
            for number in taken:
                self._books.enter(number, "left")

    async def _consume(self, numbers: Iterator[int], taken: set[int], rand: random.Random) -> bool:
        """Stream for a while; whether there are no more numbers."""

        def ids() -> Iterator[UUID]:
            for number in numbers:
                taken.add(number)
                yield UUID(int=number)

        left_after, ordered = rand.randrange(1, 500), rand.random() < 0.3
        async with self._client.stream_sessions(
            ids(), concurrency=CONCURRENCY, ordered=ordered
        ) as stream:
            async for outcome in stream:
                number = UUID(str(outcome.id)).int
                taken.remove(number)
                error = type(outcome.error).__name__
                end = outcome.value if isinstance(outcome, Fetched) else error
                self._books.enter(number, end, outcome.attempts)
                if stream.progress.done >= left_after:
                    return False  # pragma: no cover  (by chance)
        return True


async def _cancelled_after(seconds: float, task: asyncio.Task[object]) -> None:
    """Wait for the task, and cancel it if it takes longer."""
    canceller = asyncio.get_running_loop().call_later(seconds, task.cancel)
    await asyncio.wait([task])
    canceller.cancel()


def client_for(url: str) -> RaydocsClient:
    """A client that is quick to give up."""
    return RaydocsClient(
        "token",
        base_url=url,
        rate_limit=None,
        max_connections=CONNECTIONS,
        attempt_timeout=1.0,
        retry=RetryPolicy(attempts=ATTEMPTS, initial=0.01, maximum=0.05),
    )


async def soak(url: str, books: Books, seed: int) -> str:
    """Make the calls; how much memory they took after the warm-up, in words."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: books.complaints.append(context))
    calls = len(books.outcomes)
    warm_up = round(WARM_UP * calls)
    async with client_for(url) as first:
        with suppress(RaydocsError):  # the event loop opens files of its own at its first use
            await first.get_session(UUID(int=calls))
    at_first = Held.now()
    async with client_for(url) as client:
        each = Soak(client, books, seed)
        await each.run(iter(range(warm_up)))
        before = Held.now()
        await each.run(iter(range(warm_up, calls)))
        after = Held.now()
        status = client.rate_limit_status
    await asyncio.sleep(0)  # what has just been closed takes a turn of the loop to go
    at_last = Held.now()
    blocks, memory = after.blocks - before.blocks, after.bytes - before.bytes
    left = {
        "tasks": at_last.tasks - at_first.tasks,
        "timers": at_last.timers - at_first.timers,
        "files": at_last.files - at_first.files,
        "permits": status.in_flight,
        "waiters": status.waiting,
        "ids under way": max(0, each.most_under_way - CONCURRENCY),
        "blocks": max(0, blocks - BLOCKS),
        "bytes": max(0, memory - BYTES),
    }
    books.complaints += [f"{count} {name} too many" for name, count in left.items() if count]
    return f"{blocks:+} blocks, {memory / 1e6:+.1f} MB"


async def main(calls: int, seed: int) -> str | None:
    """Make the calls, and say what is wrong."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    warnings.simplefilter("error")
    books, began = Books(calls), time.perf_counter()
    sys.unraisablehook = books.complaints.append
    print(f"seed {seed}", flush=True)
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SERVER), str(seed)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(await server.stdout.readline())}"
    growth = await asyncio.wait_for(soak(url, books, seed), ASK_AGAIN_AFTER)
    seen = json.loads((await server.communicate(b""))[0])
    books.compare(seen["asked"])
    books.complaints += ["a connection was left open"] * seen["open"]
    print(f"{calls} calls in {time.perf_counter() - began:.0f} s: {dict(books.ends)}")
    print(f"{sum(seen['asked'].values())} requests on {seen['accepted']} connections")
    print(f"after the warm-up {growth}")
    return "\n".join(map(str, books.complaints[:20])) or None


def arguments() -> argparse.Namespace:
    """Those of the command line."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--loop", default="asyncio", choices=LOOPS)
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    with asyncio.Runner(loop_factory=LOOPS[given.loop]) as runner:
        sys.exit(runner.run(main(given.calls, given.seed)))
