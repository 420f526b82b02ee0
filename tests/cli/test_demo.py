"""`demo`, which the README shows first; here with short windows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SHORT = (
    "from raydocs_async.cli import _demo, main;"
    "_demo.WINDOW, _demo.SESSIONS = 0.2, 80;"
    "_demo.tempfile.mkdtemp = lambda prefix: '.';"
    "main()"
)


def run(directory: Path, *arguments: str) -> tuple[str, str]:
    """Return the standard output and the standard error of the demo."""
    done = subprocess.run(
        [sys.executable, "-c", SHORT, "demo", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=directory,
    )
    return done.stdout, done.stderr


def test_the_limit_of_the_service_stays_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sandbox has a limit of its own, whatever limit the environment shares."""
    monkeypatch.setenv("RAYDOCS_SHARED_LIMIT", str(tmp_path / "limit"))
    run(tmp_path, "-o", "out.jsonl")
    assert not (tmp_path / "limit").exists()


def test_everything_is_fetched(tmp_path: Path) -> None:
    """All sessions are in the file despite the faults, and the summary counts the requests."""
    out, err = run(tmp_path, "-o", "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == 80
    assert out == ""
    assert "80 sessions written to out.jsonl in " in err
    assert re.search(r"\d+ requests; \d+ failed and were retried, \d+ met the rate limit", err)


def test_quiet(tmp_path: Path) -> None:
    """With --quiet there is only the summary, and the file is a temporary one."""
    out, err = run(tmp_path, "--quiet")
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("80 sessions written to ")
    assert (tmp_path / "sessions.jsonl").read_text().count("\n") == 80


def test_a_file_that_is_there(tmp_path: Path) -> None:
    """An existing output is refused, without advice to use an option that `demo` lacks."""
    path = tmp_path / "out.jsonl"
    path.write_text("mine\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(tmp_path, "-o", "out.jsonl")
    assert caught.value.returncode == 2
    assert caught.value.stderr == "Error: out.jsonl exists already; move it away\n"
    assert path.read_text() == "mine\n"


def test_another_format(tmp_path: Path) -> None:
    """A file name that promises a table is refused."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(tmp_path, "-o", "out.csv")
    assert "out.csv: the format is JSON Lines; name it out.jsonl" in caught.value.stderr
    assert "table of it: raydocs-async table out.jsonl -o out.csv\n" in caught.value.stderr
    assert list(tmp_path.iterdir()) == []
