"""A service with a storage of files, and a client of it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raydocs_async import RaydocsClient
from tests.support.clients import SESSION_ID, client_for
from tests.support.replies import reply
from tests.support.wire import Answer, Received, WireServer

PDF = b"%PDF-1.7 " + bytes(range(256)) * 1000
SIGNATURE = "S1GNATURE-5ecr3t"
ID = SESSION_ID


HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode()


class Service:
    """The API and the storage behind one address; `file` answers for the storage."""

    def __init__(self, **document: Any) -> None:
        self.document = {
            "id": ID,
            "filename": "../../evil.pdf",
            "status": "ready",
            "size": len(PDF),
            "sha256": hashlib.sha256(PDF).hexdigest(),
        } | document
        self.files: Iterator[Answer] = iter(())
        self.url = ""
        self.address = ""

    def __call__(self, received: Received) -> Answer:
        """Answer one request."""
        target = received.target
        if target.startswith("/files/"):
            return next(self.files, reply(PDF, headers={"Content-Type": "application/pdf"}))
        if target.endswith("/url"):
            url = self.url or f"{self.address}/files/{ID}?X-Amz-Signature={SIGNATURE}"
            return reply(json.dumps({"url": url, "expires_at": "soon"}).encode())
        return reply(json.dumps(self.document).encode())


class Running:
    """A service, its server, and a client of it."""

    def __init__(self, service: Service, **options: Any) -> None:
        self.service, self.options = service, options

    async def __aenter__(self) -> tuple[WireServer, RaydocsClient]:
        self.server = await WireServer(self.service).__aenter__()
        self.service.address = self.server.url
        self.client = client_for(self.server.url, **self.options)
        return self.server, self.client

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()
        await self.server.__aexit__(None, None, None)


def files_in(directory: Path) -> list[str]:
    """Return the names of all files in a directory, hidden ones included."""
    return sorted(each.name for each in directory.iterdir())
