"""Machines of hypothesis whose steps run on a virtual event loop, with tasks between the steps.

After any sequence of steps, every task has ended, and no timer is left.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import looptime
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

T = TypeVar("T")

any_of_them = st.integers(0, 99)
"""Chooses one of the calls, or of the exchanges, in progress; used modulo their number."""
MOMENT = 0.001
"""Seconds that a step takes, so that no reply comes at the very time of its request."""
pauses = st.sampled_from([0.1, 1.0, 3.0, 20.0])
STEPS = settings(max_examples=40, stateful_step_count=40, deadline=None)


class OnVirtualTime(RuleBasedStateMachine):
    """Steps with tasks on a virtual event loop, which only runs during a step."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop(start=0.0, noop_cycles=1, idle_timeout=0.1)
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        self.tasks: list[asyncio.Task[Any]] = []
        self.cancelled = set[asyncio.Task[Any]]()

    def do(self, step: Callable[[], T], seconds: float = MOMENT) -> T:
        """Call `step` inside of the loop, let `seconds` pass, and run all tasks until they wait."""

        async def steps() -> T:
            done = step()
            await asyncio.sleep(seconds)
            for _ in range(20):
                await asyncio.sleep(0)
            return done

        return self.loop.run_until_complete(steps())

    def start(self, call: Coroutine[Any, Any, Any]) -> None:
        """Start a call in a task."""
        self.tasks.append(self.do(lambda: self.loop.create_task(call)))

    @property
    def waiting(self) -> list[asyncio.Task[Any]]:
        """The calls in progress."""
        return [task for task in self.tasks if not task.done()]

    @precondition(lambda self: self.waiting)
    @rule(which=any_of_them)
    def cancel(self, which: int) -> None:
        """Cancel a call."""
        task = self.waiting[which % len(self.waiting)]
        self.cancelled.add(task)
        self.do(task.cancel)
        assert task.done()

    def cancel_after(self, turns: int, which: int) -> None:
        """Cancel a call after so many turns of the loop, in the middle of other work."""
        if turns:
            self.loop.call_soon(self.cancel_after, turns - 1, which)
            return
        number = which % max(1, len(self.waiting))
        for task in self.waiting[number : number + 1]:  # empty if all calls have ended meanwhile
            self.cancelled.add(task)
            task.cancel()

    @rule(seconds=pauses)
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.do(lambda: None, seconds)

    def check_that_nothing_is_left(self) -> None:
        """Check that no call, task or timer is left, and that the loop has reported no error."""
        assert not self.waiting
        assert not asyncio.all_tasks(self.loop)
        assert all(timer.cancelled() for timer in self.loop._scheduled)  # type: ignore[attr-defined]
        assert not self.complaints

    def finish(self) -> None:
        """End all calls, and check that nothing is left; each machine has its own way."""

    def teardown(self) -> None:
        """Finish, and close the loop in every case."""
        try:
            self.finish()
        finally:
            self.loop.close()
