"""The verdict on a reply or a failure, and the error in it."""

from collections.abc import Mapping

from raydocs_async import RaydocsError
from raydocs_async._classify import Done, Verdict, classify
from raydocs_async._exchange import Failure, Response
from raydocs_async._redact import Redactor
from raydocs_async._secret import Secret
from tests.support.clients import TOKEN

REDACTOR = Redactor(Secret(TOKEN))


def judged(outcome: Response | Failure) -> Verdict:
    """Return the verdict on a reply or a failure."""
    return classify(outcome, REDACTOR)


def reply(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
    """Return a reply."""
    return Response(status, headers or {}, body)


def error_of(verdict: Verdict) -> RaydocsError:
    """Return the error in a verdict."""
    assert not isinstance(verdict, Done)
    return verdict.error
