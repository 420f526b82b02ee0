"""The audit trail: each extracted value with its reasoning, and the text that it was read from.

``audit_data`` has the shape of ``data``. In the place of each value it has ``{"reasoning": …,
"sources": […]}``. `extracted_fields` joins the two; `Result.fields` calls it. If the trail of a
value is missing or has another shape, the field has no evidence; that is never an error.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from attrs import field, frozen

from raydocs_async._model import HasId

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices that lead to a value, from the top."""


C = TypeVar("C", bound=HasId)


@frozen
class Evidence:
    """A passage of a document from which a value was extracted."""

    text: str | None = field(default=None, repr=False)
    """The quoted text."""
    page: int | None = None
    """The page, counted from 1."""
    chunk_id: UUID | None = None
    """The `Chunk.id` of the part of the document that holds the text."""

    def find_chunk(self, chunks: Iterable[C]) -> C | None:
        """Return the chunk that holds the text, or ``None`` if it is not among `chunks`."""
        return next((each for each in chunks if each.id == self.chunk_id), None)


@frozen
class ExtractedField:
    """One extracted value, and the reason for it."""

    path: Path
    """Keys and indices that lead to the value in `Result.data`."""
    value: Any = field(repr=False)
    """A string, a number, a boolean, ``None``, or an array or object without content."""
    reasoning: str | None = field(default=None, repr=False)
    """The extraction's own explanation."""
    sources: tuple[Evidence, ...] = ()
    """The passages that the value was read from."""

    @property
    def name(self) -> str:
        """The path as a string, such as ``invoice.lines[0].amount``."""
        parts = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path)
        return "".join(parts).removeprefix(".")


@frozen
class _Entry:
    """The trail of one place in the data, and of all places below it that have none."""

    reasoning: str | None = None
    sources: tuple[Evidence, ...] = ()


def extracted_fields(data: Any, audit: Any) -> Iterator[ExtractedField]:
    """Yield each value of `data`, in its order, with its trail.

    A value without a trail of its own has that of the nearest array or object around it.
    """
    # Not recursive, because free-form JSON can be deeper than Python's stack.
    left: list[tuple[Path, Any, Any, _Entry]] = [((), data, audit, _Entry())]
    while left:
        path, value, trail, inherited = left.pop()
        entry = _entry(trail, value) or inherited
        children = _children(value)
        if children:
            left += [
                ((*path, key), child, _below(trail, key), entry)
                for key, child in reversed(children)
            ]
        elif path or value not in (None, {}, []):  # a result without data has no field
            yield ExtractedField(path, value, entry.reasoning, entry.sources)


def _children(value: Any) -> list[tuple[str | int, Any]]:
    match value:
        case dict():
            return list(value.items())
        case list():
            return list(enumerate(value))
    return []


def _below(trail: Any, key: str | int) -> Any:
    """Return the trail of an item, or ``None`` where the trail has another shape."""
    match trail:
        case dict():
            return trail.get(str(key))  # PHP writes a list with gaps as an object
        case list() if isinstance(key, int) and key < len(trail):
            return trail[key]
    return None


def _entry(trail: Any, value: Any) -> _Entry | None:
    """Return the trail of `value` itself; ``None`` if `trail` only has those of places below it.

    Data may have keys named "reasoning" and "sources", too. Where it does, the trail's keys of
    these names mirror them.
    """
    if not isinstance(trail, dict):
        return None
    mirrored: Mapping[str, Any] = value if isinstance(value, dict) else {}
    own = {key: trail.get(key) for key in ("reasoning", "sources") if key not in mirrored}
    reasoning, sources = own.get("reasoning"), own.get("sources")
    if not isinstance(reasoning, str) and not isinstance(sources, list):
        return None
    return _Entry(
        reasoning if isinstance(reasoning, str) else None,
        tuple(filter(None, map(_evidence, sources))) if isinstance(sources, list) else (),
    )


def _evidence(source: Any) -> Evidence | None:
    """Return a source with its parts of the documented type; ``None`` if it has none."""
    if not isinstance(source, dict):
        return None
    text, page = source.get("text"), source.get("page")
    found = Evidence(
        text if isinstance(text, str) else None,
        page if isinstance(page, int) and not isinstance(page, bool) else None,
        _uuid(source.get("chunk_id")),
    )
    return None if found == Evidence() else found


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None
