"""Trees that show the objects of the service to a person."""

import json
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from raydocs_async import Chunk, Document, Evidence, ExtractedField, Result, Session
from raydocs_async.cli._printable import printable
from raydocs_async.cli._source_files import SourceFiles

Shown: TypeAlias = Session | Result | Document | Chunk
"""An object that a command can show."""

_STYLES: Final = {"completed": "green", "ready": "green", "failed": "red"}


def build_tree(shown: Shown, *, sources: SourceFiles | None = None) -> Tree:
    """Return the tree of one object, with its id.

    Args:
        shown: The object.
        sources: Show below each value its reasoning and the passages that it was read from, with
            these files; ``None`` to leave that out.
    """
    match shown:
        case Session():
            return _session(shown, sources)
        case Result():
            return _result(shown, sources)
        case Document():
            return _document(shown)
    return _chunk(shown)


def _session(session: Session, sources: SourceFiles | None) -> Tree:
    """Return the results with the extracted values, and then the documents."""
    root = Tree(_label(session.name, session.status, str(session.id)))
    results = (_result(each, sources) for each in session.results)
    _add_branch(root, "results", results)
    _add_branch(root, "documents", map(_document, session.documents))
    return root


def _result(result: Result, sources: SourceFiles | None) -> Tree:
    branch = Tree(_label(result.title or "result", result.status, str(result.id)))
    names = ", ".join(filter(None, (ref.filename for ref in result.document_refs)))
    if sources is not None and names:
        branch.add(_label("from", None, names))
    fields = Table.grid(padding=(0, 2, 0, 0))
    fields.add_column(no_wrap=True, overflow="ellipsis")
    for each in result.fields():
        if sources is not None:
            fields.add_row(Text(printable(each.name)), _value(each), "")
            for row in _trail(each, sources):
                fields.add_row("", *row)
        else:
            fields.add_row(
                Text(printable(each.name)), _value(each), _page(next(iter(each.sources), None))
            )
    if fields.row_count:
        branch.add(fields)
    return branch


def _value(field: ExtractedField) -> Text:
    value = field.value
    spelled = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # If the column had `no_wrap`, rich would shorten the names as well as the values.
    return Text(_one_line(spelled), no_wrap=True, overflow="ellipsis")


def _trail(field: ExtractedField, files: SourceFiles) -> Iterator[tuple[Text, Text]]:
    """Yield the reasoning, and each passage with its file and its page."""
    if field.reasoning is not None:
        yield Text(_one_line(field.reasoning), style="dim"), Text()
    for source in field.sources:
        # In the column of the passage, because a column of its own would leave that too narrow.
        passage = Text().append(f"“{_one_line(source.text or '')}”", style="italic")
        if source.chunk_id is not None and source.chunk_id in files:
            passage.append(f"  {printable(files[source.chunk_id])}", style="dim")
        yield passage, _page(source)


def _page(source: Evidence | None) -> Text:
    page = None if source is None else source.page
    return Text("" if page is None else f"p. {page}", style="dim")


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


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
