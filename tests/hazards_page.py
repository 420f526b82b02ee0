"""Prints the page on hazards: each one with the library's answer and the tests that show it.

    python tests/hazards_page.py > docs/contributing/failure-handling.md

A test shows the hazards that its docstring begins with (``N8, R15: …``), or else those that the
name of its case begins with (``N8 FIN before any byte``). What the hazards are is in
`hazards.toml`; one that no test shows, or that a test names and the list does not, is an error.
"""

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

HERE = Path(__file__).parent
Shown: TypeAlias = Mapping[str, Mapping[str, set[str]]]
"""Hazard → test → its cases."""

INTRODUCTION = """\
# Failure handling, hazard by hazard

<!-- `nox -s generated` makes this page from tests/hazards.toml and the tests. -->

A hazard is something that a server, a network or a caller does.
Each one is listed with the library's answer, and with the tests that fail without it.

*Typed* means raised as the right subclass of `RaydocsError`, with a message that says what to do.
*Tried again* means within the retry policy and the deadline.
*Chosen* gives the reason for an answer where several were possible.

The tests that use a socket run on asyncio's own event loop and on uvloop.
"""

_in_docstring = re.compile(r"([A-Z]\d+(?:, [A-Z]\d+)*): ").match
_in_name = re.compile(r"(?:^|-)((?:[A-Z]\d+ )+)([^[\]]*)").search
_ids = re.compile(r"[A-Z]\d+").findall


def claims(docstring: str | None, name: str) -> tuple[list[str], str]:
    """The hazards that a case of a test shows, and what is left of its name."""
    if found := _in_docstring(docstring or ""):
        return _ids(found[1]), ""
    if found := _in_name(name):
        return _ids(found[1]), found[2].strip()
    return [], ""


def shown_by(items: Iterable[pytest.Item]) -> Shown:
    """What each test shows."""
    shown: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in items:
        assert isinstance(item, pytest.Function)
        callspec = getattr(item, "callspec", None)
        ids, case = claims(item.function.__doc__, callspec.id if callspec else "")
        for hazard in ids:
            shown[hazard][f"{item.path.stem}.{item.originalname}"].add(case)
    return shown


def complaints(known: Iterable[str], shown: Iterable[str]) -> list[str]:
    """What does not fit together."""
    missing, unknown = set(known) - set(shown), set(shown) - set(known)
    return [f"no test shows {each}" for each in sorted(missing)] + [
        f"{each}, which a test shows, is not in the list" for each in sorted(unknown)
    ]


def page(hazards: Mapping[str, Mapping[str, str]], shown: Shown) -> Iterator[str]:
    """The lines of the page."""
    yield INTRODUCTION
    chosen = hazards["Chosen"]
    for section, claimed in hazards.items():
        if claimed is chosen:
            continue
        yield f"## {section}\n"
        for hazard, claim in claimed.items():
            yield f"**{hazard}** {claim}\n"
            if hazard in chosen:
                yield f"*Chosen:* {chosen[hazard]}\n"
            yield from map(_test, sorted(shown[hazard].items()))
            yield ""


def _test(entry: tuple[str, set[str]]) -> str:
    name, cases = entry
    named = "; ".join(sorted(cases - {""}))
    return f"- `{name}`: {named}" if named else f"- `{name}`"


class Collector:
    """A plugin that keeps what pytest has found."""

    items: Sequence[pytest.Item] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep it."""
        self.items = session.items


def checked(hazards: Mapping[str, Mapping[str, str]], shown: Shown) -> str:
    """The page, if there is nothing to complain about.

    Raises:
        SystemExit: there is.
    """
    known = [each for name, claimed in hazards.items() if name != "Chosen" for each in claimed]
    if wrong := complaints(known, shown):
        raise SystemExit("\n".join(wrong))
    return "\n".join(page(hazards, shown))


def main() -> None:
    """Print the page; tests that cannot be collected show nothing, which is complained about."""
    collector = Collector()
    quietly = ["--collect-only", "-p", "no:terminal", "-o", "addopts=--import-mode=importlib"]
    pytest.main([*quietly, str(HERE)], plugins=[collector])
    hazards = tomllib.loads((HERE / "hazards.toml").read_text(encoding="utf-8"))
    sys.stdout.write(checked(hazards, shown_by(collector.items)))


if __name__ == "__main__":
    main()
