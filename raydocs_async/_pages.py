"""Lists that come in pages: the page to ask for next, and when a list is wrong; pure.

The API sends a list as a bare array, or under ``data``, with ``meta`` or without. Without ``meta``
there is one page. Its ``last_page`` can grow while a list is read, because documents are added; so
each item is handed over once, by its id. If ``meta`` has no ``last_page``, the list ends with an
empty page. A list that repeats itself, or grows without end, is an error, because a client that
followed it would never stop.
"""

from collections.abc import Iterator
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

from attrs import define, evolve, field, frozen

from raydocs_async._exchange import Request
from raydocs_async._model import HasId
from raydocs_async.errors import APIResponseValidationError
from raydocs_async.models import Chunk, Document, Result

M = TypeVar("M", bound=HasId)

_MOST_PAGES = 10_000
"""Pages of a list, at most: more than 100 minutes of requests, and far more than a session has."""


@frozen
class PageMeta:
    """The place of a page in its list."""

    current_page: int | None = None
    last_page: int | None = None


@frozen(kw_only=True)
class Page(Generic[M]):
    """A page of a list, under ``data``."""

    data: tuple[M, ...]
    meta: PageMeta | None = None


@frozen(kw_only=True)
class DocumentPage(Page[Document]):
    """A page of documents."""

    data: tuple[Document, ...]


@frozen(kw_only=True)
class ResultPage(Page[Result]):
    """A page of results."""

    data: tuple[Result, ...]


@frozen(kw_only=True)
class ChunkPage(Page[Chunk]):
    """A page of chunks."""

    data: tuple[Chunk, ...]


Listed: TypeAlias = Page[M] | tuple[M, ...]
"""A page, or a list that came whole as a bare array."""


def items_of(listed: Listed[M]) -> tuple[M, ...]:
    """Return the items of a page or of a bare array."""
    return listed if isinstance(listed, tuple) else listed.data


@define
class PageCursor(Generic[M]):
    """Reads one list, page by page."""

    request: Request | None
    """The request for the next page; ``None`` after the last one."""
    _number: int = 1
    _promised: int | None = None
    """The number of the last page, as the first page that names it has it."""
    _seen: set[UUID] = field(factory=set, repr=False)
    _page_before: list[UUID] = field(factory=list, repr=False)

    def take(self, page: Listed[M]) -> tuple[M, ...]:
        """Return the items of `page` that no page before it had, and go on to the next page.

        Raises:
            APIResponseValidationError: `page` is another page than the requested one, only
                repeats the page before, has nothing new although more should come, or the list has
                grown past twice its length or to more than 10 000 pages.
        """
        items = items_of(page)
        ids = [each.id for each in items]
        # Items move to the next page when others are added before them, and come once more there.
        new = tuple(self._unseen(items))
        last = self._last(page)
        # The last page may have nothing new, if its items moved there; the same page again may not.
        if items and not new and (last > self._number or ids == self._page_before):
            raise self._error(f"page {self._number} only repeats items of earlier pages")
        if self._number >= _MOST_PAGES and last > self._number:
            raise self._error(f"the list does not end: it has more than {_MOST_PAGES} pages")
        self._page_before = ids
        self._advance(last)
        return new

    def _unseen(self, items: tuple[M, ...]) -> Iterator[M]:
        for item in items:
            if item.id not in self._seen:
                self._seen.add(item.id)
                yield item

    def _last(self, page: Listed[M]) -> int:
        """Return the number of the last page, as far as `page` tells."""
        if isinstance(page, tuple) or page.meta is None:
            return self._number
        meta = page.meta
        if meta.current_page not in (None, self._number):
            raise self._error(f"page {meta.current_page} came in the place of {self._number}")
        if meta.last_page is None:
            return self._number + bool(page.data)  # only an empty page tells the end
        if self._promised is None:
            self._promised = max(meta.last_page, 1)
        if meta.last_page > 2 * self._promised + 10:
            raise self._error(
                f"the list does not end: it had {self._promised} pages, now {meta.last_page}"
            )
        return meta.last_page

    def _advance(self, last: int) -> None:
        assert self.request is not None
        # The first request has no number, because servers of older replies know no pages.
        path = self.request.path.partition("?")[0]
        self._number += 1
        over = self._number > last
        self.request = None if over else evolve(self.request, path=f"{path}?page={self._number}")

    def _error(self, message: str) -> APIResponseValidationError:
        assert self.request is not None
        return APIResponseValidationError(
            message, resource=self.request.resource, resource_id=str(self.request.id)
        )
