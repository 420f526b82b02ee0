"""A pytest plugin that runs every code block of the documentation, a page from top to bottom.

Each page has a sandbox, with its address and token in the environment, and a directory with the ids
of some of its sessions in ``ids.txt``, unless the page makes that file by a sandbox of its own. For
the pages for contributors, the directory has the project's ``tests``, too.

``python`` may use ``await`` at the top, as in a notebook. A block that begins with ``# name.py`` is
also saved as that, for later ones to import; one with a test in it goes to pytest. ``sh`` and
``sql`` are run as well. A ``diff`` has to apply to the project. ``text`` is the output of the block
before it, with ``...`` for parts that differ from run to run. Another language is an error, so that
nothing is left out by accident; on purpose, it is by ``<!-- skip: next "why" -->``.
"""

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import pad
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer
from sybil.region import Lexeme

from raydocs_async.sandbox import Sandbox
from raydocs_async.testing import _in_a_thread

ROOT = Path(__file__).parents[1]
MATCHES = doctest.OutputChecker().check_output
LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

PORT = "8765"
"""The port in the pages; a run uses a free one in its place."""

blocks = FencedCodeBlockLexer(r"[^{\n]*", {"language": "language", "source": "source"})


class Page:
    """Where a page's examples run, and what the latest of them has printed."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.out = io.StringIO()  # one for the page, as a logging handler keeps it
        self.printed = ""
        self.port = free_port()
        self.servers: list[subprocess.Popen[str]] = []

    def python(self, example: Example) -> None:
        """Run it in the names of the blocks before it."""
        if file := saved_name(example.parsed):
            Path(file).write_text(example.parsed, encoding="utf-8")
        source = pad(example.parsed, example.line + example.parsed.line_offset)
        code = compile(source, example.path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
        self.out.seek(0)
        self.out.truncate()
        with contextlib.redirect_stdout(self.out), contextlib.redirect_stderr(self.out):
            running = eval(code, self.names)
            if inspect.iscoroutine(running):
                self.runner.run(running)
        self.printed = self.out.getvalue()

    def test(self, example: Example) -> None:
        """Let pytest run it."""
        file = saved_name(example.parsed) or "test_example.py"
        Path(file).write_text(example.parsed, encoding="utf-8")
        # A configuration of its own keeps it from finding this project's, wherever the page is.
        Path("pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
        self.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file])

    def sh(self, example: Example) -> None:
        """Run it in a shell whose exports the later blocks see; a sandbox is left running."""
        if example.parsed.startswith("raydocs-async sandbox"):
            self.serve(example.parsed)
            return
        self.run(["bash", "-euo", "pipefail", "-c", f"{example.parsed}\nenv -0 > .environment"])
        for pair in Path(".environment").read_text(encoding="utf-8").split("\0")[:-1]:
            name, _, os.environ[name] = pair.partition("=")

    def sql(self, example: Example) -> None:
        """Run it in memory, beside the page's files."""
        self.printed = str(duckdb.sql(example.parsed))

    def diff(self, example: Example) -> None:
        """Check that it applies to the project, so that the lines it changes are there."""
        patch = Path("page.diff")
        patch.write_text(example.parsed, encoding="utf-8")
        self.run(["git", "-C", str(ROOT), "apply", "--check", str(patch.absolute())])

    def text(self, example: Example) -> None:
        """Compare it with what was printed."""
        if not MATCHES(example.parsed, self.printed, LOOSELY):
            raise AssertionError(f"it printed:\n{self.printed}")

    def run(self, command: list[str]) -> None:
        """Run a command, and keep what it prints."""
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        self.printed = done.stdout
        assert done.returncode == 0, done.stdout

    def serve(self, command: str) -> None:
        """Run a command that serves until the page is over; its first two lines are for copying."""
        server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], stdout=subprocess.PIPE, text=True
        )
        self.servers.append(server)
        assert server.stdout is not None
        self.printed = server.stdout.readline() + server.stdout.readline()


def free_port() -> str:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def saved_name(source: str) -> str | None:
    """The name of the file that a block says it is."""
    named = re.match(r"# (\w+\.py)\n", source)
    return named and named[1]


def is_test(source: str) -> bool:
    """True for Python that pytest runs."""
    return "def test_" in source or "\nclass Test" in source


def evaluate(example: Example) -> None:
    """Run one block in its page."""
    language, page = example.region.lexemes["language"], example.namespace["page"]
    source = example.parsed
    example.parsed = Lexeme(source.replace(PORT, page.port), source.offset, source.line_offset)
    if language == "python" and is_test(example.parsed):
        language = "test"
    runs = {"python": page.python, "test": page.test, "sh": page.sh, "sql": page.sql}
    {**runs, "diff": page.diff, "text": page.text}[language](example)


def parse(document: Document) -> Iterable[Region]:
    """Every fenced block that is no directive."""
    for region in blocks(document):
        region.parsed, region.evaluator = region.lexemes["source"], evaluate
        yield region


@pytest.fixture(scope="module")
def page(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A page with its sandbox and directory."""
    with (
        _in_a_thread(Sandbox(sessions=None)) as api,  # the examples need this one's event loop
        mock.patch.dict(os.environ, RAYDOCS_BASE_URL=api.url, RAYDOCS_API_TOKEN=api.token),
        pytest.MonkeyPatch.context() as patch,
        mock.patch.object(logging.root, "handlers", []),  # a page's libraries may add theirs
        mock.patch.object(logging.root, "level", logging.WARNING),
        asyncio.Runner() as runner,
    ):
        patch.chdir(tmp_path_factory.mktemp("page"))
        patch.syspath_prepend(Path.cwd())
        text = request.path.read_text(encoding="utf-8")
        if not re.search(r"^raydocs-async .*--ids ids\.txt", text, re.MULTILINE):  # in a block
            ids = "".join(f"{each}\n" for each in api.ids(12))
            Path("ids.txt").write_text(ids, encoding="utf-8")
        Path("tests").symlink_to(ROOT / "tests")
        page = Page(runner)
        yield page
        for server in page.servers:
            server.terminate()
            server.communicate()


pytest_collect_file = Sybil(
    [parse, SkipParser()],
    patterns=["*.md"],
    path=str(ROOT),
    fixtures=["page"],
).pytest()
