"""Records of sessions, and a nearly full disk, for the tests of output files."""

import io
import json
from pathlib import Path
from typing import Any

from raydocs_async.cli._output import JsonLinesFile
from raydocs_async.cli._scan import SessionRecord

A = "770e8400-e29b-41d4-a716-446655440000"
B = "660e8400-e29b-41d4-a716-446655440000"
C = "550e8400-e29b-41d4-a716-446655440000"
REST = {"documents": [], "name": "Ünïcode", "status": "completed"}


def record(session_id: str) -> bytes:
    """Return a session's line, without its end."""
    return json.dumps({"id": session_id, **REST}, separators=(",", ":")).encode()


LINE_A, LINE_B, LINE_C = (record(each) + b"\n" for each in (A, B, C))


def resume(path: Path, *records: bytes) -> frozenset[str]:
    """Resume a file, add `records`, and return the ids that it held before."""
    lines = JsonLinesFile.open(str(path), SessionRecord, resume=True)
    lines.repair()
    for each in records:
        lines.write(each)
    lines.close()
    return frozenset(lines.finished_ids)


class NearlyFull(io.FileIO):
    """A file on a disk with `room` bytes left, which takes a few bytes at a time."""

    room = 0

    def write(self, content: Any, /) -> int:
        """Write a few bytes, as long as there is room."""
        taken = min(7, self.room, len(content))
        if not taken:
            raise OSError(28, "No space left on device")
        self.room -= taken
        return super().write(content[:taken])
