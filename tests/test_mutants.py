"""The list of equivalent mutants cannot rot: it is compared with what survived."""

from pathlib import Path

import pytest

from tests.mutants import check
from tests.mutants.check import change, complaints, function, main

DIFF = """\
# raydocs_async._x.x_f__mutmut_2: survived
--- raydocs_async/_x.py
+++ raydocs_async/_x.py
@@ -1,5 +1,4 @@
 def f(a: int) -> bool:
-    return g(
-        a > 1,
-    )
+    return g(None)
"""


RESULTS = """\
    raydocs_async._x.x_f__mutmut_1: killed
    raydocs_async._x.x_f__mutmut_2: survived
    raydocs_async._x.x_f__mutmut_3: timeout
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("raydocs_async._headers.x__parse_date__mutmut_3", "_headers._parse_date"),
        (
            "raydocs_async.sandbox._throttle.xǁThrottleǁ_open__mutmut_12",
            "sandbox._throttle.Throttle._open",
        ),
    ],
)
def test_where_a_mutant_is(name: str, expected: str) -> None:
    """Its name tells the module, the class and the function; its number may change any day."""
    assert function(name) == expected


def test_what_a_mutant_changes() -> None:
    """The lines before and after, however many there are, and nothing around them."""
    assert change(DIFF) == "return g( a > 1, ) → return g(None)"


def test_what_does_not_fit_together_is_told() -> None:
    """Neither a survivor that is not listed, nor an entry without a survivor or a reason."""
    alive = {
        ("_x.f", "1 → 2"): "known_1",
        ("_x.f", '"a" → "é"'): "new_2",
        ("_x.g", "3 → 4"): "bare_1",
    }
    listed = {("_x.f", "1 → 2"): "Because.", ("_x.f", "5 → 6"): "Gone.", ("_x.g", "3 → 4"): ""}
    assert list(complaints(alive, listed)) == [
        'new_2 survives, and is not listed:\n["_x.f"]\n"\\"a\\" → \\"é\\"" = ""\n',
        "listed, and killed or no longer made: _x.f: 5 → 6\n",
        "listed without a reason: _x.g: 3 → 4\n",
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('"return g( a > 1, ) → return g(None)" = "Equal."', None),
        ("", "raydocs_async._x.x_f__mutmut_2 survives, and is not listed:"),
    ],
)
def test_what_mutmut_says_is_compared_with_the_list(
    entry: str,
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is not killed and not listed is the exit's message, and so an error."""
    says = {"mutmut": f"#!/bin/sh\ncat {tmp_path}/$1", "results": RESULTS, "show": DIFF}
    for name, text in says.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "mutmut").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(check, "LIST", tmp_path / "equivalent.toml")
    (tmp_path / "equivalent.toml").write_text(f'["_x.f"]\n{entry}\n', encoding="utf-8")
    found = main()
    assert (found and found.splitlines()[0]) == expected
    assert capsys.readouterr().out == "3 mutants: 1 killed, 1 survived, 1 timeout\n"
