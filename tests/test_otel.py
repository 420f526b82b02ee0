"""The spans that a client's calls leave, through OpenTelemetry's own SDK."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from raydocs_async import NotFoundError, RaydocsClient
from raydocs_async.otel import Tracing
from raydocs_async.sandbox import Fault
from raydocs_async.testing import FakeTransport
from tests.support.clients import SESSION_ID

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


class Recording:
    """A hook whose finished spans are kept in memory."""

    def __init__(self) -> None:
        self.memory = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.memory))
        self.hook = Tracing(self.provider)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans, by the time of their beginning."""
        return sorted(self.memory.get_finished_spans(), key=lambda span: span.start_time or 0)


@pytest.fixture
def recording() -> Recording:
    """A new hook for each test."""
    return Recording()


def client(fake: FakeTransport, recording: Recording) -> RaydocsClient:
    """A client on `fake` whose calls are recorded."""
    return RaydocsClient(fake.token, transport=fake, on_event=recording.hook)


def told(span: ReadableSpan) -> tuple[str, StatusCode, Mapping[str, Any]]:
    """What a person sees of a span."""
    return span.name, span.status.status_code, dict(span.attributes or {})


async def test_a_call_that_succeeds(recording: Recording) -> None:
    """A call is a span with its id, and its request is a span of a client in it."""
    fake = FakeTransport()
    (asked,) = fake.ids(1)
    async with client(fake, recording) as raydocs:
        await raydocs.get_session(asked)
    call, request = recording.spans
    about = {"raydocs.id": asked, "raydocs.bulk": False, "raydocs.attempts": 1}
    assert told(call) == ("raydocs session", StatusCode.UNSET, about)
    answered = {"http.request.method": "GET", "http.response.status_code": 200}
    assert told(request) == ("GET", StatusCode.UNSET, answered)
    assert request.kind is SpanKind.CLIENT
    assert request.parent == call.context


async def test_a_retry(recording: Recording) -> None:
    """A retry shows the failed request, the wait before the next, and how often it was sent."""
    fake = FakeTransport()
    fake.script(Fault.status(503, retry_after=1))
    async with client(fake, recording) as raydocs:
        await raydocs.get_session(fake.ids(1)[0])
    spans = {(span.name, span.status.status_code): span for span in recording.spans}
    failed = spans["GET", StatusCode.ERROR]
    assert (failed.attributes or {})["error.type"] == "503"
    wait = spans["wait", StatusCode.UNSET]
    assert (wait.end_time or 0) - (wait.start_time or 0) >= 1e9
    again = spans["GET", StatusCode.UNSET]
    assert (again.attributes or {})["http.request.resend_count"] == 1


async def test_a_call_that_fails(recording: Recording) -> None:
    """A failed call has the name of its exception."""
    fake = FakeTransport()
    async with client(fake, recording) as raydocs:
        with pytest.raises(NotFoundError):
            await raydocs.get_session(SESSION_ID)
    call = recording.spans[0]
    assert call.status.status_code is StatusCode.ERROR
    assert (call.attributes or {})["error.type"] == "NotFoundError"


async def test_a_request_without_a_reply(recording: Recording) -> None:
    """A request that got no reply has no status, but an error."""
    fake = FakeTransport()
    fake.script(Fault.reset())
    async with client(fake, recording) as raydocs:
        await raydocs.get_session(fake.ids(1)[0])
    failed = next(span for span in recording.spans if span.status.status_code is StatusCode.ERROR)
    assert "http.response.status_code" not in (failed.attributes or {})
    assert (failed.attributes or {})["error.type"] == "no reply"


async def test_the_span_around_a_call(recording: Recording) -> None:
    """The span that is current where the call is made is its parent."""
    fake = FakeTransport()
    async with client(fake, recording) as raydocs:
        with recording.provider.get_tracer("app").start_as_current_span("handler") as handler:
            await raydocs.get_session(fake.ids(1)[0])
    call = next(span for span in recording.spans if span.name == "raydocs session")
    assert call.parent == handler.get_span_context()


async def test_bulk_work_leaves_no_span_open(recording: Recording) -> None:
    """Each call of a job that is left early has ended its spans."""
    fake = FakeTransport(latency=1)
    async with client(fake, recording) as raydocs:
        async with raydocs.stream_sessions(fake.ids(40)) as outcomes:
            await anext(outcomes)
        await asyncio.sleep(0)
    calls = [span for span in recording.spans if span.name == "raydocs session"]
    assert calls
    assert all((span.attributes or {})["raydocs.bulk"] for span in calls)
    assert vars(recording.hook)["_calls"] == vars(recording.hook)["_attempts"] == {}
