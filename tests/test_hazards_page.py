"""The page of hazards: every one is shown by a test, and the page says which."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hazards_page import checked, claims, complaints, page

SCRIPT = Path(__file__).parent / "hazards_page.py"
PAGE = SCRIPT.parent.parent / "docs" / "contributing" / "failure-handling.md"


def test_the_page_is_what_the_tests_show() -> None:
    """No hazard is without a test, and the page is as `nox -s generated` would write it."""
    made = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("docstring", "name", "expected"),
    [
        ("N8: it ends.", "", (["N8"], "")),
        ("N8, R15: it ends.", "uvloop-N9 RST", (["N8", "R15"], "")),
        ("It ends.", "N8 FIN at once", (["N8"], "FIN at once")),
        ("It ends.", "uvloop-H15 R2 none-301", (["H15", "R2"], "none-301")),
        ("It ends, as N8.", "asyncio", ([], "")),
        (None, "", ([], "")),
    ],
)
def test_what_a_test_claims(
    docstring: str | None, name: str, expected: tuple[list[str], str]
) -> None:
    """A test shows what its docstring begins with, or else what its case's name begins with."""
    assert claims(docstring, name) == expected


def test_what_does_not_fit_together_is_told() -> None:
    """A hazard that nobody shows is named, and so is one that is not in the list."""
    assert complaints(["N1", "N2"], ["N2", "N3"]) == [
        "no test shows N1",
        "N3, which a test shows, is not in the list",
    ]


def test_a_page_with_a_gap_is_not_written() -> None:
    """A hazard without a test ends the script with its name."""
    with pytest.raises(SystemExit, match="no test shows N1"):
        checked({"Network": {"N1": "It ends."}, "Chosen": {}}, {})


def test_the_page_has_hazards_choices_and_tests() -> None:
    """Each hazard is there with its claim, what was chosen, and its tests with their cases."""
    hazards = {"Network": {"N1": "It ends.", "N2": "It hangs."}, "Chosen": {"N2": "So it is."}}
    shown = {"N1": {"test_a.test_b": {"two", "one"}}, "N2": {"test_a.test_c": {""}}}
    _, *lines = page(hazards, shown)
    assert "\n".join(lines) == (
        "## Network\n\n**N1** It ends.\n\n- `test_a.test_b`: one; two\n\n"
        "**N2** It hangs.\n\n*Chosen:* So it is.\n\n- `test_a.test_c`\n"
    )
