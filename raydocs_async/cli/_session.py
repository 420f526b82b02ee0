"""The output of ``get`` and ``wait``: a tree for a person, JSON for a program."""

import sys
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from raydocs_async import (
    Document,
    RaydocsClient,
    RaydocsError,
    Result,
    Session,
    WaitTimeoutError,
    converter,
)
from raydocs_async.cli._connect import exit_code_for, message_for, open_client
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._options import ConnectionOptions
from raydocs_async.cli._printable import escape_json, printable
from raydocs_async.cli._streams import say
from raydocs_async.cli._text import duration

_STYLES = {"completed": "green", "ready": "green", "failed": "red"}


def announce_wait(timeout: float) -> None:
    """Tell a person at a terminal that the command waits for up to `timeout` seconds."""
    if sys.stderr.isatty():
        say(f"Waiting for the session, {duration(timeout)} at most.")


def show(
    call: Callable[[RaydocsClient], Awaitable[Session]],
    connection: ConnectionOptions,
    *,
    as_json: bool,
) -> ExitCode:
    """Print the session that a call of the client returns.

    Raises:
        BrokenPipeError: the reader of standard output has gone; click ends the command quietly.
    """

    async def call_client() -> Session:
        """Make the call with a new client, which is closed afterwards."""
        async with open_client(connection) as client:
            return await call(client)

    try:
        session = run_interruptibly(call_client())
    except RaydocsError as error:
        say(f"Error: {message_for(error)}{_describe_last_seen(error)}")
        return exit_code_for(error)
    try:
        _print(session, as_json=as_json)
    except BrokenPipeError:
        raise
    except OSError as exc:
        say(f"Error: standard output cannot be written: {exc.strerror}")
        return ExitCode.FAILED
    return ExitCode.OK


def _describe_last_seen(error: RaydocsError) -> str:
    session: Session | None = error.last_seen if isinstance(error, WaitTimeoutError) else None
    return f"; last seen as {printable(session.status)}" if session and session.status else ""


def _print(session: Session, *, as_json: bool) -> None:
    record = converter.dumps(session)
    if not sys.stdout.isatty():
        # The text layer above would encode in the locale's encoding; JSON is always UTF-8.
        sys.stdout.buffer.write(record + b"\n")
    elif as_json:
        sys.stdout.buffer.write(escape_json(msgspec.json.format(record)) + b"\n")
    else:
        Console().print(build_tree(session))


def build_tree(session: Session) -> Tree:
    """Return a tree of a session's documents with their parsings, and its results."""
    root = Tree(_label(session.name, session.status, str(session.id)))
    _add_branch(root, "documents", map(_document, session.documents))
    _add_branch(root, "results", map(_result, session.results))
    return root


def _add_branch(root: Tree, name: str, children: Iterable[Tree]) -> None:
    branch = Tree(Text(name, style="bold"))
    branch.children.extend(children)
    if branch.children:
        root.children.append(branch)


def _document(document: Document) -> Tree:
    branch = Tree(_label(document.filename, document.status, document.mime))
    for parsing in document.parsings:
        branch.add(_label(f"parsing {parsing.parser_version or ''}".strip(), parsing.status))
    return branch


def _result(result: Result) -> Tree:
    return Tree(_label(result.title or "result", result.status, str(result.id)))


def _label(name: str, status: str | None, detail: str | None = None) -> Text:
    # A `Text`, because rich would read square brackets in a plain string as markup.
    label = Text(printable(name))
    if status is not None:
        label.append("  ").append(printable(status), style=_STYLES.get(status, "yellow"))
    if detail is not None:
        label.append("  ").append(printable(detail), style="dim")
    return label
