"""Replies as bytes, whole or in parts, and the bodies in them."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from tests.support.wire import Received

CHUNKED = {"Transfer-Encoding": "chunked"}
GZIP = {"Content-Encoding": "gzip"}


def session_json(session_id: str | None, **changes: Any) -> bytes:
    """Return a small session as the service would send it."""
    session: dict[str, Any] = {
        "id": session_id,
        "name": "Invoices",
        "extraction_template_id": "550e8400-e29b-41d4-a716-446655440000",
        "settings": {},
        "status": "completed",
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-01-15T10:30:00Z",
        "documents": [],
        "results": [],
    }
    return json.dumps(session | changes).encode()


def result_json(result_id: str) -> bytes:
    """Return a small result as the service would send it."""
    return json.dumps({"id": result_id, "status": "completed", "data": {"total": 12.5}}).encode()


def document_json(document_id: str) -> bytes:
    """Return a small document as the service would send it, without the optional keys."""
    return json.dumps({"id": document_id, "filename": "a.pdf", "status": "ready"}).encode()


def reply(
    body: bytes = b"",
    *,
    status: str = "200 OK",
    headers: Mapping[str, str] | None = None,
    framed: bool = True,
) -> bytes:
    """Return a reply as bytes; without `framed`, only the given headers say how long it is."""
    lines = {"Content-Type": "application/json"}
    if framed:
        lines["Content-Length"] = str(len(body))
    lines |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


def good(received: Received) -> bytes:
    """Return a reply with the requested session."""
    return reply(session_json(received.session_id))


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def gzipped(data: bytes) -> bytes:
    """Return a gzip stream."""
    compressor = zlib.compressobj(wbits=31)
    return compressor.compress(data) + compressor.flush()


def bomb(megabytes: int) -> bytes:
    """Return a gzip stream of so many MiB of zeros, without its end: a repeated block."""
    compressor = zlib.compressobj(level=9, wbits=31)
    head = compressor.compress(b"") + compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(bytes(2**20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return head + block * megabytes
