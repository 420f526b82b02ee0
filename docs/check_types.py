"""Checks the types of the documentation's Python: ``python docs/check_types.py``.

The blocks of a page become one module, in which each line keeps its number, so that an error has
its place in the page. A block that is a file of its own for `run_examples` is a module of its own.
mypy reads all modules in one run, in strict mode.
"""

import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from mypy import api
from run_examples import ROOT, blocks, is_test, saved_name
from sybil import Document

Modules: TypeAlias = dict[str, list[str]]
"""Name of a module → its lines, which have the same numbers as in the page."""

# Notebooks allow these at the top of a cell, and so do the pages.
AT_THE_TOP = re.compile(r'"async (with|for)" outside async function|"await" outside function')


def pages() -> Iterator[Path]:
    """Yield each page whose blocks are run."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def modules(page: Path, main: str) -> Modules:
    """Return the modules that a page's blocks make; `main` is the name of the page's own."""
    found: Modules = defaultdict(list)
    document = Document(page.read_text(encoding="utf-8"), str(page))
    for region in blocks(document):
        if region.lexemes["language"] != "python":
            continue
        source = region.lexemes["source"]
        line = document.text.count("\n", 0, region.start + source.offset)
        own = f"test_{main}_{line}" if is_test(source) else main
        lines = found[(saved_name(source) or own).removesuffix(".py")]
        lines += [""] * (line - len(lines)) + source.splitlines()
    return found


def complaints(pages: Iterable[Path], root: Path) -> list[str]:
    """Return mypy's complaints, each with the page, below `root`, and the line that it is about."""
    origin: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as directory:
        for page in pages:
            place = page.relative_to(root)
            main = "_".join(place.with_suffix("").parts).replace("-", "_")
            for name, lines in modules(page, main).items():
                if name in origin:
                    raise SystemExit(f"{place}: {origin[name]} has a block named {name}.py, too")
                origin[name] = str(place)
                Path(directory, f"{name}.py").write_text("\n".join([*lines, ""]), encoding="utf-8")
        Path(directory, "tests").symlink_to(ROOT / "tests")  # for the pages for contributors
        # Without a configuration, as a reader has none.
        options = ["--strict", "--no-error-summary", "--config-file="]
        options += ["--untyped-calls-exclude=distributed"]  # has types in parts
        said, trouble, _ = api.run([*options, *(f"{directory}/{name}.py" for name in origin)])
    kept = [line for line in said.splitlines() if not AT_THE_TOP.search(line)]
    written = re.compile(rf"^\S*/({'|'.join(origin)})\.py(?=:)")
    named = [written.sub(lambda found: origin[found[1]], each) for each in kept]
    return [*named, *trouble.splitlines()]


if __name__ == "__main__":
    sys.exit("\n".join(complaints(pages(), ROOT)) or None)
