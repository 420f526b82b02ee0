"""The client: the methods of its two parts, and those for many sessions or results."""

from typing import Any, Final, Generic, Literal, TypeVar, overload
from uuid import UUID

from attrs import define, field

from raydocs_async import _settings
from raydocs_async._bulk import StreamSpec
from raydocs_async._endpoints import RESULT, SESSION
from raydocs_async._exchange import Request
from raydocs_async._file_client import FileClient
from raydocs_async._ids import Ids
from raydocs_async._limits._values import Lane
from raydocs_async._outcome import CallResult, Fetched
from raydocs_async._resource_client import ResourceClient
from raydocs_async._retry import never
from raydocs_async._stream import Stream, open_stream
from raydocs_async._waiting import PollingFetcher
from raydocs_async.errors import RaydocsError
from raydocs_async.models import Result, Session

T = TypeVar("T")

CONCURRENCY: Final = 32
_ALL_AT_A_TIME: Final = 10**9


@define
class _Hidden(Generic[T]):
    """Hides a value from tracebacks that print local variables."""

    value: T = field(repr=False)


class RaydocsClient(ResourceClient, FileClient):
    """Reads extraction sessions from Raydocs.

    Use one client for the whole application, as a context manager, or `close` it at the end. It can
    be built anywhere, also outside of an event loop. It opens at its first call, and from then on
    belongs to that event loop and process.

    Args:
        token: A Personal Access Token with the ability ``sessions-read``; by default
            ``$RAYDOCS_API_TOKEN``.
        base_url: The URL of the API, with or without a path; by default ``$RAYDOCS_BASE_URL``, or
            else ``https://api.raydocs.com``.
        timeout: Seconds that a call may take in all: in the rate limit's queue, in its attempts and
            in the waits between them. ``None`` for no limit.
        attempt_timeout: Seconds for one exchange with the server, connecting included. The
            service's gateway gives up after 30.
        retry: The policy by which temporary failures are retried.
        rate_limit: The rate limit as far as it is known; ``None`` if nothing is known; or a
            `RateLimiter` that several clients share.
        http_session: An `aiohttp.ClientSession` to borrow, for its proxy, certificates or
            connector. The client never closes it, and its middlewares do not run. Its own headers,
            cookies and auth go to the API, but not to the storage of files. If `base_url` is plain
            ``http``, `allow_http` is false and the session uses a proxy (by ``proxy=``, or by
            ``trust_env=True`` and the environment), each call is a `ConfigurationError`.
        max_response_bytes: The longest body that is read, in bytes after decompression.
        max_connections: Open connections at a time, and so requests in flight. A shared
            `RateLimiter` bounds the requests in flight by its own ``max_in_flight``.
        allow_http: Allow a `base_url` with plain ``http`` to another machine, which shows the
            token to the network in between. Without it, plain ``http`` is allowed to loopback
            addresses; and to ``localhost`` and names below it, if they lead to loopback addresses
            when a connection is made, and the look-up is not that of an `http_session`.
        trace_configs: `aiohttp.TraceConfig` objects, for instrumentation; a borrowed session keeps
            its own.
        transport: Makes the exchanges in the place of aiohttp, for tests without sockets: a
            `raydocs_async.testing.FakeTransport`.
        on_event: A plain function, called with each event of calls, attempts, retries and the rate
            limit; see `raydocs_async.events`.

    Raises:
        ConfigurationError: an argument cannot work. It is a `ValueError`, too.
    """

    def stream_sessions(
        self, ids: Ids, *, concurrency: int = CONCURRENCY, ordered: bool = False
    ) -> Stream[Session]:
        """Fetch many sessions, and yield a `Fetched` or a `Failed` for each id.

        Ids are taken from `ids` no faster than the caller takes outcomes. An id that is in flight
        twice is one request with two outcomes. Bulk work queues behind single calls.

        Args:
            ids: Any iterable or async iterable of ids. A generator is closed when the stream
                ends or its block is left.
            concurrency: Ids in flight at a time, those included whose outcome the caller has not
                taken. If the first requests fail, up to 4 ids are in flight until one of them is
                answered, because fewer ids do not distinguish an outage from bad ids.
            ordered: Yield in the order of `ids` instead of the order of completion.

        Returns:
            An async iterator. With ``async with``, no request is in flight after the block.

        Raises:
            ConfigurationError: `concurrency` is below 1, or `ids` is a single id or not iterable.
            RaydocsError: once, while iterating, an error that would hit every id: 401, 403, a rate
                limit shut for longer than ``max_wait``, an outage that takes longer than that, a
                closed client. All outcomes that were finished before have been yielded.
            Exception: any exception of `ids`, after the outcomes of the ids before it.
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
            concurrency: Ids in flight at a time.
            return_exceptions: Return an id's error in its place, as `asyncio.gather` does. By
                default the first error is raised, and all other requests are cancelled.

        Raises:
            RaydocsError: as `get_session` and `stream_sessions`.
        """
        found = _Hidden(list[Any]())
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
        """Poll a session until it is finished.

        Temporary failures (a 503, no connection, no reply in time) do not end the wait: the next
        poll comes later.

        Args:
            session_id: As for `get_session`.
            timeout: Seconds to wait in all; ``None`` for no limit, not even in an outage. The last
                poll comes shortly before their end.
            interval: Seconds between two polls, at least. It grows by half from one poll to the
                next, up to 30 s, and begins anew when the session changes. A failure's Retry-After
                makes it longer.

        Returns:
            The finished session (`Session.is_finished`), a failed one included.

        Raises:
            WaitTimeoutError: the session was not finished in time. The error has the session as
                last seen. Its cause is the error of the last poll, if that failed.
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

        It waits for all of them at once, within the window of the rate limit: the more sessions,
        the less often each is polled. Single calls go first. An outage does not end the wait.

        Args:
            ids: Any iterable or async iterable of ids; it is read to its end at once.
            timeout: Seconds to wait in all; ``None`` for no limit.
            interval: Seconds between two polls of one session, at least; see `wait_for_session`.

        Returns:
            An async iterator like that of `stream_sessions`. It yields a `Failed` with a
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

        async def poll(request: Request, seconds: float | None) -> CallResult[Session]:
            return await self._engine.complete(
                SESSION, request, timeout=seconds, lane=lane, patience=never
            )

        spec = StreamSpec(
            SESSION,
            lambda value: SESSION.request(value, self._engine.redactor),
            lambda on_change: PollingFetcher(
                poll,
                self._engine.sleep_between_calls,
                lambda: self.rate_limit_status,
                timeout=timeout,
                interval=interval,
                on_change=on_change,
            ),
            lambda: self.rate_limit_status,
            lambda _, __: None,  # no estimate: the service decides when sessions finish
        )
        return open_stream(ids, spec, concurrency=_ALL_AT_A_TIME, ordered=False)
