"""The page of `report`, as a browser shows it."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Open, Report
from tests.cli.sessions import session
from tests.support.markup import ATTACK, ATTACKS, poison

KEPT = ("id", "documentId", "created_at", "updated_at", "completed_at", "createdAt",
        "extraction_session_id", "extraction_template_id", "chunk_id", "config_hash")  # fmt: skip
"""The keys whose values have to be ids or times."""

FAILURE = {
    "id": "not-an-id",
    "where": "ids.txt:3",
    "is_permanent": True,
    "error": {"type": "InvalidIdError", "message": "not a session id", "attempts": 0},
}


def invoice(number: int, **changes: Any) -> dict[str, Any]:
    """Return a session with one result of one document, and a value with its trail."""
    raw = session(number, {"supplier": f"Société-{number}", "paid": None})
    reference = raw["results"][0]["document_refs"][0] | {"filename": f"scan-{number}.pdf"}
    source = {"text": f"Facture de\nSociété-{number}", "page": 2}
    trail = {"supplier": {"reasoning": "The name is in the letterhead.", "sources": [source]}}
    result = raw["results"][0] | {
        "title": "Invoice",
        "document_refs": [reference],
        "audit_data": trail,
    }
    return raw | {"name": f"Batch {number}", "results": [result]} | changes


def entry(page: Page, number: int) -> Any:
    """Return the element of a session."""
    return page.locator(f"#session-{session(number)['id']}")


async def seen(page: Page) -> list[str]:
    """Return the names of the sessions that are shown."""
    names: list[str] = await page.locator(".session:not([hidden]) .name").all_inner_texts()
    return names


async def search(page: Page, words: str, count: str) -> None:
    """Search for some words, and wait for the count."""
    await page.get_by_role("searchbox").fill(words)
    await expect(page.get_by_role("status")).to_have_text(count)


async def test_an_attack(report: Report, open_page: Open) -> None:
    """No text of a session, a failure, a summary or a file name does anything but be shown."""
    attacked = poison(session(1, _input={ATTACK: "x"}), ATTACK, *KEPT)
    attacked["results"][0]["data"] = {ATTACK: ATTACK, f"{ATTACK}2": {ATTACK: [ATTACK]}}
    address = report(
        attacked,
        failures=[poison(FAILURE, ATTACK)],
        name="<img src=x onerror=window.attacked=1>.jsonl",
        sessions={ATTACK: 1},
        resume=ATTACK,
    )
    page = await open_page(address)
    await entry(page, 1).locator("summary").click()
    await expect(page.get_by_role("table").nth(3)).to_be_visible()
    for handled in await page.locator("bdi, p, blockquote").all():
        await handled.dispatch_event("mouseover")
    await search(page, "javascript:window", "1 of 1 session")
    assert await page.evaluate("window.attacked") is None
    assert await page.locator("img, iframe, object, base, link, [onerror], [onload]").count() == 0
    assert await page.locator("script:not([type])").count() == 1
    assert await page.locator("meta[http-equiv]").count() == 1
    assert await page.evaluate("[...document.links].every((each) => each.hash)")
    assert "</script><script>" in await entry(page, 1).locator(".name").inner_text()


async def test_the_policy(report: Report, browser: Browser, tmp_path: Path) -> None:
    """If some text was markup in spite of everything, the policy would let it do nothing."""
    address = report(invoice(1))
    path = tmp_path / "report.html"
    escaped = path.read_text(encoding="utf-8")
    path.write_text(escaped.replace("</h1>", f"</h1>{''.join(ATTACKS[0:4:2])}"), encoding="utf-8")
    page = await browser.new_page()
    requests: list[str] = []
    page.on("requestfinished", lambda request: requests.append(request.url))
    await page.goto(address)
    await page.mouse.move(100, 100)
    assert await page.locator("h1 ~ script, h1 ~ img").count() == 2
    assert await page.evaluate("window.attacked") is None
    assert requests == [address]


async def test_a_session(report: Report, open_page: Open) -> None:
    """An open session shows each value with its reasoning, and where it was read."""
    page = await open_page(report(invoice(1), invoice(2)))
    await entry(page, 2).locator("summary").click()
    values = entry(page, 2).get_by_role("table", name="Values of Invoice")
    row = values.get_by_role("row", name="supplier")
    await expect(row.get_by_role("cell").first).to_have_text("Société-2")
    await expect(row).to_contain_text("The name is in the letterhead.")
    await expect(row.locator("blockquote")).to_have_text("Facture de\nSociété-2")
    await expect(row.locator("figcaption")).to_have_text("scan-2.pdf, page 2")
    await expect(values.get_by_role("row", name="paid").locator("code")).to_have_text("null")
    await expect(entry(page, 2).get_by_role("table", name="Documents")).to_be_visible()
    await expect(entry(page, 1).locator(".content")).to_have_count(0)


async def test_an_empty_session(report: Report, open_page: Open) -> None:
    """A session without documents, results or a name says so."""
    empty = session(2, {"x": ""}) | {"name": "n", "documents": []}
    page = await open_page(report(session(1, name="", documents=[], results=[]), empty))
    for number in (1, 2):
        await entry(page, number).locator("summary").click()
    await expect(entry(page, 1).locator(".name")).to_have_text("(no name)")
    await expect(entry(page, 1)).to_contain_text("No documents.")
    await expect(entry(page, 1)).to_contain_text("No results.")
    await expect(entry(page, 2).locator("td i")).to_have_text("empty")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("SOCIÉTÉ-2", ["Batch 2"]),
        ("socie\u0301te\u0301-2", ["Batch 2"]),
        ("scan-3.pdf", ["Batch 3"]),
        ("batch letterhead", ["Batch 1", "Batch 2", "Batch 3"]),
        (session(1)["id"], ["Batch 1"]),
        ("nowhere", []),
    ],
    ids=str,
)
async def test_the_search(report: Report, open_page: Open, words: str, names: list[str]) -> None:
    """The search finds the sessions that have all words, in any text and in any spelling."""
    page = await open_page(report(*map(invoice, (1, 2, 3))))
    await search(page, words, f"{len(names)} of 3 sessions")
    assert await seen(page) == names
    await page.get_by_role("searchbox").press("Enter")
    await search(page, "", "3 sessions")
    assert len(await seen(page)) == 3


async def test_a_link(report: Report, open_page: Open) -> None:
    """A link to a session opens it and brings it into sight, also if a search hides it."""
    address = report(*map(invoice, range(300)))
    page = await open_page(f"{address}#session-{session(250)['id']}")
    await expect(entry(page, 250).get_by_role("table", name="Values")).to_be_in_viewport()
    await entry(page, 250).get_by_role("link").click()
    await search(page, "nowhere", "0 of 300 sessions")
    await page.goto(f"{address}#session-{session(7)['id']}")
    await expect(entry(page, 7).get_by_role("table", name="Values")).to_be_in_viewport()
    await expect(page.get_by_role("status")).to_have_text("300 sessions")
    await page.goto(f"{address}#sessions")
    await page.goto(f"{address}#nowhere")


async def test_the_keyboard(report: Report, open_page: Open) -> None:
    """The keyboard alone reaches the search and opens a session, and the focus can be seen."""
    page = await open_page(report(invoice(1), failures=[FAILURE]))
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the sessions")).to_be_focused()
    await expect(page.get_by_text("Skip to the sessions")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.press("Tab")
    summary = entry(page, 1).locator("summary")
    await expect(summary).to_be_focused()
    await expect(summary).to_have_css("outline-style", "solid")
    await page.keyboard.press("Enter")
    await expect(entry(page, 1).get_by_role("table", name="Values")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_screen_reader(report: Report, open_page: Open, width: int) -> None:
    """Headings, labels, captions and tables have their roles, in the narrow layout, too."""
    page = await open_page(report(invoice(1), failures=[FAILURE]), width=width)
    await entry(page, 1).locator("summary").click()
    found = await page.locator("h1, h2, h3, h4").evaluate_all(
        "(all) => all.map((each) => Number(each.tagName[1]))"
    )
    assert found == [1, 2, 2, 2, 2, 3, 4, 3]
    await expect(page.get_by_label("Search names, documents, values, reasons")).to_be_visible()
    assert await page.locator("table:not(:has(caption))").count() == 0
    names = ("Sessions by status", "Failures by reason", "Ids that were not fetched")
    for name in (*names, "Documents of the session", "Values of Invoice"):
        table = page.get_by_role("table", name=name)
        await expect(table.get_by_role("columnheader").first).to_be_attached()
    picture = page.get_by_role("img")
    await expect(picture).to_have_accessible_name(
        "Requests, in steps of 1 s "
        "10 requests, at most 6 in 1 s; 1 refused by the rate limit, in red."
    )
    for name in ("Overview", "Failures", "Latest run", "Sessions"):
        await expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [390, 800, 900])
async def test_a_narrow_screen(report: Report, open_page: Open, width: int) -> None:
    """Neither the page nor a part of it scrolls sideways, however long the words are."""
    long = "x" * 5000
    raw = invoice(1, name=long, status=long)
    raw["documents"][0] |= {"filename": long, "mime": long}
    raw["results"][0] |= {"title": long, "data": {long: long}}
    failure = {**FAILURE, "id": long, "where": long}
    page = await open_page(
        report(raw, failures=[failure], name=f"{'y' * 200}.jsonl", resume=long), width=width
    )
    await entry(page, 1).locator("summary").click()
    await expect(page.get_by_role("table").last).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert await page.locator("*").evaluate_all(SCROLLING) == []


SCROLLING = """(all) => all.filter((each) => {
  const scrolls = ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
  return scrolls && each.scrollWidth > each.clientWidth;
}).map((each) => each.outerHTML.slice(0, 60))"""


@pytest.mark.parametrize(("width", "shown"), [(390, "Attempts: 0"), (1280, "0")])
async def test_a_failure(report: Report, open_page: Open, width: int, shown: str) -> None:
    """Each cell of a failure is in sight, and on a narrow screen a bare number has its name."""
    page = await open_page(report(invoice(1), failures=[FAILURE]), width=width)
    cells = page.get_by_role("row", name="not-an-id").get_by_role("cell")
    for cell in await cells.all():
        await cell.scroll_into_view_if_needed()
        await expect(cell).to_be_in_viewport(ratio=1)
    await expect(cells).to_have_count(5)
    caption = page.get_by_text("Ids that were not fetched")
    assert await caption.evaluate("(caption) => caption.clientHeight < 40")
    label = "(cell) => getComputedStyle(cell, '::before').content.replace(/^none|\"/g, '')"
    assert await cells.nth(3).evaluate(label) + await cells.nth(3).inner_text() == shown


TEXTS = "h1, h2, h3, h4, p, th, td, dt, dd, bdi, a, i, code, caption, label, output"

CONTRAST = """(all) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (each) => {
    const color = getComputedStyle(each).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? behind(each.parentElement) : color;
  };
  return all.filter((each) => each.checkVisibility()).map((each) => {
    const [dark, bright] = [light(getComputedStyle(each).color), light(behind(each))].sort();
    return [(bright + 0.05) / (dark + 0.05), each.outerHTML.slice(0, 60)];
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_contrast(report: Report, open_page: Open, scheme: str) -> None:
    """All text stands out from what is behind it, by the ratio of WCAG 2.2 (AA), in both modes."""
    statuses = ("completed", "failed", "pending")
    raw = [invoice(number, status=each) for number, each in enumerate(statuses)]
    page = await open_page(report(*raw, failures=[FAILURE]), color_scheme=scheme)
    await entry(page, 0).locator("summary").click()
    texts = page.locator(
        "h1, h2, h3, h4, p, th, td, dt, dd, bdi, a, i, code, caption, label, output"
    )
    measured = await texts.evaluate_all(CONTRAST)
    assert len(measured) > 50
    assert [each for each in measured if each[0] < 4.5] == []
    body = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (body == "rgb(18, 22, 27)") == (scheme == "dark")


async def test_paper(report: Report, open_page: Open, tmp_path: Path) -> None:
    """On paper, the search is left out, and what is open is printed, dark on white."""
    page = await open_page(report(invoice(1), invoice(2)), color_scheme="dark")
    await entry(page, 2).locator("summary").click()
    await page.emulate_media(media="print")
    await expect(page.get_by_role("searchbox")).to_be_hidden()
    await expect(entry(page, 2).get_by_role("table", name="Values")).to_be_visible()
    await expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    await expect(page.locator("body")).to_have_css("color", "rgb(0, 0, 0)")
    await page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


async def test_without_scripts(report: Report, open_page: Open) -> None:
    """A browser without scripts shows the counts and the list, and says what it cannot do."""
    page = await open_page(report(invoice(1)), java_script_enabled=False)
    await expect(entry(page, 1).locator(".name")).to_be_visible()
    await expect(page.get_by_text("needs JavaScript")).to_be_visible()


@pytest.mark.timeout(300)
async def test_thousands_of_sessions(report: Report, open_page: Open) -> None:
    """5 000 sessions can be searched and opened."""
    page = await open_page(report(*(json.dumps(invoice(number)) for number in range(5000))))
    await page.get_by_role("searchbox").fill("société-4321")
    found = page.get_by_role("status")
    await expect(found).to_have_text("1 of 5\u202f000 sessions", timeout=60_000)
    await entry(page, 4321).locator("summary").click()
    await expect(entry(page, 4321).get_by_role("table", name="Values")).to_be_visible()
