"""Trees of sessions, results, documents and chunks, for a person at a terminal."""

import json
from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeAlias

from rich.text import Text
from rich.tree import Tree

from raydocs_async import Chunk, Document, ExtractedField, Result, Session
from raydocs_async.cli._printable import printable

Resource: TypeAlias = Session | Result | Document | Chunk

_STYLES = {"completed": "green", "ready": "green", "failed": "red"}
MAX_FIELDS: Final = 100
"""Extracted values of one result to show; a table of ten thousand is for a program."""


def build_tree(resource: Resource) -> Tree:
    """Return a tree of a resource and of all that belongs to it; values come first."""
    match resource:
        case Session():
            root = Tree(_label(resource.name, resource.status, str(resource.id)))
            _add_branch(root, "results", map(build_tree, resource.results))
            _add_branch(root, "documents", map(build_tree, resource.documents))
            return root
        case Result():
            return _result(resource)
        case Document():
            return _document(resource)
        case Chunk():
            return _chunk(resource)


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
    branch = Tree(_label(result.title or "result", result.status, str(result.id)))
    fields = result.fields()
    for each in islice(fields, MAX_FIELDS):
        branch.add(_field(each))
    if left := sum(1 for _ in fields):
        branch.add(Text(f"… and {left} more; --json has all of them", style="dim"))
    return branch


def _field(field: ExtractedField) -> Text:
    """Return a line with the name, the value, and the page that the value was read from."""
    line = _one_line(printable(field.name or "value"))
    value = field.value if isinstance(field.value, str) else json.dumps(field.value)
    line.append("  ").append(printable(value), style="cyan")
    pages = [source.page for source in field.sources if source.page is not None]
    if pages:
        line.append(f"  p. {pages[0]}", style="dim")
    return line


def _chunk(chunk: Chunk) -> Tree:
    pages = ", ".join(map(str, chunk.pages))
    branch = Tree(_label(f"p. {pages}" if pages else "chunk", None, str(chunk.id)))
    for line in chunk.text.splitlines():
        branch.add(_one_line(printable(line)))
    return branch


def _one_line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _label(name: str, status: str | None, detail: str | None = None) -> Text:
    # A `Text`, because rich would read square brackets in a plain string as markup.
    label = Text(printable(name))
    if status is not None:
        label.append("  ").append(printable(status), style=_STYLES.get(status, "yellow"))
    if detail is not None:
        label.append("  ").append(printable(detail), style="dim")
    return label
