"""Lists in pages: all items once, and an error where following would lose some or never end."""

from typing import Any
from uuid import UUID

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import APIResponseValidationError, _pages
from raydocs_async._exchange import Request
from raydocs_async._pages import Page, PageCursor, PageMeta

OWNER = UUID(int=1)
REQUEST = Request("/lists/1", "list", OWNER)


@frozen
class Item:
    """Anything with an id."""

    id: UUID


def items(*numbers: int) -> tuple[Item, ...]:
    """Items by number."""
    return tuple(Item(UUID(int=number)) for number in numbers)


def page(*numbers: int, current: int | None = None, last: int | None = None) -> Page[Item]:
    """A page with its meta."""
    return Page(data=items(*numbers), meta=PageMeta(current, last))


def read(*pages: Any) -> tuple[list[int], list[str]]:
    """The items of a list, and the paths that were asked for; no page must be left over."""
    cursor, found, paths = PageCursor[Item](REQUEST), list[int](), list[str]()
    for each in pages:
        assert cursor.request is not None
        paths.append(cursor.request.path)
        found += [item.id.int for item in cursor.take(each)]
    assert cursor.request is None
    return found, paths


def refusal(*pages: Any) -> APIResponseValidationError:
    """The error that reading ends with."""
    with pytest.raises(APIResponseValidationError) as caught:
        read(*pages)
    return caught.value


@pytest.mark.parametrize("whole", [items(1, 2), Page(data=items(1, 2)), page(1, 2, last=1), ()])
def test_one_page(whole: Any) -> None:
    """A bare array, a list without `meta`, and a first page that is the last: one request."""
    assert read(whole) == ([1, 2] if whole else [], ["/lists/1"])


def test_several_pages() -> None:
    """Each page is asked for by its number, up to the last one."""
    pages = [page(n, current=n, last=3) for n in (1, 2, 3)]
    assert read(*pages) == ([1, 2, 3], ["/lists/1", "/lists/1?page=2", "/lists/1?page=3"])


def test_a_list_that_grows() -> None:
    """Pages that are added while the list is read are read as well, each item once."""
    assert read(page(1, 2, last=2), page(2, 3, last=3), page(4, last=3))[0] == [1, 2, 3, 4]


def test_a_list_that_shrinks() -> None:
    """A last page that is nearer than it was ends the list."""
    assert read(page(1, last=5), page(2, last=2))[0] == [1, 2]


def test_an_empty_page_in_between() -> None:
    """An empty page does not end a list of which more is promised."""
    assert read(page(1, last=3), page(last=3), page(2, last=3))[0] == [1, 2]


def test_a_meta_that_tells_no_end() -> None:
    """Without a last page, pages are read until one is empty, however many they are."""
    assert read(page(1), page(2), page())[0] == [1, 2]
    pages = [page(n, current=n) for n in range(1, 41)]
    assert read(*pages, page(current=41))[0] == list(range(1, 41))


def test_a_repeated_page_does_not_tell_the_end() -> None:
    """A server that knows no page numbers would lose the rest of a list without a last page."""
    error = refusal(page(1, 2), page(1, 2))
    assert error.message == "page 2 only repeats items of earlier pages"


def test_a_last_page_that_is_named_late() -> None:
    """The first last page that is named is the measure of a list that grows."""
    assert read(*(page(n) for n in range(1, 30)), page(30, last=31), page(31, last=31))[0][-1] == 31


def test_a_last_page_before_the_first() -> None:
    """A last page of less than one ends the list, as any that is not ahead."""
    for last in (0, -1, -20):
        assert read(page(1, last=last))[0] == [1]


@pytest.mark.parametrize("last", [None, 51])
def test_pages_without_an_end(last: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """New items for ever, or empty pages up to a last one that is absurd, end in an error."""
    monkeypatch.setattr(_pages, "_MOST_PAGES", 50)
    pages = (page(n) if last is None else page(last=last) for n in range(1, 51))
    assert refusal(*pages).message == "the list does not end: it has more than 50 pages"


@pytest.mark.parametrize("last", [None, 50])
def test_the_most_pages(last: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of just as many pages is read to its end."""
    monkeypatch.setattr(_pages, "_MOST_PAGES", 50)
    pages = [page(n, last=last) for n in range(1, 50)]
    assert len(read(*pages, page(last=last))[0]) == 49


def test_an_empty_list() -> None:
    """A list without items, which Laravel calls one page."""
    assert read(page(current=1, last=1))[0] == []


def test_a_page_that_repeats() -> None:
    """A server that ignores the page's number would lose the rest of the list."""
    error = refusal(page(1, 2, last=3), page(1, 2, last=3))
    assert error.message == "page 2 only repeats items of earlier pages"
    assert (error.resource, error.resource_id) == ("list", str(OWNER))


def test_the_last_page_may_repeat() -> None:
    """Items that moved to the last page are no error: nothing is behind it."""
    assert read(page(1, 2, last=2), page(2, last=2))[0] == [1, 2]


@pytest.mark.parametrize("last", [2, 3])
def test_the_same_page_again(last: int) -> None:
    """A server that ignores the page's number would lose the second half of the list."""
    error = refusal(page(1, 2, last=last), page(1, 2, last=last))
    assert error.message == "page 2 only repeats items of earlier pages"


def test_another_page() -> None:
    """A page with another number than the requested one is refused."""
    error = refusal(page(1, current=1, last=3), page(1, current=1, last=3))
    assert error.message == "page 1 came in the place of 2"


@pytest.mark.parametrize("promised", [2, 3])
def test_a_list_without_an_end(promised: int) -> None:
    """A last page that keeps running away ends in an error, and not in a loop."""
    most = 2 * promised + 10
    error = refusal(*(page(n, last=max(n + 1, promised)) for n in range(1, most + 2)))
    assert error.message == (f"the list does not end: it had {promised} pages, now {most + 1}")


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=8))
def test_any_list_is_read_once(numbers: list[list[int]]) -> None:
    """Every item comes once, in the order of its first page, up to a page that only repeats."""
    cursor, found, last = PageCursor[Item](REQUEST), list[int](), len(numbers)
    for number, each in enumerate(numbers, 1):
        is_same = number > 1 and each == numbers[number - 2]
        repeats = bool(each) and set(each) <= set(found) and (number < last or is_same)
        if repeats:
            with pytest.raises(APIResponseValidationError, match="only repeats"):
                cursor.take(page(*each, current=number, last=last))
            return
        found += [item.id.int for item in cursor.take(page(*each, current=number, last=last))]
    assert cursor.request is None
    assert found == list(dict.fromkeys(number for each in numbers for number in each))
