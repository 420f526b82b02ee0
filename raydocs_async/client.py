"""The client: public methods and lifecycle. It picks clock, randomness and defaults."""

import asyncio
import math
import os
import random
from collections.abc import Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Final, Generic, Literal, NoReturn, Self, TypeVar, overload
from uuid import UUID

from attrs import define, field

from raydocs_async import _settings
from raydocs_async._affinity import running_loop
from raydocs_async._aiohttp import AiohttpTransport, ClientSession, TraceConfig
from raydocs_async._base_url import parse_base_url
from raydocs_async._bulk import Fetcher, Stream, open_stream
from raydocs_async._deadlines import Deadlines
from raydocs_async._endpoints import SESSION, Endpoint
from raydocs_async._engine import Completed, Engine
from raydocs_async._exchange import Request, Transport
from raydocs_async._ids import Ids
from raydocs_async._limits._queue import MAX_IN_FLIGHT, RateLimiter
from raydocs_async._limits._values import Lane, RateLimit, RateLimitStatus
from raydocs_async._outcome import Fetched
from raydocs_async._patience import Terms
from raydocs_async._redact import Redactor
from raydocs_async._retry import Patience, RetryPolicy, RetryQuota
from raydocs_async._secret import Secret
from raydocs_async._version import __version__
from raydocs_async.errors import (
    APITimeoutError,
    RateLimitError,
    RaydocsError,
    WaitTimeoutError,
)
from raydocs_async.events import Hook
from raydocs_async.models import Session

T = TypeVar("T")

BASE_URL: Final = "https://api.raydocs.com"
MAX_RESPONSE_BYTES: Final = 16 * 1024 * 1024
CONCURRENCY: Final = 32
LONGEST_INTERVAL: Final = 30.0
"""Seconds between two looks at a session that is waited for, at most."""


class Default(Enum):
    """Stands for a setting of the client where a call can have its own."""

    CLIENT = "the client's"

    def __repr__(self) -> str:
        return f"<{self.value}>"


@define
class _Unshown(Generic[T]):
    """Hides a value from tracebacks that print local variables."""

    value: T = field(repr=False)


class RaydocsClient:
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

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = 120.0,
        attempt_timeout: float = 60.0,
        retry: RetryPolicy = RetryPolicy(),
        rate_limit: RateLimit | RateLimiter | None = RateLimit(),
        http_session: ClientSession | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_connections: int = MAX_IN_FLIGHT,
        allow_http: bool = False,
        trace_configs: Sequence[TraceConfig] = (),
        transport: Transport | None = None,
        on_event: Hook | None = None,
    ) -> None:
        # From here on no frame's locals show the token, whatever is raised.
        token = _hidden(os.environ.get("RAYDOCS_API_TOKEN") if token is None else token)
        self._base_url = parse_base_url(
            base_url or os.environ.get("RAYDOCS_BASE_URL") or BASE_URL,
            allow_http=allow_http,
            borrowed=http_session is not None,
        )
        self._timeout = _settings.optional_seconds("timeout", timeout)
        _settings.seconds("attempt_timeout", attempt_timeout)
        _settings.instance("retry", retry, RetryPolicy)
        _settings.instance("rate_limit", rate_limit, RateLimit | RateLimiter | None)
        _settings.instance("http_session", http_session, ClientSession | None)
        _settings.count("max_response_bytes", max_response_bytes)
        _settings.count("max_connections", max_connections)
        _settings.hook("on_event", on_event)
        self._limiter = (
            rate_limit
            if isinstance(rate_limit, RateLimiter)
            else RateLimiter(rate_limit, max_in_flight=max_connections)
        )
        self._bulk_terms = Terms(retry, RetryQuota(), random.random, self._limiter.max_wait)
        deadlines = Deadlines()
        self._engine = Engine(
            transport=transport
            or AiohttpTransport(
                base_url=self._base_url,
                token=_settings.token(token),
                http_session=http_session,
                allow_http=allow_http,
                max_response_bytes=max_response_bytes,
                max_connections=max_connections,
                attempt_timeout=attempt_timeout,
                deadlines=deadlines,
                trace_configs=trace_configs,
                user_agent=f"raydocs-async/{__version__}",
            ),
            limiter=self._limiter,
            deadlines=deadlines,
            policy=retry,
            redactor=Redactor(token),
            rand=random.random,
            sleep=asyncio.sleep,
            on_event=on_event,
        )

    def __repr__(self) -> str:
        engine = getattr(self, "_engine", None)  # not there while an argument is being refused
        if engine is None:
            return "<RaydocsClient, not built>"
        return f"<RaydocsClient for {self._base_url}, {'closed' if engine.closed else 'open'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RaydocsClient cannot be pickled or copied; build one in each process")

    async def __aenter__(self) -> Self:
        self._engine.check_usable()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End calls that are under way with `ClientClosedError`, and close all connections.

        Closing twice, or twice at once, is fine; a borrowed ``http_session`` stays open. If the
        client's event loop is closed, its calls have ended with it, and any loop may close it.

        Raises:
            ConfigurationError: the client was opened in another process, or in another event loop
                that is still open; no asyncio event loop is running; or this is called by one of
                the client's own calls (in a trace callback).
        """
        await self._engine.close()

    async def get_session(
        self, session_id: str | UUID, *, timeout: float | Default | None = Default.CLIENT
    ) -> Session:
        """Fetch one extraction session.

        Args:
            session_id: A UUID, or its usual form of 36 characters, in either case.
            timeout: Seconds it may take in all, queueing and retries included; ``None`` for no
                end; by default the client's.

        Returns:
            The session with its documents and results.

        Raises:
            InvalidIdError: `session_id` is not an id; nothing was sent.
            NotFoundError: it does not exist, or the token may not see it.
            AuthenticationError: the token is not valid.
            PermissionDeniedError: the token lacks the ability ``sessions-read``.
            RateLimitError: the rate limit's window opens too late for this call; says when.
            APITimeoutError: no answer in time.
            APIConnectionError: no usable reply in any attempt.
            InternalServerError: the service failed in all of them.
            APIResponseValidationError: the reply is not what the API documents.
            ClientClosedError: the client was closed before or meanwhile.
            ConfigurationError: `timeout` is not above 0, the client was opened in another
                event loop or process, or no asyncio event loop is running.

        Source: the API reference, ``GET /extractions/sessions/{sessionId}``.
        """
        return await self._engine.call(
            SESSION,
            SESSION.request(session_id),
            timeout=self._timeout
            if isinstance(timeout, Default)
            else _settings.optional_seconds("timeout", timeout),
            lane=Lane.SINGLE,
        )

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
            ConfigurationError: `concurrency` is below 1, or `ids` is a single id.
            RaydocsError: while iterating, once, for what would fail for every id: 401, 403, a
                rate limit shut for longer than ``max_wait``, an outage that takes longer than
                that, a closed client. Everything finished before has been yielded.
        """
        return self._stream(SESSION, ids, concurrency=concurrency, ordered=ordered)

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
        _settings.seconds("interval", interval)
        _settings.optional_seconds("timeout", timeout)
        request = SESSION.request(session_id)
        clock = running_loop().time
        deadline = math.inf if timeout is None else clock() + timeout
        seen, error = _Unshown[Session | None](None), None
        while (left := deadline - clock()) > 0:
            look = await self._engine.complete(SESSION, request, timeout=left, lane=Lane.SINGLE)
            seen.value, error = look.model or seen.value, look.error
            if look.model is not None and look.model.is_finished:
                return look.model
            after = (error.retry_after if error is not None else None) or 0.0
            too_late = clock() + after >= deadline
            if error is not None and _ends_waiting(look, too_late=too_late):
                raise error
            if too_late:
                break
            await asyncio.sleep(min(max(interval, after), deadline - clock()))
            interval = min(LONGEST_INTERVAL, 1.5 * interval)
        said = f"; the last look failed: {error.message}" if error is not None else ""
        raise WaitTimeoutError(
            f"not finished within {timeout:g} s{said}",
            resource=request.resource,
            resource_id=str(request.id),
            last_seen=seen.value,
        ) from error

    def _stream(
        self, endpoint: Endpoint[T], ids: Ids, *, concurrency: int, ordered: bool
    ) -> Stream[T]:
        """Open a stream in the bulk lane, where attempts and ``max_wait`` bound a call."""

        async def fetch(request: Request, patience: Patience) -> Completed[T]:
            return await self._engine.complete(
                endpoint, request, timeout=None, lane=Lane.BULK, patience=patience
            )

        fetcher = Fetcher(endpoint, fetch, self._bulk_terms, lambda: self.rate_limit_status)
        return open_stream(ids, fetcher, concurrency=concurrency, ordered=ordered)

    @property
    def rate_limit_status(self) -> RateLimitStatus:
        """A snapshot of the rate limit; to be read inside the event loop.

        Raises:
            ConfigurationError: No asyncio event loop is running here.
        """
        return self._limiter.status(running_loop().time())


def _ends_waiting(look: Completed[Session], *, too_late: bool) -> bool:
    """Return True for an error that another look cannot mend, and that is not the wait's own."""
    time_is_over = too_late and isinstance(look.error, APITimeoutError | RateLimitError)
    return not look.transient and not time_is_over


def _hidden(token: object) -> Secret:
    return Secret(token if isinstance(token, str) else "")
