"""The client's methods that save files."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from attrs import evolve

from raydocs_async import _settings
from raydocs_async._base_client import BaseClient
from raydocs_async._base_url import parse_file_url
from raydocs_async._endpoints import DOCUMENT, DOCUMENT_URL, EXPORT, FILE
from raydocs_async._exchange import Request
from raydocs_async._file_sink import Expected, FileSink, OnProgress
from raydocs_async._limits._values import Lane
from raydocs_async._secret import Secret
from raydocs_async.errors import APIStatusError, FileError, PermissionDeniedError, RaydocsError

_log = logging.getLogger("raydocs_async")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class FileClient(BaseClient):
    """Saves the files of documents, and results as spreadsheets."""

    async def download_document(
        self,
        document_id: str | UUID,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        timeout: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Path:
        """Save the file of a document, completely or not at all.

        The bytes go to a temporary file beside `path`, which is renamed at the end. If the document
        has a length and a checksum, the file must match them. This takes two hits of the rate
        limit; the file itself comes from a storage without a rate limit.

        Args:
            document_id: The document's id, in a form that `get_session` takes.
            path: The path to save the file at; the server's own name for it is not used.
            overwrite: Replace an existing file, which keeps its mode. A symbolic link stays, and
                the file that it leads to is replaced.
            timeout: Seconds for the file; ``None`` for no limit, but ``attempt_timeout`` seconds
                without a byte end an attempt.
            on_progress: Called with the number of bytes so far, and of all bytes (``None`` if that
                is unknown).

        Returns:
            `path`, as a `pathlib.Path`.

        Raises:
            ConfigurationError: `path` is a directory, is in a directory that does not exist or
                takes no new files, is no possible name, or exists already; nothing was sent.
            FileError: the file does not match the document, or cannot be written.
            RaydocsError: as `get_session`, for a document.
            Exception: any exception of `on_progress`. As after every error and cancellation, the
                path is as it was before.

        Source: the API reference, ``GET /extractions/documents/{documentId}/url``.
        """
        _settings.optional_seconds("timeout", timeout)
        request = FILE.request(document_id, self._engine.redactor)
        sink = _sink(path, Expected(), overwrite=overwrite, on_progress=on_progress)
        # Before the requests, which cost hits of the rate limit.
        async with _saving(request, sink):
            document = await self._fetch(DOCUMENT, document_id)
            sink.expected = Expected(document.size, document.sha256)
            if document.sha256 and sink.expected.checksum is None:
                _log.warning(
                    "document %s: its sha256 is not 64 hexadecimal digits, so the content of its "
                    "file is not verified",
                    request.id,
                )
            await self._save_file(evolve(request, sink=sink), timeout)
        return sink.target

    async def export_result(
        self,
        result_id: str | UUID,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        timeout: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Path:
        """Save a result as an Excel file with its data, audit trail and metadata.

        Args:
            result_id: The result's id, in a form that `get_session` takes.
            path: As for `download_document`.
            overwrite: As for `download_document`.
            timeout: As for `download_document`.
            on_progress: As for `download_document`.

        Returns:
            `path`, as a `pathlib.Path`.

        Raises:
            RaydocsError: as `download_document`, for a result. The service may refuse a result that
                is not finished; `get_result` shows its status.

        Source: the API reference, ``GET /extractions/results/{resultId}/export/excel``.
        """
        _settings.optional_seconds("timeout", timeout)
        request = EXPORT.request(result_id, self._engine.redactor)
        expected = Expected(media_type=XLSX, is_zip=True)
        sink = _sink(path, expected, overwrite=overwrite, on_progress=on_progress)
        async with _saving(request, sink):
            request = evolve(request, sink=sink)
            await self._engine.call(EXPORT, request, timeout=timeout, lane=Lane.SINGLE)
        return sink.target

    async def _save_file(self, request: Request, timeout: float | None) -> None:
        """Save the file; if the storage refuses its URL, which may have expired, by a new one."""
        error = await self._save_by_new_url(request, timeout)
        if isinstance(error, PermissionDeniedError):
            error = await self._save_by_new_url(request, timeout)
        if error is not None:
            raise error

    async def _save_by_new_url(
        self, request: Request, timeout: float | None
    ) -> RaydocsError | None:
        """Fetch a signed URL, and the file from there; return the error of the latter."""
        url = parse_file_url(Secret((await self._fetch(DOCUMENT_URL, request.id)).url))
        request = evolve(request, url=url)
        saved = await self._engine.complete(FILE, request, timeout=timeout, lane=Lane.SINGLE)
        return saved.error


def _sink(
    path: str | os.PathLike[str],
    expected: Expected,
    *,
    overwrite: bool,
    on_progress: OnProgress | None,
) -> FileSink:
    """Return a sink; refuse arguments that would fail after requests were sent."""
    _settings.instance("path", path, str | os.PathLike)
    _settings.hook("on_progress", on_progress)
    return FileSink(path, overwrite=overwrite, expected=expected, on_progress=on_progress)


@asynccontextmanager
async def _saving(request: Request, sink: FileSink) -> AsyncIterator[None]:
    """Keep the file at the end of the block; name the resource in errors of file and storage."""
    try:
        async with sink:
            yield
            await sink.keep()
    except FileError as exc:
        error = exc
    except APIStatusError as exc:
        if exc.resource != FILE.noun:
            raise
        error = FileError(
            f"the file's storage answered HTTP {exc.status}",
            status=exc.status,
            retry_after=exc.retry_after,
            attempts=exc.attempts,
        )
    else:
        return
    # Outside of the handlers, so that the error of the storage, which has its reply, is not the
    # context of this one.
    raise evolve(error, resource=request.resource, resource_id=str(request.id))
