"""The page's frame: its templates, filled, and the policy by which it runs no script but its own.

The templates are files beside this module. ``{{name}}`` in one is the place of a piece.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

Piece: TypeAlias = str | Path
"""Text of the page, or the path of a file with more of it than fits in memory."""


def read(name: str) -> str:
    """Return the text of a file beside this module, with the same line ends everywhere."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def fill(name: str, pieces: Mapping[str, str | Sequence[Piece]]) -> Iterator[Piece]:
    """Yield the parts of a template with its pieces, in their order."""
    # Each other part is a name, by the group of the pattern.
    for place, part in enumerate(re.split(r"\{\{(\w+)\}\}", read(name))):
        piece = pieces[part] if place % 2 else part
        if isinstance(piece, str):
            yield piece
        else:
            yield from piece


def frame() -> dict[str, str]:
    """Return the style and the script of the page, and the policy that allows no others."""
    style, script = read("style.css"), read("script.js")
    policy = (
        "default-src 'none'",
        f"script-src {_digest(script)}",
        f"style-src {_digest(style)}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",  # so it cannot make markup of text either
    )
    return {"style": style, "script": script, "policy": "; ".join(policy)}


def _digest(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest())
    return f"'sha256-{digest.decode()}'"
