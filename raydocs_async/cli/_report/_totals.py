"""The counts in the page's first part, and their pictures; pure."""

from collections import Counter
from typing import Any, Final

from attrs import Factory, define

from raydocs_async import Session
from raydocs_async.cli._located_id import KEPT
from raydocs_async.cli._report._entry import TONE_CLASSES, status_name, tone
from raydocs_async.cli._report._text import NAME_CHARS, escape, shown
from raydocs_async.cli._table_columns import spell

_MOST_NAMES: Final = 30
"""Different names that a counter has; further ones are counted together."""
_OTHERS: Final = "others"
_CELL_CHARS: Final = 1000


@define
class Totals:
    """Numbers of what the page shows."""

    statuses: Counter[str] = Factory(Counter)
    """Sessions by status."""
    documents: int = 0
    results: int = 0
    values: int = 0
    repeated: int = 0
    """Sessions that came before."""
    unfinished: int = 0
    """Sessions that the service is still working on."""

    @property
    def sessions(self) -> int:
        """All sessions."""
        return self.statuses.total()

    def add(self, session: Session, value_count: int, occurrence: int) -> None:
        """Count a session."""
        count_name(self.statuses, status_name(session))
        self.documents += len(session.documents)
        self.results += len(session.results)
        self.values += value_count
        self.repeated += occurrence > 1
        self.unfinished += not session.is_finished


@define
class Failures:
    """Numbers of failures by their reasons."""

    reasons: Counter[str] = Factory(Counter)

    def add(self, failure: dict[str, Any]) -> str:
        """Count a failure, and return its row of the table."""
        error = failure["error"]
        count_name(self.reasons, _reason(error))
        again = failure.get("is_permanent") is False
        cells = (
            *map(_plain, (failure.get("id"), _place(failure), error.get("message"))),
            _plain(error.get("attempts")),
            "can be fetched again" if again else "permanent",
        )
        return "<tr>" + "".join(map(_cell, cells)) + "</tr>\n"


def _place(failure: dict[str, Any]) -> Any:
    """Return the place of an id in the input, with the columns that `--keep` took from there."""
    kept = failure.get(KEPT)
    columns = kept.items() if isinstance(kept, dict) else ()
    return ", ".join([str(failure["where"]), *(f"{name} {value}" for name, value in columns)])


def overview(totals: Totals) -> dict[str, str]:
    """Return the texts of the page's first part, by their names in its template."""
    return {
        "session_count": number(totals.sessions),
        "sessions_in_words": _sessions(totals.sessions),
        "document_count": number(totals.documents),
        "result_count": number(totals.results),
        "value_count": number(totals.values),
        "repeated": _repeated(totals.repeated),
        "statuses": rows(totals.statuses),
        "status_bar": bar(totals.statuses),
    }


def _sessions(count: int) -> str:
    return f"{number(count)} session" + ("" if count == 1 else "s")


def _repeated(count: int) -> str:
    if not count:
        return ""
    verb = "is" if count == 1 else "are"
    return f"<p>{_sessions(count)} came before in the same files, and {verb} counted again.</p>"


def count_name(counter: Counter[str], name: str) -> None:
    """Count a name; a new one only while there are not too many."""
    name = shown(name, NAME_CHARS)
    counter[name if name in counter or len(counter) < _MOST_NAMES else _OTHERS] += 1


def _reason(error: dict[str, Any]) -> str:
    name, status = _plain(error.get("type")), _plain(error.get("status"))
    return f"{name} (HTTP {status})" if status else name


def _cell(text: str) -> str:
    return f"<td><bdi>{escape(text, _CELL_CHARS)}</bdi></td>"


def _plain(value: Any) -> str:
    return "" if value is None else spell(value)


def rows(counter: Counter[str]) -> str:
    """Return the rows of a table: a name, its count, and its share."""
    total = counter.total()
    return "".join(
        f'<tr><th scope="row"><bdi>{escape(name)}</bdi></th><td>{number(count)}</td>'
        f"<td>{100 * count / total:.1f} %</td></tr>\n"
        for name, count in counter.most_common()
    )


def bar(counter: Counter[str]) -> str:
    """Return the parts of a bar for the statuses, in an SVG that is 1000 units wide."""
    total, left, parts = counter.total(), 0.0, []
    for name, count in counter.most_common():
        width = 1000 * count / total
        kind = TONE_CLASSES[tone(name)]
        parts.append(f'<rect class="{kind}" x="{left:.2f}" width="{width:.2f}" height="10"/>')
        left += width
    return "".join(parts)


def number(count: int) -> str:
    """Return a number with a thin space between thousands."""
    return f"{count:,}".replace(",", "\u202f")
