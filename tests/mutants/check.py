"""Compares the mutants that survive with those that are listed, after `mutmut run`.

In `equivalent.toml` each stands under its function, as the lines before and after the change,
with the reason why no test can tell the difference. It is an error when one survives that is not
listed, and when a listed one is killed or no longer made.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

LIST = Path(__file__).parent / "equivalent.toml"
KILLED = ("killed", "timeout")
"""mutmut calls it a time-out, too, when the tests cannot even be imported with the mutant."""

Mutant: TypeAlias = tuple[str, str]
"""A function, and what is changed in it."""

_results = re.compile(r"^ +(\S+): (.+)$", re.MULTILINE).findall
_name = re.compile(r"raydocs_async\.(.+)\.x(?:_|ǁ(.+)ǁ)(.+)__mutmut_\d+").fullmatch


def mutmut(*args: str) -> str:
    """What the command prints."""
    return subprocess.run(["mutmut", *args], check=True, capture_output=True, text=True).stdout


def function(name: str) -> str:
    """Where the mutant of that name is: `_window.Window.admit`, for one."""
    found = _name(name)
    assert found is not None, name
    return ".".join(filter(None, found.groups()))


def change(diff: str) -> str:
    """A diff's changed lines as one: what was there, and what is there in its place."""
    _, _, body = diff.partition("@@\n")
    before, after = (
        " ".join(line[1:].strip() for line in body.splitlines() if line.startswith(sign))
        for sign in "-+"
    )
    return f"{before} → {after}"


def complaints(alive: Mapping[Mutant, str], listed: Mapping[Mutant, str]) -> Iterator[str]:
    """What does not fit together; `alive` tells the mutants' names, `listed` the reasons."""
    for mutant in alive.keys() - listed.keys():
        where, what = mutant
        entry = f'[{json.dumps(where)}]\n{json.dumps(what, ensure_ascii=False)} = ""'
        yield f"{alive[mutant]} survives, and is not listed:\n{entry}\n"
    for where, what in listed.keys() - alive.keys():
        yield f"listed, and killed or no longer made: {where}: {what}\n"
    for (where, what), reason in listed.items():
        if not reason:
            yield f"listed without a reason: {where}: {what}\n"


def main() -> str | None:
    """Say what was found, and what is wrong with it."""
    statuses: dict[str, str] = dict(_results(mutmut("results", "--all", "true")))
    alive = {
        (function(name), change(mutmut("show", name))): name
        for name, status in statuses.items()
        if status not in KILLED
    }
    entries = tomllib.loads(LIST.read_text(encoding="utf-8")).items()
    listed = {(where, what): why for where, changes in entries for what, why in changes.items()}
    counts = Counter(statuses.values()).most_common()
    told = ", ".join(f"{count} {status}" for status, count in counts)
    sys.stdout.write(f"{len(statuses)} mutants: {told}\n")
    return "\n".join(sorted(complaints(alive, listed))) or None


if __name__ == "__main__":
    sys.exit(main())
