"""The part of a sandbox that does not depend on how requests reach it."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from functools import lru_cache
from itertools import count
from typing import Any

import msgspec
from attrs import define

from raydocs_async.sandbox._application import Application
from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._chunks import Shapes
from raydocs_async.sandbox._clock import Clock
from raydocs_async.sandbox._faults import NO_FAULT, Chaos, Fault, Plan
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._requests import Admission, ServerRequest
from raydocs_async.sandbox._routes import FILE, Context
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.sandbox._signing import Signer
from raydocs_async.sandbox._stats import LogEntry, Stats
from raydocs_async.sandbox._storage import Storage
from raydocs_async.sandbox._throttle import Store, Throttle


@define
class Exchange:
    """Mutable state of one request that is being answered."""

    request: ServerRequest
    backend: Application | Storage
    admission: Admission | Reply
    status: int | None = None
    """The status of the reply, once it is certain to be sent as a whole."""

    @property
    def fault(self) -> Fault:
        """The fault that hits the request; `NO_FAULT` if none does."""
        return NO_FAULT if isinstance(self.admission, Reply) else self.admission.fault


class BaseSandbox:
    """The sessions, throttle, faults and records of a sandbox, without a way to reach them."""

    def __init__(
        self,
        limit: int | None = 100,
        window: float = 60.0,
        *,
        store: Store = "redis",
        sessions: int | None = 1000,
        finish_within: float | None = None,
        shapes: Shapes = "newest",
        per_page: int = 15,
        latency: float = 0.0,
        chaos: Chaos | None = None,
        token: str = "sandbox-token",
        log_size: int = 10_000,
    ) -> None:
        self.throttle = Throttle(limit, window, store)
        """The throttle; its ``limit`` and its ``workers`` may be changed at any time."""
        self.latency = latency
        """Seconds that each accepted request takes from now on; they pass before its headers are
        made."""
        self.stats = Stats()
        """Counters of the requests so far."""
        self.log: deque[LogEntry] = deque(maxlen=log_size)
        """The latest finished requests, the oldest first."""
        self._schedule = Schedule(finish_within)
        self._catalog = Catalog(sessions, self._schedule)
        self._plan = Plan(chaos)
        context = Context(self._catalog, Signer(token.encode()), shapes, per_page)
        self._application = Application(
            self.throttle, context, self._plan, self.stats, token, f"{token}-forbidden"
        )
        self._storage = Storage(context, self._plan, self.stats)
        self._clock: Clock | None = None
        self._in_flight = 0
        self._request_ids = count(1)

    @property
    def token(self) -> str:
        """The bearer token that the sandbox accepts."""
        return self._application.token

    @property
    def forbidden_token(self) -> str:
        """A valid token without the ability to read sessions, whose requests get a 403."""
        return self._application.forbidden_token

    def ids(self, n: int) -> list[str]:
        """Return the ids of `n` existing sessions, the same ones each time.

        Raises:
            ValueError: Fewer than `n` sessions exist.
        """
        return self._catalog.ids(n)

    def session(self, session_id: str) -> dict[str, Any]:
        """Return a fresh copy of the session that the sandbox serves now under this id.

        Raises:
            KeyError: No session has this id.
        """
        # Before the start any time will do, because no session has progressed.
        now = 0.0 if self._clock is None else self._clock.now()
        body = self._catalog.session(session_id, now)
        if body is None:
            raise KeyError(session_id)
        return msgspec.json.decode(body, type=dict[str, Any])

    def put(self, session: Mapping[str, Any]) -> None:
        """Serve a session of your own under its ``id``, in place of any session with that id.

        Its documents and results are served under their ids, too. The sandbox keeps a copy: a later
        change to `session` has no effect.

        Raises:
            ValueError: `session` has no ``id`` that is a string.
        """
        self._catalog.put(session)

    def script(self, *faults: Fault) -> None:
        """Let `faults` hit the next accepted requests, one each and in this order."""
        self._plan.script(faults)

    def script_for(self, target: str, *faults: Fault) -> None:
        """Let `faults` hit the next accepted requests for one resource, before any other fault.

        Args:
            target: An id, which stands for every path with this id in it, or one path, such as
                ``/files/`` and a document's id. Letter case does not matter.
            faults: The faults, one for each request and in this order.
        """
        self._plan.script_for(target, faults)

    def clear_script(self) -> None:
        """Drop the scripted faults that have not hit yet; random faults continue."""
        self._plan.clear()

    def _start_clock(self) -> Clock:
        """Follow the running event loop's clock; the first time, sessions start to progress."""
        clock = self._clock = Clock()
        self._schedule.start(clock.started_at)
        return clock

    @contextmanager
    def _exchange(self, request: ServerRequest, clock: Clock) -> Iterator[Exchange]:
        """Admit a request, and record it when the context ends."""
        now = clock.now()
        is_file = request.resource is not None and request.resource.route is FILE
        backend = self._storage if is_file else self._application
        exchange = Exchange(request, backend, backend.admit(request, now))
        window = self.throttle.number(request.peer)
        self.stats.requests += 1
        self._in_flight += 1
        self.stats.peak_in_flight = max(self.stats.peak_in_flight, self._in_flight)
        try:
            yield exchange
        finally:
            # A client that gives up cancels this, and so is logged without a status.
            self._in_flight -= 1
            self._record(exchange, now - clock.started_at, window)

    def _record(self, exchange: Exchange, time: float, window: int) -> None:
        request, status = exchange.request, exchange.status
        noun, resource_id = None, None
        if request.resource is not None:
            noun, resource_id = request.resource.route.noun, request.resource.id
        self.log.append(LogEntry(time, request.path, noun, resource_id, status, window))
        if status is not None:
            self.stats.statuses[status] += 1

    async def _answer(self, exchange: Exchange, clock: Clock) -> Reply:
        """Return the reply to a request, after the time that it takes."""
        admission = exchange.admission
        if isinstance(admission, Reply):
            return admission
        if seconds := self.latency + admission.fault.seconds:
            await asyncio.sleep(seconds)
        return exchange.backend.respond(exchange.request, admission, clock.now())

    def _headers(self, reply: Reply, now: float) -> dict[str, str]:
        """Return the headers of `reply`, and those that every reply has at `now`."""
        return {
            "Date": _http_date(int(now)),
            "X-Request-Id": f"sandbox-{next(self._request_ids)}",
            **reply.headers,
        }


# A busy server sends hundreds of replies a second, and `formatdate` is slow.
@lru_cache(1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
