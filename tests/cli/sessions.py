"""Files of sessions, for the tests of the commands that read them."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from raydocs_async.sandbox._sessions import build_session


def session(number: int = 0, *data: Any, **changes: Any) -> dict[str, Any]:
    """Return a session with a result for each of `data`; without any, as the sandbox has it."""
    built = build_session(str(UUID(int=number << 64)))
    if data:
        result = built["results"][0] | {"audit_data": {}}
        built["results"] = [result | {"data": each} for each in data]
    return built | changes


def write_lines(path: Path, *records: Any) -> str:
    """Write JSON Lines; a string is JSON as it is spelled."""
    lines = (each if isinstance(each, str) else json.dumps(each) for each in records)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def spelled(number: int, data: str) -> str:
    """Return the line of a session whose only result has this JSON as its data."""
    return json.dumps(session(number, "DATA")).replace('"DATA"', data)
