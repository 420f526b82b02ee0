"""Takes the pictures of a report: ``nox -s picture`` writes them into docs/_static.

They are of sessions of the sandbox, in Chromium, in its light and its dark mode.
"""

import json
import shutil
import tempfile
from pathlib import Path
from uuid import UUID

from playwright.sync_api import Browser, sync_playwright

from raydocs_async.cli._options import ReportOptions
from raydocs_async.cli._report import run
from raydocs_async.sandbox._sessions import build_session

STATIC = Path(__file__).parent / "_static"
WIDTH, HEIGHT = 860, 1320
"""Pixels; the page is shown at about this width."""
SESSIONS = 250


def make_report(folder: Path) -> str:
    """Make a report, and return its address."""
    source, page = folder / "sessions.jsonl", folder / "report.html"
    with source.open("w", encoding="utf-8") as file:
        for number in range(SESSIONS):
            session = build_session(str(UUID(int=(number + 1) << 96)))
            status = {3: "processing", 7: "failed"}.get(number % 25, session["status"])
            file.write(json.dumps(session | {"status": status}) + "\n")
    run(ReportOptions((str(source),), str(page), None, None, overwrite=True, quiet=True))
    return page.as_uri()


def take(browser: Browser, address: str, scheme: str) -> None:
    """Write the picture of one mode."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)  # type: ignore[arg-type, unused-ignore]
    page.goto(address)
    page.locator(".session summary").first.click()
    page.mouse.move(0, 0)
    page.screenshot(path=STATIC / f"report-{scheme}.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        address = make_report(Path(folder))
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for scheme in ("light", "dark"):
            take(chromium, address, scheme)
        chromium.close()
