"""Spans of OpenTelemetry for a client's calls, requests and waits.

Install it by ``pip install 'raydocs-async[otel]'``.

::

    client = RaydocsClient(on_event=Tracing())

A call is a span, ``raydocs session``, whose parent is the span that is current where the call is
made. In it, each request is a span, ``GET``, and each wait for the rate limit or for a retry is a
span, ``wait``. Names of attributes follow OpenTelemetry's semantic conventions for HTTP where
these have one. No span holds the token, document data or a signed URL.
"""

import time
from collections.abc import Mapping
from typing import TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)

from raydocs_async import events

__all__ = ["Tracing"]

WAIT = 0.05
"""Seconds; a shorter wait gets no span, as it would be longer than what it shows."""
_Attributes: TypeAlias = Mapping[str, str | int | bool]


class Tracing:
    """A hook for ``on_event`` that makes the spans of one client.

    Each client needs a hook of its own, because clients number their calls alike.

    Args:
        tracer_provider: The source of the tracer; by default the global one.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = get_tracer("raydocs_async", tracer_provider=tracer_provider)
        self._calls: dict[int, Span] = {}
        self._attempts: dict[int, Span] = {}

    def __call__(self, event: events.Event) -> None:
        """Start or end the span that `event` is about."""
        match event:
            case events.CallStarted():
                self._calls[event.call] = self._start_call(event)
            case events.AttemptStarted():
                self._attempts[event.call] = self._start_attempt(event)
            case events.AttemptEnded():
                attempt = self._attempts.pop(event.call)
                if event.status is not None:
                    attempt.set_attribute("http.response.status_code", event.status)
                _end(attempt, event.error, str(event.status or "no reply"))
            case events.CallEnded():
                call = self._calls.pop(event.call)
                call.set_attribute("raydocs.attempts", event.attempts)
                _end(call, event.error, event.error or "")

    def _start_call(self, event: events.CallStarted) -> Span:
        asked: _Attributes = {"raydocs.id": str(event.resource_id), "raydocs.bulk": event.bulk}
        return self._tracer.start_span(f"raydocs {event.resource}", attributes=asked)

    def _start_attempt(self, event: events.AttemptStarted) -> Span:
        call = set_span_in_context(self._calls[event.call])
        if event.waited > WAIT:
            self._add_wait(call, event.waited)
        request: dict[str, str | int] = {"http.request.method": "GET"}
        if event.number > 1:
            request["http.request.resend_count"] = event.number - 1
        return self._tracer.start_span(
            "GET", context=call, kind=SpanKind.CLIENT, attributes=request
        )

    def _add_wait(self, call: Context, seconds: float) -> None:
        # The event comes at the wait's end, so its span is made afterwards.
        now = time.time_ns()
        begin = now - int(seconds * 1e9)
        self._tracer.start_span("wait", context=call, start_time=begin).end(now)


def _end(span: Span, error: str | None, kind: str) -> None:
    if error is not None:
        span.set_attribute("error.type", kind)
        span.set_status(Status(StatusCode.ERROR, error))
    span.end()
