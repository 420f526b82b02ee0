"""JSON to models and back, without loss and without coercion.

`converter` is a cattrs converter with other rules:

- It refuses a value of the wrong type (`_strict`), in users' own classes, too.
- It reads this library's models without loss (`_shapes`), and writes them as they were read.
- It keeps an unknown status as a string, and reads PHP's ``[]`` for an empty map as a mapping.

It runs without cattrs' detailed validation, which makes invalid input cost ten times as much. After
a failure, `_problems` finds the invalid places.
"""

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from datetime import datetime
from enum import StrEnum
from functools import partial
from operator import eq
from types import NoneType, UnionType
from typing import Any, Self, TypeVar, get_args, get_origin, is_typeddict
from uuid import UUID

import msgspec
from cattrs import Converter
from cattrs.errors import StructureHandlerNotFoundError
from cattrs.gen import make_mapping_structure_fn
from cattrs.preconf.msgspec import MsgspecJsonConverter, configure_converter

from raydocs_async import _strict
from raydocs_async._model import AnyId, Status
from raydocs_async._problems import shape_problem
from raydocs_async._shapes import (
    JSON_MAP,
    array_or_object,
    is_array,
    is_fixed_tuple,
    is_map,
    is_model,
    is_record,
    model_reader,
    model_writer,
)
from raydocs_async._strict import Reader
from raydocs_async._validators import (
    is_pydantic,
    is_struct,
    read_pydantic,
    read_struct,
    refusal,
    type_name,
)
from raydocs_async.errors import PAYLOAD_LIMIT, APIResponseValidationError

M = TypeVar("M")

_INVALID_BODY = "the body is not as documented: "
_decode = msgspec.json.Decoder().decode


class ModelConverter(MsgspecJsonConverter):
    """A cattrs converter whose failures are this library's, and name the place."""

    def loads(self, data: bytes, cl: type[M], **_: Any) -> M:
        """Read JSON as `cl`.

        Raises:
            APIResponseValidationError: `data` is not JSON, or does not have the shape of `cl`. The
                message names places and types but no content; the error's `payload` is the first
                ``PAYLOAD_LIMIT`` bytes of `data`.
        """
        payload, truncated = None, False
        try:
            payload = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            message, truncated = _json_problem(exc), _is_cut(data, exc)
        else:
            built: M
            built, problem = _read(self, payload, cl)
            if not problem:
                return built
            message = _INVALID_BODY + problem
        error = APIResponseValidationError(
            message,
            payload=data[:PAYLOAD_LIMIT],
            payload_size=len(data),
            truncated=truncated,
        )
        # A traceback with captured locals shows this frame, and must not show document data.
        data, payload = b"", None
        raise error

    def structure(self, obj: Any, cl: type[M]) -> M:
        """Build a `cl` from parsed JSON.

        Raises:
            APIResponseValidationError: `obj` does not have the shape of `cl`.
        """
        built: M
        built, problem = _read(self, obj, cl)
        if not problem:
            return built
        obj = None
        raise APIResponseValidationError(_INVALID_BODY + problem)

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self.copy()

    def __reduce__(self) -> str:
        """Return the global name of `converter`, under which another process has its own one.

        Raises:
            TypeError: this is a copy, whose hooks no other process has.
        """
        if self is not converter:
            raise TypeError(
                "a copy of the converter cannot be pickled; make it in a module, which each "
                "process imports"
            )
        return "converter"


_is_reading: ContextVar[bool] = ContextVar("is_reading", default=False)
"""True in the context of a reader, where only cattrs calls `structure`, for recursive classes."""


def _read(converter: Converter, wire: Any, type_: Any, root: str = "$") -> tuple[Any, str]:
    """Return the value and no problem, or the problems alone.

    No exception of a reader goes on, because a message, or a local variable, can hold the value.
    """
    read = converter.get_structure_hook(type_)
    # A variable set in a copy needs no resetting, which an interrupt could prevent.
    context = copy_context()
    context.run(_is_reading.set, True)
    try:
        return context.run(read, wire, type_), ""
    except StructureHandlerNotFoundError:
        raise
    except Exception:
        pass
    if _is_reading.get():
        # A recursive class. Each level would look for the places below it, and again for its own,
        # which takes a time exponential in their depth.
        return None, f"{root} {refusal(type_)}"
    return None, context.run(shape_problem, wire, type_, converter, root)


def _is_cut(body: bytes, problem: Exception) -> bool:
    """Return True if the JSON ended too early.

    The parser does not call JSON truncated that ends within a number, so a digit is tried.
    """
    if isinstance(problem, msgspec.DecodeError) and "invalid number" in str(problem):
        try:
            _decode(body + b"0")
        except msgspec.DecodeError as exc:
            problem = exc
    return "truncated" in str(problem)


def _json_problem(exc: Exception) -> str:
    match exc:
        case RecursionError():
            return "the body is not usable JSON: it is nested too deeply"
        case UnicodeDecodeError():  # its message quotes the body
            return "the body is not JSON: it is not UTF-8"
        case _:
            return f"the body is not JSON: {exc}"


def _read_status(value: Any, statuses: type[Status]) -> Any:
    return _strict.open_status(statuses)(value, statuses)


def _open_status_reader(type_: Any, _: Converter) -> Reader:
    statuses = next(filter(_is_enumeration, get_args(type_)))
    return _strict.open_status(statuses, nullable=NoneType in get_args(type_))


def _array_reader(type_: Any, converter: Converter) -> Reader:
    item = next(iter(get_args(type_)), Any)
    collect = _strict.ARRAYS[get_origin(type_) or type_]
    return _strict.items(converter.get_structure_hook(item), item, collect)


def _fixed_tuple_reader(type_: Any, converter: Converter) -> Reader:
    types = get_args(type_)
    return _strict.fixed_items([(converter.get_structure_hook(each), each) for each in types])


def _array_or_object_reader(type_: Any, converter: Converter) -> Reader:
    either = array_or_object(type_)
    assert either is not None  # by the predicate that selects this reader
    array, record = either
    read_array = converter.get_structure_hook(array)
    read_object = converter.get_structure_hook(record)

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is list:
            return read_array(value, array)
        return read_object(value, record)

    return read


_being_made: ContextVar[frozenset[Any]] = ContextVar("being_made", default=frozenset())
"""The TypedDicts whose readers are being made in this context."""


def _typeddict_reader(type_: Any, converter: Converter) -> Reader:
    if type_ in _being_made.get():
        # A recursive one. Unlike with classes, cattrs would make its reader again, without end.
        return lambda value, _: converter.get_structure_hook(type_)(value, type_)
    context = copy_context()
    context.run(_being_made.set, _being_made.get() | {type_})
    return _strict.an_object(context.run(converter.gen_structure_typeddict, type_))


def _object_reader(type_: Any, converter: Converter) -> Reader:
    if is_typeddict(get_origin(type_) or type_):
        return _typeddict_reader(type_, converter)
    return _strict.an_object(converter.gen_structure_attrs_fromdict(type_))


def _map_reader(type_: Any, converter: Converter) -> Reader:
    # `Converter.gen_structure_mapping` would register its own hook in the place of this one.
    return _strict.an_object(make_mapping_structure_fn(type_, converter))


def _is_enumeration(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, StrEnum)


def _is_open_status(type_: Any) -> bool:
    return isinstance(type_, UnionType) and any(map(_is_enumeration, get_args(type_)))


def _is_optional(type_: Any) -> bool:
    args = get_args(type_)
    return isinstance(type_, UnionType) and NoneType in args and len(args) == 2


def _optional_reader(type_: Any, converter: Converter) -> Reader:
    (inner,) = (arg for arg in get_args(type_) if arg is not NoneType)
    return _strict.or_default(converter.get_structure_hook(inner), lambda: None)


def _register_writers(converter: Converter) -> None:
    converter.register_unstructure_hook(UUID, str)
    converter.register_unstructure_hook(datetime, _strict.write_time)
    converter.register_unstructure_hook(Status, str)
    converter.register_unstructure_hook_factory(is_model, model_writer)


def _register_readers(converter: Converter) -> None:
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _strict.scalar(kind))
    converter.register_structure_hook(float, _strict.read_float)
    converter.register_structure_hook(UUID, _strict.read_uuid)
    converter.register_structure_hook(Status, _read_status)
    converter.register_structure_hook(datetime, _strict.time(_strict.drop_spelling))
    factories: list[tuple[Callable[[Any], bool], Callable[[Any, Converter], Reader]]] = [
        (is_record, _object_reader),
        (is_model, model_reader),
        (is_array, _array_reader),
        (is_fixed_tuple, _fixed_tuple_reader),
        (is_map, _map_reader),
        (_is_optional, _optional_reader),
        (lambda type_: array_or_object(type_) is not None, _array_or_object_reader),
        (_is_open_status, _open_status_reader),
    ]
    for predicate, factory in factories:
        converter.register_structure_hook_factory(predicate, factory)
    converter.register_structure_hook(msgspec.Struct, read_struct)  # a class, which goes first
    converter.register_structure_hook_func(is_struct, read_struct)  # a parametrised one
    converter.register_structure_hook_func(is_pydantic, read_pydantic)
    for type_, read in (
        (JSON_MAP, _strict.json_map(_strict.drop_spelling)),
        (AnyId, _strict.any_id(_strict.drop_spelling)),
        (str | None, _strict.scalar_or_none(str)),
        (int | None, _strict.scalar_or_none(int)),
    ):
        converter.register_structure_hook_func(partial(eq, type_), read)


def _build() -> ModelConverter:
    converter = ModelConverter(detailed_validation=False)
    configure_converter(converter)
    _register_readers(converter)
    _register_writers(converter)
    return converter


converter = _build()
"""Reads and writes all models: ``converter.loads(data, Session)``, ``converter.dumps(session)``."""

decode = converter.loads
"""Read a reply's body as a model."""


def read_data(data: Any, type_: type[M]) -> M:
    """Read a result's data as a user's own class.

    Raises:
        APIResponseValidationError: the data does not fit; the message names places under ``$.data``
            and types.
    """
    read: M
    read, problem = _read(converter, data, type_, "$.data")
    if not problem:
        return read
    data = None
    raise APIResponseValidationError(
        f"the result's data does not fit {type_name(type_)}: {problem}"
    )
