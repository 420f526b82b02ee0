"""The documented bodies, ways to alter them, and hypothesis strategies for what a server sends."""

import copy
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from hypothesis import strategies as st

from raydocs_async import DocumentStatus, ParsingStatus, ResultStatus, SessionStatus

Json: TypeAlias = Any
Place: TypeAlias = tuple[str | int, ...]
Objects: TypeAlias = st.SearchStrategy[dict[str, Json]]

WIRE = Path(__file__).parent / "wire"
REFERENCE = (WIRE / "session_reference.json").read_bytes()
GUIDE = (WIRE / "session_guide.json").read_bytes()


def _odd_session() -> dict[str, Json]:
    session: dict[str, Json] = json.loads(REFERENCE)
    (document,), (result,) = session["documents"], session["results"]
    (ref,) = result["document_refs"]
    session |= {"settings": [], "created_at": "2026-07-21T12:34:55.000000Z"}
    document |= {"workspace_id": 12, "meta": [], "parsings": None, "source": []}
    document["created_at"] = "-0001-11-30T00:00:00.000000Z"
    result |= {"data": [], "audit_data": [], "completed_at": "0000-00-00 00:00:00"}
    result |= {"created_at": "2026-07-21 12:34:55", "updated_at": "2026-07-21T12:34:55.1234567Z"}
    ref |= {"workspaceId": 2**70, "source": [], "createdAt": "-0001-11-30 00:00:00"}
    return session


ODD_SESSION = _odd_session()
"""The reference's session with an odd spelling wherever the API may have one."""

ABSENT: Json = object()
"""As a value for `varied`: the key is not there."""

NO_DATES = [
    "0000-00-00",
    "0000-00-00 00:00:00",
    "0000-00-00T00:00Z",
    "0000-00-00T00:00:00.000000Z",
    "-0001-11-30 00:00:00",
    "-0001-11-30T00:00:00.000000Z",
    "-0001-11-30T00:00:00+00:00",
    "-0001-11-29T23:50:39.000000Z",
]
"""The spellings of no date by MySQL, and by Carbon after it."""


def encoded(payload: Json) -> bytes:
    """The payload as a body; what JSON has no word for is written as Python spells it."""
    return json.dumps(payload, ensure_ascii=False).encode()


def at(payload: Json, place: Place) -> Json:
    """Return the value at a place of the payload."""
    for step in place:
        payload = payload[step]
    return payload


def varied(place: Place, changes: Mapping[str, Json], body: bytes = REFERENCE) -> bytes:
    """The body with some keys of the object at `place` changed, added or `ABSENT`."""
    payload = json.loads(body)
    target = at(payload, place)
    target |= changes
    for key in [key for key, value in target.items() if value is ABSENT]:
        del target[key]
    return encoded(payload)


def places(payload: Json, here: Place = ()) -> Iterator[Place]:
    """Every place of the payload but its top."""
    steps: list[str | int] = []
    if isinstance(payload, dict):
        steps.extend(payload)
    elif isinstance(payload, list):
        steps.extend(range(len(payload)))
    for step in steps:
        yield (*here, step)
        yield from places(payload[step], (*here, step))


def many_results(count: int) -> dict[str, Json]:
    """The reference's session with so many results."""
    payload: dict[str, Json] = json.loads(REFERENCE)
    payload["results"] = [copy.deepcopy(payload["results"][0]) for _ in range(count)]
    return payload


short_text = st.text(max_size=8)
json_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | short_text
)
json_values: st.SearchStrategy[Json] = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short_text, inner, max_size=3),
    max_leaves=5,
)
php_empty: st.SearchStrategy[Json] = st.builds(list)
json_maps: st.SearchStrategy[Json] = (
    st.dictionaries(short_text, json_values, max_size=2) | php_empty
)
free_forms = json_values | php_empty

ids = st.uuids().map(str)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes()
zones = offsets.map(lambda zone: datetime(2000, 1, 1, tzinfo=zone).isoformat()[19:])
fractions = st.text("0123456789", max_size=9).map(lambda digits: f".{digits}" if digits else "")
times = st.builds(
    lambda moment, between, fraction, zone: moment.isoformat(between) + fraction + zone,
    moments.map(lambda moment: moment.replace(microsecond=0)),
    st.sampled_from(["T", " "]),
    fractions | st.just(".000000"),
    zones | st.sampled_from(["", "Z"]),
)
no_dates = st.builds(
    str.__add__,
    st.sampled_from(["0000-00-00", "-0001-11-30", "-0001-11-29"]),
    st.sampled_from(["", " 00:00:00", "T00:00:00.000000Z", "T00:00:00+00:00", "T23:50:39Z"]),
)
maybe_times = times | no_dates
workspace_ids = st.integers(-(2**70), 2**70) | ids | st.integers(0).map(str)
seconds = st.integers(1, 2**34)  # since the epoch, a few centuries of them
http_dates = seconds.map(lambda moment: formatdate(moment, usegmt=True))

ODD_KEYS = ("extra", "wire_keys", "document_id", "mimeType", "self", "")
"""Keys that no model knows, though some are near to one it does."""


def objects(required: dict[str, Any], optional: dict[str, Any]) -> Objects:
    """Objects with the required keys, any of the optional ones and unknown ones, in any order."""
    known = required.keys() | optional.keys()
    unknown = (st.sampled_from(ODD_KEYS) | short_text).filter(lambda key: key not in known)
    parts = st.tuples(
        st.fixed_dictionaries(required, optional=optional),
        st.dictionaries(unknown, json_values, max_size=2),
    )
    return parts.flatmap(lambda part: st.permutations([*part[0].items(), *part[1].items()])).map(
        dict
    )


def nullable(**fields: Any) -> dict[str, Any]:
    """Each of the fields, or null."""
    return {name: st.none() | values for name, values in fields.items()}


def statuses(known: type[SessionStatus | DocumentStatus | ParsingStatus | ResultStatus]) -> Any:
    """The values of an enumeration, and new ones."""
    return st.sampled_from([member.value for member in known]) | short_text


sources = objects({}, nullable(type=short_text, url=short_text)) | php_empty
document_refs = objects(
    {"documentId": ids},
    nullable(
        kind=short_text,
        type=short_text,
        workspaceId=workspace_ids,
        filename=short_text,
        mime=short_text,
        size=st.integers(),
        sha256=short_text,
        source=sources,
        createdAt=maybe_times,
    ),
)
parsings = objects(
    {"id": ids, "status": statuses(ParsingStatus)},
    nullable(config_hash=short_text, parser_version=short_text, updated_at=maybe_times),
)
documents = objects(
    {"id": ids, "filename": short_text, "status": statuses(DocumentStatus)},
    nullable(
        workspace_id=workspace_ids,
        mime=short_text,
        mime_type=short_text,
        size=st.integers(),
        sha256=short_text,
        source_type=short_text,
        source_url=short_text,
        source=sources,
        extraction_session_id=ids,
        meta=json_maps,
        parsings=st.lists(parsings, max_size=2),
        created_at=maybe_times,
    ),
)
results = objects(
    {"id": ids, "status": statuses(ResultStatus)},
    nullable(
        title=short_text,
        extraction_session_id=ids,
        config_hash=short_text,
        document_refs=st.lists(document_refs, max_size=2),
        data=free_forms,
        audit_data=free_forms,
        reasoning=free_forms,
        created_at=maybe_times,
        updated_at=maybe_times,
        completed_at=maybe_times,
    ),
)
sessions = objects(
    {
        "id": ids,
        "name": short_text,
        "extraction_template_id": ids,
        "settings": json_maps,
        "created_at": times,
        "updated_at": times,
        "documents": st.lists(documents, max_size=2),
        "results": st.lists(results, max_size=2),
    },
    nullable(status=statuses(SessionStatus)),
)


@st.composite
def altered_sessions(draw: st.DrawFn) -> dict[str, Json]:
    """Sessions with another value, or none, at one place."""
    payload = draw(sessions)
    *way, last = draw(st.sampled_from(list(places(payload))))
    target = at(payload, tuple(way))
    if draw(st.booleans()):
        target[last] = draw(json_values)
    else:
        del target[last]
    return payload


# -- how services spell what they quote ------------------------------------------------------

tokens = st.from_regex(r"[1-9][0-9]{0,3}\|[A-Za-z0-9/+=_.~-]{20,40}", fullmatch=True)
"""Personal access tokens: a number, and a secret."""

_CHARACTER: list[Callable[[str], str]] = [
    lambda char: char,
    lambda char: f"\\u{ord(char):04x}",
    lambda char: f"\\u{ord(char):04X}",
    lambda char: f"\\\\\\u{ord(char):04x}",
    lambda char: f"\\x{ord(char):02x}",
    lambda char: char if char in "uUxX" else f"\\{char}",  # those begin another escape
    lambda char: char if char in "uUxX" else f"\\\\\\{char}",
    lambda char: f"%{ord(char):02x}",
    lambda char: f"%{ord(char):02X}",
    lambda char: f"%25{ord(char):02x}",
    lambda char: f"%u{ord(char):04x}",
    lambda char: f"&#{ord(char)};",
    lambda char: f"&#x{ord(char):X};",
    lambda char: {"|": "&vert;", "/": "&sol;", "+": "&plus;", "=": "&equals;"}.get(char, char),
]
_WHOLE: list[Callable[[str], str]] = [
    json.dumps,
    lambda text: json.dumps(text).replace("/", "\\/"),  # as PHP does
    quote,
    lambda text: quote(text, safe=""),
    html.escape,
]


@st.composite
def spelled(draw: st.DrawFn, text: str) -> str:
    """The text with each character in some spelling, then the whole encoded up to three times."""
    text = draw(st.sampled_from([text, text.upper(), text.lower()]))
    spellings = draw(st.lists(st.sampled_from(_CHARACTER), min_size=1, max_size=4))
    written = "".join(draw(st.sampled_from(spellings))(char) for char in text)
    for encode in draw(st.lists(st.sampled_from(_WHOLE), max_size=3)):
        written = encode(written)
    return written


def readings(text: str) -> set[str]:
    """All that a reader can make of the text by decoding it again and again."""
    found, new = set[str](), {text.replace("\0", "")}
    while new:
        found |= new
        new = {decode(each) for each in new for decode in _DECODERS} - found
    return found


def _json_unescaped(text: str) -> str:
    return re.sub(
        r"(?:\\+(?:u00|x)|%u00)([0-9a-f]{2})",
        lambda hit: chr(int(hit[1], 16)),
        text,
        flags=re.IGNORECASE,
    )


_DECODERS: list[Callable[[str], str]] = [
    unquote,
    html.unescape,
    _json_unescaped,
    lambda text: re.sub(r"\\+(?!(?:u00|x)[0-9a-f]{2})", "", text, flags=re.IGNORECASE),
]
