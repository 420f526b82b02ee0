"""The frame of the report's page."""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from raydocs_async.cli._report._page import fill, frame, read


def test_pieces() -> None:
    """A template's places are filled with text and files, in their order, and text is not read."""
    pieces: dict[str, str | Sequence[str | Path]] = {
        "reasons": "{{rows}}",
        "open": "",
        "rows": [Path("a"), "b"],
    }
    filled = list(fill("failures.html", pieces))
    assert filled[1:4:2] == ["{{rows}}", ""]
    assert filled[5:7] == [Path("a"), "b"]
    assert "{{" not in "".join(each for each in filled[::2] if isinstance(each, str))


def test_the_policy() -> None:
    """The policy allows the page's own style and script, by their digests, and nothing else."""
    parts = frame()
    allowed = dict(re.findall(r"(script|style)-src 'sha256-([^']+)'", parts["policy"]))
    for name in ("script", "style"):
        digest = hashlib.sha256(parts[name].encode()).digest()
        assert allowed[name] == base64.b64encode(digest).decode()
    assert parts["policy"].startswith("default-src 'none'; ")
    assert "unsafe" not in parts["policy"]


def test_self_contained() -> None:
    """The page names no address, no file and no handler, and the script makes no markup."""
    names = ("page.html", "failures.html", "run.html", "style.css", "script.js")
    text = "".join(map(read, names))
    assert re.findall(r"https?:|\bsrc=|url\(|@import|\bon\w+=|style=", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|eval|document\.write", text) == []
    assert set(re.findall(r'href="([^"]*)"', text)) == {"#sessions"}


def test_nothing_ends_an_element() -> None:
    """Neither the style nor the script ends its element early."""
    assert "</" not in read("style.css") + read("script.js")
