"""The client's methods that read one resource, or a list that belongs to it."""

from collections.abc import AsyncIterator
from uuid import UUID

from raydocs_async._base_client import BaseClient, Default
from raydocs_async._endpoints import (
    CHUNKS,
    DOCUMENT,
    RESULT,
    SESSION,
    SESSION_DOCUMENTS,
    SESSION_RESULTS,
)
from raydocs_async.models import Chunk, Document, Result, Session


class ResourceClient(BaseClient):
    """Reads sessions, results, documents and chunks."""

    async def get_session(
        self, session_id: str | UUID, *, timeout: float | Default | None = Default.CLIENT
    ) -> Session:
        """Fetch one extraction session.

        Args:
            session_id: A UUID, or its usual form of 36 characters, in either case.
            timeout: Seconds that the call may take in all, queueing and retries included; ``None``
                for no limit; by default the client's ``timeout``.

        Returns:
            The session with its documents and results.

        Raises:
            InvalidIdError: `session_id` is not an id; nothing was sent.
            NotFoundError: the session does not exist, or the token may not see it.
            AuthenticationError: the token is not valid.
            PermissionDeniedError: the token lacks the ability ``sessions-read``.
            RateLimitError: the rate limit's window opens too late for this call; the error has the
                time of its opening.
            APITimeoutError: no answer in time.
            APIConnectionError: no usable reply in any attempt.
            InternalServerError: the service failed in all attempts.
            APIResponseValidationError: the reply does not have the documented shape.
            ClientClosedError: the client was closed before or during the call.
            ConfigurationError: `timeout` is not above 0, the client was opened in another
                event loop or process, or no asyncio event loop is running.

        Source: the API reference, ``GET /extractions/sessions/{sessionId}``.
        """
        return await self._fetch(SESSION, session_id, timeout)

    async def get_result(
        self, result_id: str | UUID, *, timeout: float | Default | None = Default.CLIENT
    ) -> Result:
        """Fetch one result, its data and its audit trail included.

        Args:
            result_id: The result's id, in a form that `get_session` takes.
            timeout: As for `get_session`.

        Raises:
            RaydocsError: as `get_session`, for a result.

        Source: the API reference, ``GET /extractions/results/{resultId}``.
        """
        return await self._fetch(RESULT, result_id, timeout)

    async def get_document(
        self, document_id: str | UUID, *, timeout: float | Default | None = Default.CLIENT
    ) -> Document:
        """Fetch one document: its name, status and checksum, not the file itself.

        Args:
            document_id: The document's id, in a form that `get_session` takes.
            timeout: As for `get_session`.

        Raises:
            RaydocsError: as `get_session`, for a document.

        Source: the API reference, ``GET /extractions/documents/{documentId}``.
        """
        return await self._fetch(DOCUMENT, document_id, timeout)

    async def get_chunks(
        self, document_id: str | UUID, *, timeout: float | Default | None = Default.CLIENT
    ) -> tuple[Chunk, ...]:
        """Fetch the passages of a document, to which the audit trail of its results leads.

        Args:
            document_id: The document's id, in a form that `get_session` takes.
            timeout: As for `get_session`, for each page of the list.

        Returns:
            The chunks in the document's order. They are only there when its processing is over;
            before that the tuple may be empty, or the service may refuse the request.

        Raises:
            NotFoundError: the document does not exist, or perhaps has no chunks yet;
                `get_document` shows its status.
            RaydocsError: as `get_session`, for a document.

        Source: the API reference, ``GET /extractions/documents/{documentId}/chunks``.
        """
        return tuple([each async for each in self._pages(CHUNKS, document_id, timeout)])

    def iter_documents(
        self, session_id: str | UUID, *, timeout: float | Default | None = Default.CLIENT
    ) -> AsyncIterator[Document]:
        """Iterate over the documents of a session; each page is fetched when it is needed.

        Args:
            session_id: As for `get_session`.
            timeout: As for `get_session`, for each page.

        Raises:
            RaydocsError: as `get_session`, when iterating. It is an `APIResponseValidationError`
                if pages repeat or do not end.

        Source: the API reference, ``GET /extractions/sessions/{sessionId}/documents``.
        """
        return self._pages(SESSION_DOCUMENTS, session_id, timeout)

    def iter_results(
        self, session_id: str | UUID, *, timeout: float | Default | None = Default.CLIENT
    ) -> AsyncIterator[Result]:
        """Iterate over the results of a session; each page is fetched when it is needed.

        The list may leave out `Result.data` and `Result.audit_data`; `get_result` and
        `stream_results` have them.

        Args:
            session_id: As for `get_session`.
            timeout: As for `get_session`, for each page.

        Raises:
            RaydocsError: as `iter_documents`.

        Source: the API reference, ``GET /extractions/sessions/{sessionId}/results``.
        """
        return self._pages(SESSION_RESULTS, session_id, timeout)
