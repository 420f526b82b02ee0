"""``get`` and ``wait``: one session, for a person as a tree, or for a program as JSON."""

import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Unpack

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
from raydocs_async.cli._connect import Connection, code_for, explain, open_client
from raydocs_async.cli._exit import Exit
from raydocs_async.cli._loop import run
from raydocs_async.cli._printable import escape, printable
from raydocs_async.cli._streams import say
from raydocs_async.cli._text import duration

_STYLES = {"completed": "green", "ready": "green", "failed": "red"}


def get(*, session_id: str, as_json: bool, **connection: Unpack[Connection]) -> Exit:
    """Show it as it is."""
    return _show(
        lambda client: client.get_session(session_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
    )


def wait(
    *, session_id: str, timeout: float, as_json: bool, **connection: Unpack[Connection]
) -> Exit:
    """Show it when it is finished."""
    if sys.stderr.isatty():
        say(f"Waiting until it is finished, {duration(timeout)} at most.")
    return _show(
        lambda client: client.wait_for_session(session_id, timeout=timeout),
        connection,
        as_json=as_json,
    )


def _show(
    call: Callable[[RaydocsClient], Awaitable[Session]], connection: Connection, *, as_json: bool
) -> Exit:
    async def fetch() -> Session:
        async with open_client(connection) as client:
            return await call(client)

    try:
        session = run(fetch())
    except RaydocsError as error:
        say(f"Error: {explain(error)}{_last_seen(error)}")
        return code_for(error)
    try:
        show(session, as_json=as_json)
    except BrokenPipeError:
        raise  # click ends quietly
    except OSError as exc:
        say(f"Error: standard output cannot be written: {exc.strerror}")
        return Exit.FAILED
    return Exit.OK


def _last_seen(error: RaydocsError) -> str:
    session: Session | None = error.last_seen if isinstance(error, WaitTimeoutError) else None
    return f"; last seen as {printable(session.status)}" if session and session.status else ""


def show(session: Session, *, as_json: bool) -> None:
    """Print a session: as a tree on a terminal, unless JSON is asked for."""
    record = converter.dumps(session)
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(record + b"\n")
    elif as_json:
        sys.stdout.buffer.write(escape(msgspec.json.format(record)) + b"\n")
    else:
        Console().print(tree(session))


def tree(session: Session) -> Tree:
    """Its documents with their parsings, and its results."""
    root = Tree(_label(session.name, session.status, str(session.id)))
    _branch(root, "documents", map(_document, session.documents))
    _branch(root, "results", map(_result, session.results))
    return root


def _branch(root: Tree, name: str, children: Iterable[Tree]) -> None:
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


def _label(name: str, status: str | None, more: str | None = None) -> Text:
    label = Text(printable(name))
    if status is not None:
        label.append("  ").append(printable(status), style=_STYLES.get(status, "yellow"))
    if more is not None:
        label.append("  ").append(printable(more), style="dim")
    return label
