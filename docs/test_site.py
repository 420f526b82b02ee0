"""The site as it was built: what has to be there, and what Sphinx would not miss."""

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from pictures import PICTURES
from sphinx.util.inventory import InventoryFile

import raydocs_async
import raydocs_async.events
import raydocs_async.sandbox
import raydocs_async.testing

DOCS = Path(__file__).parent
MODULES = (raydocs_async, raydocs_async.events, raydocs_async.sandbox, raydocs_async.testing)
SITE = DOCS.parent / "build" / "site"


def test_every_public_name_is_in_the_reference() -> None:
    """What a public module exports, the reference describes."""
    objects = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="").data
    described = {name for names in objects.values() for name in names}
    exported = {
        f"{module.__name__}.{name}"
        for module in MODULES
        for name in module.__all__
        if not isinstance(getattr(module, name), ModuleType)  # which has a page of its own
    }
    assert exported - described == set()


@pytest.mark.parametrize("page", sorted((DOCS / "reference").glob("*.md")), ids=lambda p: p.stem)
def test_no_sentence_is_taken_for_a_type(page: Path) -> None:
    """A colon in an attribute's first line makes napoleon a type of what is before it."""
    text = (SITE / "reference" / page.with_suffix(".html").name).read_text(encoding="utf-8")
    assert re.findall(r"<dt[^>]*>Type<", text) == []


def test_every_page_is_in_the_overview_for_machines() -> None:
    """llms.txt links to each page of the site, and to none that is not there."""
    linked = re.findall(r"\]\((.*?\.html)\)", (SITE / "llms.txt").read_text(encoding="utf-8"))
    pages = {f"{page.relative_to(DOCS).with_suffix('.html')}" for page in DOCS.glob("**/*.md")}
    assert sorted(linked) == sorted(pages - {"index.html"})


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_into_the_repository(page: str) -> None:
    """What a page outside of the site links to is there."""
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [each for each in linked if not (DOCS.parent / each).exists()] == []


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_they_would_be_drawn_now(name: str) -> None:
    """A picture says what `nox -s generated` would let it say; how rich draws it may differ."""
    words = re.compile(r"<text[^>]*>([^<]*)").findall
    picture = (DOCS / "_static" / name).read_text(encoding="utf-8")
    assert words(picture) == words(PICTURES[name]())


@pytest.mark.parametrize("word", ["429", "airflow", "cron", "csv", "sentry", "webhook"])
def test_what_people_search_for_is_found(word: str) -> None:
    """A word is in the index of the search; a number, which the search skips, as an index entry."""
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    words = index["indexentries"] if word.isdigit() else index["terms"] | index["titleterms"]
    assert any(each.startswith(word) for each in words)
