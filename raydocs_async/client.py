"""The client: what its parts offer, and many sessions or results at once."""

from typing import Any, Final, Generic, Literal, TypeVar, overload
from uuid import UUID

from attrs import define, field

from raydocs_async import _settings
from raydocs_async._bulk import Fetcher
from raydocs_async._endpoints import RESULT, SESSION
from raydocs_async._exchange import Request
from raydocs_async._file_client import FileClient
from raydocs_async._ids import Ids
from raydocs_async._limits._values import Lane
from raydocs_async._outcome import Completed, Fetched
from raydocs_async._resource_client import ResourceClient
from raydocs_async._retry import never
from raydocs_async._stream import Stream, open_stream
from raydocs_async._waiting import Waiting
from raydocs_async.errors import RaydocsError
from raydocs_async.models import Result, Session

T = TypeVar("T")

CONCURRENCY: Final = 32
_ALL_AT_A_TIME: Final = 10**9


@define
class _Unshown(Generic[T]):
    """Hides a value from tracebacks that print local variables."""

    value: T = field(repr=False)


class RaydocsClient(ResourceClient, FileClient):
    """Reads extraction sessions from Raydocs.

    Use it as a context manager, or `close` it when done; one for the whole application. It can be
    built anywhere, also outside of an event loop. It opens at its first call, and from then on
    belongs to that event loop and process.

    Args:
        token: A Personal Access Token with the ability ``sessions-read``; by default what
            ``$RAYDOCS_API_TOKEN`` says.
        base_url: Where the API is; by default what ``$RAYDOCS_BASE_URL`` says, or else
            ``https://api.raydocs.com``. It may have a path.
        timeout: Seconds a call may take in all: in the rate limit's queue, in its attempts and
            in the waits between them. ``None`` for no end.
        attempt_timeout: Seconds for one exchange with the server, connecting included. The
            service's gateway gives up after 30.
        retry: How failures that may pass are retried.
        rate_limit: What is known of the rate limit; ``None`` for nothing; or a `RateLimiter` that
            several clients share.
        http_session: An `aiohttp.ClientSession` to borrow, for its proxy, certificates or
            connector. It is never closed; its middlewares do not run. With a `base_url` of plain
            ``http`` and without `allow_http`, no request goes through its proxy, whether it is
            set by ``proxy=`` or by ``trust_env=True`` and the environment: the call is a
            `ConfigurationError`.
        max_response_bytes: The longest body that is read, after decompression.
        max_connections: Connections open at a time, and so requests on the wire; those are
            bounded by a shared `RateLimiter`'s own ``max_in_flight``, if one is given.
        allow_http: Allow a `base_url` with plain ``http`` to another machine, which shows the
            token to the network in between. Without it, plain ``http`` takes a loopback address;
            or ``localhost`` and names below it, if they lead to loopback addresses when a
            connection is made, and no `http_session` looks them up in its own way.
        trace_configs: Each an `aiohttp.TraceConfig`, for instrumentation; a borrowed session has
            its own.
        transport: What makes the exchanges in the place of aiohttp, for tests without sockets:
            a `raydocs_async.testing.FakeTransport`.
        on_event: A plain function that is told of calls, attempts, retries and the rate limit; see
            `raydocs_async.events`.

    Raises:
        ConfigurationError: an argument that cannot work. It is a `ValueError`, too.
    """

    def stream_sessions(
        self, ids: Ids, *, concurrency: int = CONCURRENCY, ordered: bool = False
    ) -> Stream[Session]:
        """Fetch many sessions, and yield a `Fetched` or a `Failed` for each id as it comes.

        Ids are taken from `ids` no faster than outcomes are consumed. The same id twice at a time
        is one request and two outcomes. Bulk work queues behind single calls.

        Args:
            ids: Any iterable or async iterable of ids. A generator is closed when the stream
                ends or its block is left.
            concurrency: Ids under way at a time, those included whose outcome has not been taken.
                If the first requests fail, up to 4 are under way until something gets through.
            ordered: Yield in the order of `ids`, not of completion.

        Returns:
            An async iterator. Use it with ``async with`` to be sure that nothing is under way
            when the block is left.

        Raises:
            ConfigurationError: `concurrency` is below 1, or `ids` is a single id or not iterable.
            RaydocsError: while iterating, once, for what would fail for every id: 401, 403, a
                rate limit shut for longer than ``max_wait``, an outage that takes longer than
                that, a closed client. Everything finished before has been yielded.
            Exception: what `ids` raises, after the outcomes of the ids before that.
        """
        return self._stream(SESSION, ids, concurrency=concurrency, ordered=ordered)

    def stream_results(
        self, ids: Ids, *, concurrency: int = CONCURRENCY, ordered: bool = False
    ) -> Stream[Result]:
        """Fetch many results, data and audit trail included, as `stream_sessions` does sessions.

        Args:
            ids: Ids of results, as for `stream_sessions`.
            concurrency: As for `stream_sessions`.
            ordered: As for `stream_sessions`.

        Raises:
            RaydocsError: as `stream_sessions`.
        """
        return self._stream(RESULT, ids, concurrency=concurrency, ordered=ordered)

    @overload
    async def get_sessions(
        self, ids: Ids, *, concurrency: int = ..., return_exceptions: Literal[False] = ...
    ) -> list[Session]: ...

    @overload
    async def get_sessions(
        self, ids: Ids, *, concurrency: int = ..., return_exceptions: bool
    ) -> list[Session | RaydocsError]: ...

    async def get_sessions(
        self, ids: Ids, *, concurrency: int = CONCURRENCY, return_exceptions: bool = False
    ) -> list[Session] | list[Session | RaydocsError]:
        """Fetch many sessions into a list, in the order of their ids.

        Args:
            ids: Any iterable or async iterable of ids.
            concurrency: Ids under way at a time.
            return_exceptions: Put an id's error into its place, as `asyncio.gather` does; by
                default the first error is raised, and the rest is cancelled.

        Raises:
            RaydocsError: as `get_session` and `stream_sessions`.
        """
        found = _Unshown(list[Any]())
        async with self.stream_sessions(ids, concurrency=concurrency, ordered=True) as stream:
            async for outcome in stream:
                if isinstance(outcome, Fetched):
                    found.value.append(outcome.value)
                elif return_exceptions:
                    found.value.append(outcome.error)
                else:
                    raise outcome.error
        return found.value

    async def wait_for_session(
        self, session_id: str | UUID, *, timeout: float | None = 600.0, interval: float = 2.0
    ) -> Session:
        """Fetch a session again and again until it is finished.

        Temporary failures are waited out: what `get_session` would raise for want of a better
        answer (a 503, no connection, no reply in time) only means another look later. Each look
        retries as `get_session` does.

        Args:
            session_id: As for `get_session`.
            timeout: Seconds to wait in all; ``None`` for no end, not even in an outage.
            interval: Seconds between the end of one look and the next, at least; it grows by half
                from one to the next, up to 30 s. A failure's Retry-After makes it longer.

        Returns:
            The finished session (`Session.is_finished`), a failed one included.

        Raises:
            WaitTimeoutError: it was not finished in time; has the session as last seen, and the
                last look's error, if it failed, as its cause.
            RaydocsError: as `get_session`, for a failure that is not temporary.
        """
        async with self._open_waiting(
            [session_id], timeout=timeout, interval=interval, lane=Lane.SINGLE
        ) as stream:
            outcome = await anext(stream)
        if outcome.error is not None:
            raise outcome.error
        return outcome.session

    def wait_for_sessions(
        self, ids: Ids, *, timeout: float | None = 3600.0, interval: float = 2.0
    ) -> Stream[Session]:
        """Wait for many sessions, and yield each as soon as it is finished.

        All of them are waited for at a time, and the window of the rate limit is the budget: with
        many sessions each is looked at less often, and single calls go first. Outages are waited
        out.

        Args:
            ids: Any iterable or async iterable of ids; it is read at once, as far as it goes.
            timeout: Seconds to wait in all; ``None`` for no end.
            interval: Seconds between two looks at one session, at least; see `wait_for_session`.

        Returns:
            An async iterator, as that of `stream_sessions`. It yields a `Failed` with a
            `WaitTimeoutError` for each session that is not finished in time. The error has the
            session as last seen, so unfinished sessions stay in memory.

        Raises:
            ConfigurationError: `timeout` or `interval` is not above 0, or `ids` is a single id.
            RaydocsError: as `stream_sessions`.
        """
        return self._open_waiting(ids, timeout=timeout, interval=interval, lane=Lane.BULK)

    def _open_waiting(
        self, ids: Ids, *, timeout: float | None, interval: float, lane: Lane
    ) -> Stream[Session]:
        _settings.optional_seconds("timeout", timeout)
        _settings.seconds("interval", interval)

        async def look(request: Request, seconds: float | None) -> Completed[Session]:
            return await self._engine.complete(
                SESSION, request, timeout=seconds, lane=lane, patience=never
            )

        fetcher = Fetcher(
            SESSION,
            lambda value: SESSION.request(value, self._engine.redactor),
            lambda on_change: Waiting(
                look,
                lambda: self.rate_limit_status,
                timeout=timeout,
                interval=interval,
                on_change=on_change,
            ),
            lambda: self.rate_limit_status,
            lambda _, __: None,  # when sessions finish is not for the rate limit to say
        )
        return open_stream(ids, fetcher, concurrency=_ALL_AT_A_TIME, ordered=False)
