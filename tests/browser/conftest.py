"""Fixtures for the tests in a browser: pages of `report`, in Chromium as it is installed."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from raydocs_async.cli._options import ReportOptions
from raydocs_async.cli._report import run
from tests.cli.sessions import write_lines
from tests.cli.summaries import summary

Open = Callable[..., Awaitable[Page]]
Report = Callable[..., str]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    if (path := next(found, None)) is None:
        pytest.fail("these tests need Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path)
        yield running
        await running.close()


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Make a page of some sessions and failures; return its address."""

    def make(*sessions: Any, failures: Any = (), name: str = "s.jsonl", **changes: Any) -> str:
        """Make a page; `changes` are those of the summary."""
        files = (
            write_lines(tmp_path / name, *sessions),
            write_lines(tmp_path / "errors.jsonl", *failures),
            write_lines(tmp_path / "summary.json", summary(**changes)),
        )
        page = tmp_path / "report.html"
        run(ReportOptions((files[0],), str(page), *files[1:], overwrite=True, quiet=True))
        return page.as_uri()

    return make


@pytest.fixture
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Open a page; in the end, it has complained about nothing, and asked for nothing else."""
    complaints: list[str] = []

    async def open_page(address: str, *, width: int = 1280, **options: Any) -> Page:
        """Open a page in a window of this width."""
        page = await browser.new_page(viewport={"width": width, "height": 900}, **options)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: complaints.extend(_foreign(request.url, address)))
        await page.goto(address)
        return page

    yield open_page
    assert complaints == []


def _foreign(url: str, address: str) -> list[str]:
    return [] if url.partition("#")[0] == address.partition("#")[0] else [url]
