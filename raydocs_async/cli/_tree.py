"""Trees that show the objects of the service to a person."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from raydocs_async import Chunk, Document, ExtractedField, Result, Session
from raydocs_async.cli._printable import printable

Shown: TypeAlias = Session | Result | Document | Chunk
"""An object that a command can show."""

_STYLES: Final = {"completed": "green", "ready": "green", "failed": "red"}


def build_tree(shown: Shown) -> Tree:
    """Return the tree of one object, with its id."""
    return _BUILDERS[type(shown)](shown)


def _session(session: Session) -> Tree:
    """Return the results with the extracted values, and then the documents."""
    root = Tree(_label(session.name, session.status, str(session.id)))
    _add_branch(root, "results", map(_result, session.results))
    _add_branch(root, "documents", map(_document, session.documents))
    return root


def _result(result: Result) -> Tree:
    branch = Tree(_label(result.title or "result", result.status, str(result.id)))
    fields = Table.grid(padding=(0, 2, 0, 0))
    fields.add_column(no_wrap=True, overflow="ellipsis")
    for each in result.fields():
        fields.add_row(*_field(each))
    if fields.row_count:
        branch.add(fields)
    return branch


def _field(field: ExtractedField) -> tuple[Text, Text, Text]:
    """Return the name, the value and the page of its first source."""
    value = field.value
    spelled = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # If the column had `no_wrap`, rich would shorten the names as well as the values.
    shown = Text(printable(" ".join(spelled.split())), no_wrap=True, overflow="ellipsis")
    page = next((f"p. {each.page}" for each in field.sources[:1] if each.page is not None), "")
    return Text(printable(field.name)), shown, Text(page, style="dim")


def _document(document: Document) -> Tree:
    branch = Tree(_label(document.filename, document.status, str(document.id)))
    for parsing in document.parsings:
        branch.add(_label(f"parsing {parsing.parser_version or ''}".strip(), parsing.status))
    return branch


def _chunk(chunk: Chunk) -> Tree:
    pages = f"p. {', '.join(map(str, chunk.pages))}" if chunk.pages else None
    number = "" if chunk.index is None else f" {chunk.index}"
    branch = Tree(_label(f"chunk{number}", None, pages, str(chunk.id)))
    # One line end at a time, because `printable` would replace it.
    branch.add(Text("\n".join(map(printable, chunk.text.splitlines()))))
    return branch


_BUILDERS: Final[dict[type, Callable[[Any], Tree]]] = {
    Session: _session,
    Result: _result,
    Document: _document,
    Chunk: _chunk,
}


def _add_branch(root: Tree, name: str, children: Iterable[Tree]) -> None:
    branch = Tree(Text(name, style="bold"))
    branch.children.extend(children)
    if branch.children:
        root.children.append(branch)


def _label(name: str, status: str | None, *details: str | None) -> Text:
    # A `Text`, because rich would read square brackets in a plain string as markup.
    label = Text(printable(name))
    if status is not None:
        label.append("  ").append(printable(status), style=_STYLES.get(status, "yellow"))
    for detail in filter(None, details):
        label.append("  ").append(printable(detail), style="dim")
    return label
