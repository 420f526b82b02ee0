"""The client: what users call, and the one place that picks clock, randomness and defaults."""

import asyncio
import math
import os
import random
import re
from collections.abc import Sequence
from enum import Enum
from inspect import iscoroutinefunction
from types import TracebackType, UnionType
from typing import Any, Final, Generic, Literal, NoReturn, Self, TypeVar, overload
from uuid import UUID

from attrs import define, field

from raydocs_async._aiohttp import AiohttpTransport, ClientSession, TraceConfig, parse_base_url
from raydocs_async._bulk import Ids, Service, SessionStream, open_stream
from raydocs_async._deadlines import Deadlines
from raydocs_async._endpoints import GET_SESSION, build
from raydocs_async._engine import Completed, Engine
from raydocs_async._exchange import Transport
from raydocs_async._limits._queue import MAX_IN_FLIGHT, RateLimiter
from raydocs_async._limits._values import Lane, RateLimit, RateLimitStatus
from raydocs_async._retry import RetryPolicy
from raydocs_async._secret import Secret
from raydocs_async._version import __version__
from raydocs_async.errors import (
    APITimeoutError,
    ConfigurationError,
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

_token_characters = re.compile(r"[\x21-\x7e]+").fullmatch


class Default(Enum):
    """Stands for a setting of the client where a call can have its own."""

    CLIENT = "the client's"

    def __repr__(self) -> str:
        return f"<{self.value}>"


@define
class _Unshown(Generic[T]):
    """What documents say, in a local variable: crash reporters show those of every frame."""

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
            connector. It is never closed; its middlewares do not run.
        max_response_bytes: The longest body that is read, after decompression.
        max_connections: Connections open at a time, and so requests on the wire; those are
            bounded by a shared `RateLimiter`'s own ``max_in_flight``, if one is given.
        allow_http: Allow a `base_url` with plain ``http`` to another machine, which shows the
            token to the network in between.
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
            base_url or os.environ.get("RAYDOCS_BASE_URL") or BASE_URL, allow_http=allow_http
        )
        self._timeout = _check_timeout("timeout", timeout)
        _check_type("attempt_timeout", attempt_timeout, int | float)
        _check_timeout("attempt_timeout", attempt_timeout)
        _check_types(retry, rate_limit, http_session)
        _check_positive("max_response_bytes", max_response_bytes)
        _check_positive("max_connections", max_connections)
        self._limiter = (
            rate_limit
            if isinstance(rate_limit, RateLimiter)
            else RateLimiter(rate_limit, max_in_flight=max_connections)
        )
        deadlines = Deadlines()
        self._engine = Engine(
            transport=transport
            or AiohttpTransport(
                base_url=self._base_url,
                token=_check_token(token),
                http_session=http_session,
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
            rand=random.random,
            sleep=asyncio.sleep,
            on_event=_check_hook(on_event),
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

        Closing twice, or twice at once, is fine; a borrowed ``http_session`` stays open.

        Raises:
            ConfigurationError: calls are under way in another event loop or process, or this is
                one of them (a trace callback's).
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
            InvalidSessionIdError: `session_id` is none; nothing was sent.
            NotFoundError: it does not exist, or the token may not see it.
            AuthenticationError: the token is not valid.
            PermissionDeniedError: the token lacks the ability ``sessions-read``.
            RateLimitError: the rate limit's window opens too late for this call; says when.
            APITimeoutError: no answer in time.
            APIConnectionError: no usable reply in any attempt.
            InternalServerError: the service failed in all of them.
            APIResponseValidationError: the reply is not what the API documents.
            ClientClosedError: the client was closed before or meanwhile.
            ConfigurationError: `timeout` is not above 0, or the client was opened in another
                event loop or process.

        Source: the API reference, ``GET /extractions/sessions/{sessionId}``.
        """
        return await self._engine.call(
            GET_SESSION,
            build(GET_SESSION, session_id=session_id),
            timeout=self._timeout
            if isinstance(timeout, Default)
            else _check_timeout("timeout", timeout),
            lane=Lane.SINGLE,
        )

    def stream_sessions(
        self, ids: Ids, *, concurrency: int = CONCURRENCY, ordered: bool = False
    ) -> SessionStream:
        """Fetch many sessions, and yield one `Outcome` for each id as it comes.

        Ids are taken from `ids` no faster than outcomes are consumed. The same id twice at a time
        is one request and two outcomes. Bulk work queues behind single calls.

        Args:
            ids: Any iterable or async iterable of ids.
            concurrency: Ids under way at a time, those included whose outcome has not been taken.
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
        service = Service(
            fetch=self._fetch_in_bulk,
            retries_are_scarce=lambda: self._engine.retries_are_scarce,
            status=lambda: self.rate_limit_status,
            sleep=asyncio.sleep,
            max_wait=self._limiter.max_wait,
        )
        return open_stream(ids, service, concurrency=concurrency, ordered=ordered)

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
                if outcome.error is not None and not return_exceptions:
                    raise outcome.error
                found.value.append(outcome.session or outcome.error)
        return found.value

    async def wait_for_session(
        self, session_id: str | UUID, *, timeout: float | None = 600.0, interval: float = 2.0
    ) -> Session:
        """Fetch a session again and again until it is finished.

        Args:
            session_id: As for `get_session`.
            timeout: Seconds to wait in all; ``None`` for no end.
            interval: Seconds between the first two looks; it grows by half from one to the next,
                up to 30 s.

        Returns:
            The finished session (`Session.is_finished`), a failed one included.

        Raises:
            WaitTimeoutError: it was not finished in time; has the session as last seen.
            RaydocsError: as `get_session`.
        """
        _check_timeout("interval", interval)
        _check_timeout("timeout", timeout)
        clock = asyncio.get_running_loop().time
        deadline = math.inf if timeout is None else clock() + timeout
        seen = _Unshown[Session | None](None)
        while (left := deadline - clock()) > 0:
            try:
                seen.value = await self.get_session(
                    session_id, timeout=None if timeout is None else left
                )
            except (APITimeoutError, RateLimitError) as error:
                if clock() + (error.retry_after or 0.0) < deadline:
                    raise
                break
            if seen.value.is_finished:
                return seen.value
            await asyncio.sleep(min(interval, max(0.0, deadline - clock())))
            interval = min(LONGEST_INTERVAL, 1.5 * interval)
        raise WaitTimeoutError(
            f"not finished within {timeout:g} s", session_id=str(session_id), session=seen.value
        )

    async def _fetch_in_bulk(self, session_id: UUID) -> Completed[Session]:
        """In the bulk lane, without a deadline: attempts and ``max_wait`` bound it as well."""
        request = build(GET_SESSION, session_id=session_id)
        return await self._engine.complete(GET_SESSION, request, timeout=None, lane=Lane.BULK)

    @property
    def rate_limit_status(self) -> RateLimitStatus:
        """What is known of the rate limit just now; to be read inside the event loop."""
        return self._limiter.status(asyncio.get_running_loop().time())


def _hidden(token: object) -> Secret:
    return Secret(token if isinstance(token, str) else "")


def _check_token(token: Secret) -> Secret:
    """A token that HTTP can carry as it is: other characters would be changed or cut silently."""
    if not token:
        raise ConfigurationError("no token: give token= as a str, or set $RAYDOCS_API_TOKEN")
    if not _token_characters(token):
        raise ConfigurationError("the token has characters other than visible ASCII ones")
    return token


def _check_timeout(name: str, seconds: float | None) -> float | None:
    number: object = seconds
    if number is not None and not (isinstance(number, int | float) and 0 < number < 1e9):
        raise ConfigurationError(f"{name} must be a finite number of seconds above 0")
    return seconds


def _check_type(name: str, value: object, expected: type | UnionType) -> None:
    if not isinstance(value, expected):
        raise ConfigurationError(f"{name} cannot be of the type {type(value).__name__}")


def _check_types(retry: object, rate_limit: object, http_session: object) -> None:
    """Refuse now what would be an odd error at the first call."""
    _check_type("retry", retry, RetryPolicy)
    _check_type("rate_limit", rate_limit, RateLimit | RateLimiter | None)
    _check_type("http_session", http_session, ClientSession | None)


def _check_hook(hook: Hook | None) -> Hook | None:
    given: object = hook
    if given is not None and (not callable(given) or iscoroutinefunction(given)):
        raise ConfigurationError("on_event must be a plain function, not a coroutine function")
    return hook


def _check_positive(name: str, number: int) -> None:
    _check_type(name, number, int)
    if number < 1:
        raise ConfigurationError(f"{name} must be 1 or more")
