"""The public API as the type checkers see it; never run."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type
from uuid import UUID

import aiohttp

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    Block,
    Chunk,
    ClientClosedError,
    ConfigurationError,
    Document,
    DocumentRef,
    DocumentStatus,
    Evidence,
    ExtractedField,
    Failed,
    Fetched,
    InternalServerError,
    InvalidIdError,
    NotFoundError,
    Parsing,
    ParsingStatus,
    PermissionDeniedError,
    Progress,
    RateLimit,
    RateLimiter,
    RateLimitError,
    RateLimitStatus,
    RaydocsClient,
    RaydocsError,
    Result,
    ResultStatus,
    RetryPolicy,
    Session,
    SessionStatus,
    Source,
    Stream,
    UnprocessableEntityError,
    WaitTimeoutError,
    events,
    otel,
    testing,
)
from raydocs_async.sandbox import Sandbox


async def building(http_session: aiohttp.ClientSession, trace: aiohttp.TraceConfig) -> None:
    """A client needs nothing, and takes what it takes by name."""
    RaydocsClient()
    RaydocsClient("token")
    RaydocsClient(token="token", base_url="https://api.example", timeout=None)
    RaydocsClient(rate_limit=None, retry=RetryPolicy(attempts=1, initial=0.1, maximum=2))
    RaydocsClient(rate_limit=RateLimit(requests=10, per=1, max_wait=5, reserve=2))
    RaydocsClient(rate_limit=RateLimiter(RateLimit(), max_in_flight=4))
    RaydocsClient(rate_limit=RateLimit(shared="/run/raydocs/limit"))
    RaydocsClient(rate_limit=RateLimit(shared=Path("/run/raydocs/limit")))
    RaydocsClient(rate_limit=RateLimit(shared="redis://localhost/0?key=office"))
    RaydocsClient(http_session=http_session, max_response_bytes=10, max_connections=2)
    RaydocsClient(allow_http=True, attempt_timeout=1, trace_configs=[trace])
    RaydocsClient("token", "https://api.example")  # type: ignore[call-arg]
    RaydocsClient(b"token")  # type: ignore[arg-type]
    RaydocsClient(tokn="token")  # type: ignore[call-arg]


async def life(client: RaydocsClient) -> None:
    """A client is its own context manager."""
    async with client as entered:
        assert_type(entered, RaydocsClient)
    assert_type(await client.close(), None)


async def calls(client: RaydocsClient, session_id: UUID) -> None:
    """A call takes a string or a UUID."""
    assert_type(await client.get_session(session_id), Session)
    assert_type(await client.get_session(str(session_id)), Session)
    assert_type(await client.get_session(session_id, timeout=2), Session)
    assert_type(await client.get_session(session_id, timeout=None), Session)
    assert_type(await client.get_result(session_id), Result)
    assert_type(await client.get_document(session_id), Document)
    assert_type(await client.get_chunks(session_id), tuple[Chunk, ...])
    assert_type(await client.download_document(session_id, "a.pdf", overwrite=True), Path)
    assert_type(await client.export_result(session_id, Path("a.xlsx"), timeout=9), Path)
    assert_type(client.iter_documents(session_id), AsyncIterator[Document])
    assert_type(client.iter_results(session_id), AsyncIterator[Result])
    assert_type(client.stream_results([session_id]), Stream[Result])
    await client.get_session(7)  # type: ignore[arg-type]
    await client.get_session(session_id, 2)  # type: ignore[call-arg]
    await client.get_session(session_id, timeout="2")  # type: ignore[arg-type]


async def bulk(client: RaydocsClient, ids: list[UUID], more: AsyncIterator[str]) -> None:
    """Ids are any iterable or async iterable; each has an outcome."""
    stream = client.stream_sessions(ids, concurrency=4, ordered=True)
    assert_type(stream, Stream[Session])
    async with client.stream_sessions(more) as entered:
        async for outcome in entered:
            assert_type(outcome, Fetched[Session] | Failed)
            assert_type(outcome.id, str | UUID)
            assert_type(outcome.error, RaydocsError | None)
            assert_type(outcome.attempts, tuple[Attempt, ...])
    assert_type(stream.progress, Progress)
    assert_type(stream.progress.eta, float | None)
    assert_type(stream.progress.rate_limit, RateLimitStatus)
    assert_type(await stream.aclose(), None)
    assert_type(await client.get_sessions(ids), list[Session])
    assert_type(await client.get_sessions(more, concurrency=2), list[Session])
    assert_type(
        await client.get_sessions(ids, return_exceptions=True), list[Session | RaydocsError]
    )
    assert_type(client.wait_for_sessions(ids, timeout=None, interval=1), Stream[Session])
    session = await client.wait_for_session(ids[0], timeout=None, interval=5)
    assert_type(session, Session)
    assert_type(session.is_finished, bool)
    client.stream_sessions(7)  # type: ignore[arg-type]


def audit_trail(result: Result, chunks: tuple[Chunk, ...]) -> None:
    """Fields lead to their evidence, evidence to its chunk, and data to classes of one's own."""
    for field in result.fields():
        assert_type(field, ExtractedField)
        assert_type(field.path, tuple[str | int, ...])
        assert_type(field.sources, tuple[Evidence, ...])
        assert_type(field.sources[0].find_chunk(chunks), Chunk | None)
    assert_type(result.data_as(dict[str, int]), dict[str, int])
    assert_type(chunks[0].blocks, tuple[Block, ...])


def limits(client: RaydocsClient) -> None:
    """The rate limit's state is typed, what is unknown included."""
    status = client.rate_limit_status
    assert_type(status, RateLimitStatus)
    assert_type(status.limit, int | None)
    assert_type(status.remaining, int | None)
    assert_type(status.resets_in, float | None)
    assert_type(status.in_flight, int)
    assert_type(status.waiting, int)
    assert_type(status.foreign, int)
    client.rate_limit_status = status  # type: ignore[misc]


def sessions(session: Session) -> None:
    """A session's fields have types, and no setter."""
    assert_type(session.id, UUID)
    assert_type(session.name, str)
    assert_type(session.status, SessionStatus | str | None)
    assert_type(session.created_at, datetime)
    assert_type(session.settings, Mapping[str, Any])
    assert_type(session.documents, tuple[Document, ...])
    assert_type(session.results, tuple[Result, ...])
    assert_type(session.extra, Mapping[str, Any])
    session.name = "other"  # type: ignore[misc]


def documents(document: Document, parsing: Parsing) -> None:
    """So have those of its documents."""
    assert_type(document.id, UUID)
    assert_type(document.status, DocumentStatus | str)
    assert_type(document.workspace_id, str | None)
    assert_type(document.size, int | None)
    assert_type(document.meta, Mapping[str, Any])
    assert_type(document.parsings, tuple[Parsing, ...])
    assert_type(document.source, Source | None)
    assert_type(parsing.status, ParsingStatus | str)


def results(result: Result, reference: DocumentRef) -> None:
    """So have those of its results; what the customer shapes is anything."""
    assert_type(result.status, ResultStatus | str)
    assert_type(result.data, Any)
    assert_type(result.document_refs, tuple[DocumentRef, ...])
    assert_type(result.completed_at, datetime | None)
    assert_type(reference.document_id, UUID)


def errors(error: RaydocsError, invalid: APIResponseValidationError) -> None:
    """Every error tells the same things."""
    assert_type(error.message, str)
    assert_type(error.resource, str | None)
    assert_type(error.resource_id, str | None)
    assert_type(error.status, int | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.request_id, str | None)
    assert_type(error.body_excerpt, str)
    assert_type(error.attempts, tuple[Attempt, ...])
    assert_type(error.attempts[0].at, float)
    assert_type(error.attempts[0].status, int | None)
    assert_type(error.attempts[0].error, str | None)
    assert_type(error.attempts[0].waited, float)
    assert_type(invalid.payload, bytes)
    assert_type(invalid.payload_size, int)


def waiting(error: WaitTimeoutError) -> None:
    """The session that was not finished in time is at hand."""
    assert_type(error.last_seen, Any)


def tree() -> None:
    """Whoever catches a base class catches these."""
    base: list[type[RaydocsError]] = [ConfigurationError, ClientClosedError, APIConnectionError]
    values: list[type[ValueError]] = [ConfigurationError, InvalidIdError]
    connection: type[APIConnectionError] = APITimeoutError
    statuses: list[type[APIStatusError]] = [
        *(BadRequestError, AuthenticationError, PermissionDeniedError, NotFoundError),
        *(UnprocessableEntityError, RateLimitError, InternalServerError),
    ]


def told(event: events.Event) -> None:
    """An event is one of a few kinds, which `match` tells apart."""
    match event:
        case events.CallStarted() | events.AttemptStarted() | events.RetryScheduled():
            assert_type(event.resource_id, UUID)
        case events.AttemptEnded():
            assert_type(event.status, int | None)
            assert_type(event.error, str | None)
        case events.CallEnded():
            assert_type(event.attempts, int)
        case events.WindowOpened():
            assert_type(event.limit, int | None)
        case events.ForeignUse(hits=hits):
            assert_type(hits, int)
        case events.Paused(seconds=seconds):
            assert_type(seconds, float)
        case _:
            told_of_sharing(event)


def told_of_sharing(
    event: events.SharedLimitJoined | events.SharedLimitContended | events.SharedLimitLost,
) -> None:
    """The other kinds are those of a shared limit."""
    match event:
        case events.SharedLimitJoined(processes=processes):
            assert_type(processes, int)
        case events.SharedLimitContended(waiting=waiting):
            assert_type(waiting, int)
        case events.SharedLimitLost(reason=reason):
            assert_type(reason, str)


async def tested(sandbox: Sandbox) -> None:
    """What a test may build."""
    fake = testing.FakeTransport(limit=None, chaos=None)
    client = RaydocsClient(fake.token, transport=fake, on_event=told)
    assert_type(await client.get_session(fake.ids(1)[0]), Session)
    assert_type(testing.build_session(data=[{}], status="failed"), Session)
    fake.put(testing.build_session_json())
    sandbox.put(testing.build_session_json("770e8400-e29b-41d4-a716-446655440000"))


def trace() -> RaydocsClient:
    """A hook that makes spans is a hook."""
    hook: events.Hook = otel.Tracing()
    return RaydocsClient(on_event=hook)
