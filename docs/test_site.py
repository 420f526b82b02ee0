"""The site as it was built: what has to be there, and what Sphinx would not miss."""

import re
from pathlib import Path

from pictures import layers
from sphinx.util.inventory import InventoryFile

import raydocs_async
import raydocs_async.sandbox

DOCS = Path(__file__).parent
SITE = DOCS.parent / "build" / "site"


def test_every_public_name_is_in_the_reference() -> None:
    """What the package and the sandbox export, the reference describes."""
    objects = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="").data
    described = {name for names in objects.values() for name in names}
    exported = {
        f"{module.__name__}.{name}"
        for module in (raydocs_async, raydocs_async.sandbox)
        for name in module.__all__
    }
    assert exported - described == set()


def test_every_page_is_in_the_overview_for_machines() -> None:
    """llms.txt links to each page of the site, and to none that is not there."""
    linked = re.findall(r"\]\((.*?\.html)\)", (SITE / "llms.txt").read_text(encoding="utf-8"))
    pages = {f"{page.relative_to(DOCS).with_suffix('.html')}" for page in DOCS.glob("**/*.md")}
    assert sorted(linked) == sorted(pages - {"index.html"})


def test_the_picture_of_the_layers() -> None:
    """It is drawn from the contracts as they are now."""
    assert (DOCS / "_static" / "layers.svg").read_text(encoding="utf-8") == layers()
