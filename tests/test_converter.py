"""The public converter: the documented bodies, parts of them, and types that no model has."""

import copy
import json
import pickle
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Literal

import attrs
import pytest

from raydocs_async import (
    APIResponseValidationError,
    Document,
    Session,
    SessionStatus,
    Source,
    converter,
)
from raydocs_async._converter import ModelConverter, decode
from raydocs_async._model import WIRE_NAMES, AnyId, Model
from tests.strategies import GUIDE, ODD_SESSION, REFERENCE, Json, encoded
from tests.support.sessions import CONVERTERS, GUIDE_SESSION, REFERENCE_SESSION, rewritten, same

DOCUMENTED = [
    pytest.param(REFERENCE, REFERENCE_SESSION, id="reference"),
    pytest.param(GUIDE, GUIDE_SESSION, id="guide"),
]


@pytest.mark.parametrize(("body", "session"), DOCUMENTED)
def test_documented_bodies_are_read(body: bytes, session: Session) -> None:
    """Each field of the documented bodies is read into the field of the models."""
    assert decode(body, Session) == session


@pytest.mark.parametrize(("body", "session"), DOCUMENTED)
def test_documented_bodies_are_written_as_they_came(body: bytes, session: Session) -> None:
    """A documented body is written as it came: keys, order, values."""
    assert same(rewritten(body), json.loads(body))


@pytest.mark.parametrize(("body", "session"), DOCUMENTED)
def test_built_by_hand(body: bytes, session: Session) -> None:
    """A session that was built by hand is written and read back as an equal one."""
    assert decode(converter.dumps(session), Session) == session


def test_built_by_hand_leaves_out_what_is_not_set() -> None:
    """Of a session built by hand, only the required fields and those that were set are written."""
    written = json.loads(converter.dumps(GUIDE_SESSION))
    assert written == json.loads(GUIDE)


def test_loads() -> None:
    """`loads` reads a body."""
    assert converter.loads(GUIDE, Session) == GUIDE_SESSION


def test_unstructure() -> None:
    """`unstructure` returns plain dictionaries."""
    assert converter.unstructure(decode(REFERENCE, Session)) == json.loads(REFERENCE)


def test_structure_a_part() -> None:
    """A part of a session can be read by itself."""
    part = json.loads(REFERENCE)["documents"][0]
    assert converter.structure(part, Document) == REFERENCE_SESSION.documents[0]


def test_structure_a_status() -> None:
    """A status read by itself is a member if it is known, and else the string."""
    read = [converter.structure(status, SessionStatus) for status in ("failed", "new")]
    assert (read, type(read[0])) == ([SessionStatus.FAILED, "new"], SessionStatus)


def test_null_is_no_status() -> None:
    """``null`` is refused as a status, unless the type has ``None``, too."""
    with pytest.raises(APIResponseValidationError, match=r"\$ is null, not a string$"):
        converter.structure(None, SessionStatus)


def test_an_open_status_in_any_order() -> None:
    """The order of the enumeration and `str` in a type makes no difference."""
    kind: Any = str | SessionStatus
    assert converter.structure("failed", kind) is SessionStatus.FAILED


def test_a_status_is_written_as_a_plain_string() -> None:
    """A status is written as an exact `str`, for libraries that dispatch by type."""
    assert type(converter.unstructure(SessionStatus.FAILED)) is str


def test_a_choice_of_types_that_no_model_has() -> None:
    """A union that no model has is read as cattrs reads it."""
    kind: Any = int | str
    assert [converter.structure(value, kind) for value in (1, "x")] == [1, "x"]


def test_what_no_model_has() -> None:
    """A type that no model has is read by cattrs, as a body and within a tuple."""
    kind: Any = Literal["a"]
    assert converter.loads(b'"a"', kind) == "a"
    assert converter.structure(["a"], tuple[kind, ...]) == ("a",)


def test_structure_another_collection() -> None:
    """A collection that no model has is read, and its bad items are refused by their places."""
    assert converter.structure([1], deque[int]) == deque([1])
    with pytest.raises(APIResponseValidationError, match=r"\$\[0\] is a string, not an integer$"):
        converter.structure(["x"], deque[int])


@attrs.frozen(kw_only=True)
class Odd(Model):
    """A model with a renamed collection, and with a collection of parts that may be empty."""

    parts: tuple[int, ...] = attrs.field(default=(), metadata={WIRE_NAMES: ("theParts",)})
    sources: tuple[Source, ...] = ()


@pytest.mark.parametrize(("sent", "read"), [({"theParts": [1]}, (1,)), ({"theParts": None}, ())])
def test_a_collection_has_its_own_spelling(sent: Json, read: tuple[int, ...]) -> None:
    """A collection is read under its name in JSON, as any other field."""
    assert converter.structure(sent, Odd).parts == read


def test_an_empty_array_of_parts_that_may_be_empty() -> None:
    """``[]`` for a collection is an empty collection, even if its items may be ``[]``, too."""
    odd = converter.structure({"sources": [], "theParts": None}, Odd)
    assert (odd.sources, odd.wire_values) == ((), (("parts", None),))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_converter_pickles_as_its_name(protocol: int) -> None:
    """The pickled converter is loaded as the global converter of the loading process."""
    assert pickle.loads(pickle.dumps(converter, protocol)) is converter


def test_a_copy_of_the_converter_does_not_pickle() -> None:
    """A copy refuses to be pickled, because its hooks could not follow it."""
    with pytest.raises(TypeError, match=r"; make it in a module, which each process imports$"):
        pickle.dumps(converter.copy())


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_are_independent(duplicate: Callable[[ModelConverter], ModelConverter]) -> None:
    """A hook of a copy, however it was copied, does not reach the converter itself."""
    ours = duplicate(converter)
    ours.register_structure_hook(int, lambda value, _: int(value))
    assert ours.structure("1", int) == 1
    with pytest.raises(APIResponseValidationError):
        converter.structure("1", int)


@CONVERTERS
def test_a_copy_reads_sessions(ours: ModelConverter) -> None:
    """A copy of the converter reads and writes sessions as the converter does."""
    session = ours.loads(encoded(ODD_SESSION), Session)
    assert (session, ours.unstructure(session)) == (
        decode(encoded(ODD_SESSION), Session),
        ODD_SESSION,
    )


def test_other_unions_and_tuples() -> None:
    """Unions and tuples that no model has are read as cattrs reads them."""
    kind: Any = tuple[int, str]
    assert converter.structure([1, "x"], kind) == (1, "x")
    maybe: Any = int | str | None
    assert [converter.structure(value, maybe) for value in (None, 1, "x")] == [None, 1, "x"]


def test_each_thread_reads_odd_spellings() -> None:
    """Odd spellings are remembered in every thread, not only in the importing one."""
    wire = json.loads(GUIDE) | {"settings": []}
    with ThreadPoolExecutor(1) as pool:
        session = pool.submit(converter.structure, wire, Session).result()
    assert converter.unstructure(session)["settings"] == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(bool, "false", id="M7 'false' for a boolean"),
        pytest.param(bool, 1, id="M7 1 for a boolean"),
        pytest.param(int, 3.7, id="M7 3.7 for an integer"),
        pytest.param(int, True, id="M7 true for an integer"),
        pytest.param(float, "1.5", id="M7 '1.5' for a number"),
        pytest.param(str, None, id="M6 null for a string"),
        pytest.param(tuple[str, ...], "abc", id="a string for an array"),
    ],
)
def test_no_kind_of_value_is_coerced(kind: Any, value: Json) -> None:
    """Types that no model has yet are read as strictly as the others."""
    with pytest.raises(
        APIResponseValidationError, match=r"\$ is (an? .*, not an? |null, not a string$)"
    ):
        converter.structure(value, kind)


@pytest.mark.parametrize(("kind", "value"), [(bool, True), (int, 3), (float, 1.5), (str, "x")])
def test_plain_kinds(kind: Any, value: Json) -> None:
    """A value of the right type is itself."""
    assert converter.structure(value, kind) is value


def test_odd_spellings_outside_of_a_model() -> None:
    """A time or an id outside of a model is read, and its spelling is forgotten."""
    workspace: Any = AnyId
    moment = converter.structure("2024-01-15T10:30:00.000000Z", datetime)
    assert moment == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert converter.structure(12, workspace) == "12"


def test_a_model_that_is_no_object() -> None:
    """The error names the place and the type of a value that should be an object."""
    wire = json.loads(GUIDE) | {"documents": ["secret"]}
    with pytest.raises(APIResponseValidationError) as caught:
        converter.copy().structure(wire, Session)
    assert caught.value.message == (
        "the body is not as documented: $.documents[0] is a string, not an object"
    )


def test_every_reader_of_a_mapping_is_strict() -> None:
    """A mapping is read strictly by a reader that was made without the cache, too."""
    ours = converter.copy()
    ours.get_structure_hook(dict[str, int], cache_result=False)
    with pytest.raises(APIResponseValidationError, match=r"\$ is an array, not an object"):
        ours.structure([1], dict[str, int])


def test_the_values_of_a_mapping_are_read_strictly() -> None:
    """The values of a mapping are read by their type, and not coerced."""
    ours = converter.copy()  # which has no reader for it yet
    assert ours.structure({"a": 1}, dict[str, int]) == {"a": 1}
    with pytest.raises(APIResponseValidationError):
        ours.structure({"a": "1"}, dict[str, int])
