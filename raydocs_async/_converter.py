"""JSON to models and back, without loss and without coercion.

`converter` is the one cattrs converter. It differs from a plain one in this:

- a value of the wrong type is refused (`_strict`);
- keys that a model does not know are kept in its ``extra``, and which keys were there, in which
  spelling, in ``wire_keys``, so that an object is written as it was read;
- a status that no enumeration knows stays a string, PHP's ``[]`` for an empty map is a mapping.

Structuring runs without cattrs' detailed validation, which makes bad input ten times as dear.
Only when it has failed is the payload walked again, to name the places (`$.documents[1].size`).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import islice
from operator import eq
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, get_args, get_origin
from uuid import UUID

import attrs
import msgspec
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override
from cattrs.preconf.msgspec import MsgspecJsonConverter, configure_converter

from raydocs_async import _strict
from raydocs_async._strict import Mismatch, Reader
from raydocs_async.errors import APIResponseValidationError
from raydocs_async.models import (
    WIRE_NAMES,
    DocumentStatus,
    ParsingStatus,
    ResultStatus,
    SessionStatus,
    WorkspaceId,
)

M = TypeVar("M")
Attribute: TypeAlias = "attrs.Attribute[Any]"

_OURS = ("extra", "wire_keys")
_MAP = Mapping[str, Any]
_PROBLEMS_NAMED = 3
_STATUSES = (SessionStatus, DocumentStatus, ParsingStatus, ResultStatus)

_decode = msgspec.json.Decoder().decode
_set = object.__setattr__


def decode(body: bytes, model: type[M]) -> M:
    """Read a reply's body as `model`.

    Raises:
        APIResponseValidationError: the body is no JSON, or not of the model's shape. The message
            names places and types but no content; the body is the error's `payload`.
    """
    read: Reader = converter.get_structure_hook(model)
    payload = None
    try:
        payload = _decode(body)
        model_read: M = read(payload, model)
        return model_read
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        message, truncated = _json_problem(exc), _is_cut(body, exc)
    except (Mismatch, KeyError):
        message, truncated = _shape_problem(payload, model), False
    error = APIResponseValidationError(message, payload=body, truncated=truncated)
    # A traceback with captured locals shows this frame, and document data is not for it.
    body, payload = b"", None
    raise error


def _is_cut(body: bytes, problem: Exception) -> bool:
    """Whether the JSON ended too early; cut in a number, it is only malformed to the parser."""
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
        case UnicodeDecodeError():  # its own message quotes the body
            return "the body is not JSON: it is not UTF-8"
        case _:
            return f"the body is not JSON: {exc}"


def _shape_problem(payload: Any, model: Any) -> str:
    named = islice(_problems(payload, model, "$"), _PROBLEMS_NAMED)
    return "the body is not as documented: " + "; ".join(named)


def _problems(value: Any, type_: Any, path: str) -> Iterator[str]:
    """Each place where `value` is not what `type_` asks for, with what is wrong there."""
    if isinstance(type_, UnionType):  # of an optional model, the model
        type_ = next(filter(attrs.has, get_args(type_)), type_)
    if attrs.has(type_) and value.__class__ is dict:
        yield from _field_problems(value, type_, path)
    elif get_origin(type_) is tuple and value.__class__ is list:
        for index, item in enumerate(value):
            yield from _problems(item, get_args(type_)[0], f"{path}[{index}]")
    else:
        try:
            converter.get_structure_hook(type_)(value, type_)
        except Mismatch as mismatch:
            yield f"{path} {mismatch}"


def _field_problems(wire: dict[str, Any], model: Any, path: str) -> Iterator[str]:
    shape = Shape.of(model)
    known, extra = shape.split(wire)
    spelled = {shape.aliases.get(key, key): key for key in wire if key not in extra}
    for key, attribute in shape.fields.items():
        if key not in known:
            if attribute.default is attrs.NOTHING:
                yield f"{path}.{key} is missing"
        elif known[key] is not None or attribute.default is attrs.NOTHING:
            yield from _problems(known[key], attribute.type, f"{path}.{spelled[key]}")


@attrs.frozen
class Shape:
    """A model's fields as JSON spells them."""

    fields: Mapping[str, Attribute]
    """Those of the API, by their current spelling."""
    aliases: Mapping[str, str]
    """Older spelling → current spelling."""

    @classmethod
    def of(cls, model: Any) -> "Shape":
        """Read the spellings off the model's field metadata."""
        fields = [each for each in attrs.fields(model) if each.name not in _OURS]
        spellings = [each.metadata.get(WIRE_NAMES, (each.name,)) for each in fields]
        return cls(
            fields={names[0]: each for names, each in zip(spellings, fields, strict=True)},
            aliases={older: names[0] for names in spellings for older in names[1:]},
        )

    def split(self, wire: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the fields take, by current spelling, and what no field knows."""
        known: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, value in wire.items():
            current = self.aliases.get(key, key)
            if current in self.fields and (key == current or current not in wire):
                known[current] = value
            else:
                extra[key] = value
        return known, extra


def _model_reader(model: Any, converter: Converter) -> Reader:
    shape = Shape.of(model)
    names = shape.fields.keys()
    fields: dict[str, Any] = {name: override(omit=True) for name in _OURS}
    fields |= {each.name: _reading(key, each, converter) for key, each in shape.fields.items()}
    plain = make_dict_structure_fn(model, converter, **fields)
    can_be_empty = all(each.default is not attrs.NOTHING for each in shape.fields.values())

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            if value != [] or not can_be_empty:
                raise Mismatch("an object", value)
            value = {}  # as PHP writes it
        if value.keys() <= names:
            instance = plain(value, model)
        else:
            known, extra = shape.split(value)
            instance = plain(known, model)
            _set(instance, "extra", extra)
        _set(instance, "wire_keys", tuple(value))
        return instance

    return read


def _reading(key: str, attribute: Attribute, converter: Converter) -> Any:
    """How cattrs reads a field: by which key, and a collection's ``null`` as its absence."""
    type_, default = attribute.type, attribute.default
    if default is None or default is attrs.NOTHING:
        return override(rename=key)
    empty = _strict.NullItems if default == () else _strict.EmptyMap
    return override(
        rename=key, struct_hook=_strict.or_default(converter.get_structure_hook(type_), empty)
    )


def _model_writer(model: Any, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    """Write the keys that were read, in their order, then whatever has been set since."""
    shape = Shape.of(model)
    writers = {key: _writer(each, converter) for key, each in shape.fields.items()}

    def write(instance: Any) -> dict[str, Any]:
        extra = dict(instance.extra)
        wire: dict[str, Any] = {}
        unwritten = dict(shape.fields)
        for key in instance.wire_keys:
            current = shape.aliases.get(key, key)
            if key in extra:
                wire[key] = extra.pop(key)
            elif attribute := unwritten.pop(current, None):
                wire[key] = writers[current](getattr(instance, attribute.name))
        for key, attribute in unwritten.items():
            value = getattr(instance, attribute.name)
            if value != _default(attribute):
                wire[key] = writers[key](value)
        return wire | extra

    return write


def _writer(attribute: Attribute, converter: Converter) -> Callable[[Any], Any]:
    """How a field is written: what is free-form is JSON already, however deep."""
    return _write_free_form if attribute.type in (Any, _MAP) else converter.unstructure


def _write_free_form(value: Any) -> Any:
    return value.wire if isinstance(value, _strict.EmptyMap) and not value else value


def _default(attribute: Attribute) -> Any:
    default: Any = attribute.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def _optional_reader(type_: Any, converter: Converter) -> Reader:
    (inner,) = (arg for arg in get_args(type_) if arg is not NoneType)
    return _strict.or_default(converter.get_structure_hook(inner), lambda: None)


def _status_reader(type_: Any, _: Converter) -> Reader:
    statuses = next(filter(_is_status, get_args(type_)))
    return _strict.open_status(statuses, nullable=NoneType in get_args(type_))


def _tuple_reader(type_: Any, converter: Converter) -> Reader:
    item = get_args(type_)[0]
    return _strict.items(converter.get_structure_hook(item), item)


def _is_status(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, StrEnum)


def _is_open_status(type_: Any) -> bool:
    return isinstance(type_, UnionType) and any(map(_is_status, get_args(type_)))


def _is_optional(type_: Any) -> bool:
    return isinstance(type_, UnionType) and NoneType in get_args(type_)


def _register_writers(converter: Converter) -> None:
    converter.register_unstructure_hook(UUID, str)
    converter.register_unstructure_hook(datetime, _write_time)
    converter.register_unstructure_hook(_strict.IntegerId, int)
    converter.register_unstructure_hook(_strict.NullItems, lambda _: None)
    for statuses in _STATUSES:
        converter.register_unstructure_hook(statuses, str)
    converter.register_unstructure_hook_factory(attrs.has, _model_writer)


def _write_time(moment: datetime) -> str:
    text = moment.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _register_readers(converter: Converter) -> None:
    for kind in (str, int, bool, float):
        converter.register_structure_hook(kind, _strict.scalar(kind))
    for statuses in _STATUSES:
        converter.register_structure_hook(statuses, _strict.open_status(statuses, nullable=False))
    converter.register_structure_hook(UUID, _strict.read_uuid)
    converter.register_structure_hook(datetime, _strict.read_time)
    factories: list[tuple[Callable[[Any], bool], Callable[[Any, Converter], Reader]]] = [
        (attrs.has, _model_reader),
        (lambda type_: get_origin(type_) is tuple, _tuple_reader),
        (_is_optional, _optional_reader),
        (_is_open_status, _status_reader),
    ]
    for predicate, factory in factories:
        converter.register_structure_hook_factory(predicate, factory)
    for type_, read in (
        (Any, _strict.read_free_form),
        (_MAP, _strict.read_map),
        (WorkspaceId, _strict.read_workspace_id),
        (datetime | None, _strict.read_time_or_none),
        (str | None, _strict.scalar_or_none(str)),
        (int | None, _strict.scalar_or_none(int)),
    ):
        converter.register_structure_hook_func(partial(eq, type_), read)


class ModelConverter(MsgspecJsonConverter):
    """A cattrs converter whose failures are this library's, and name the place."""

    def loads(self, data: bytes, cl: type[M], **_: Any) -> M:
        """Read JSON as `cl`.

        Raises:
            APIResponseValidationError: it is no JSON, or not of the model's shape.
        """
        return decode(data, cl)

    def structure(self, obj: Any, cl: type[M]) -> M:
        """Build a `cl` from what a JSON parser returned.

        Raises:
            APIResponseValidationError: it is not of the model's shape.
        """
        try:
            built: M = self.get_structure_hook(cl)(obj, cl)
            return built
        except (Mismatch, KeyError):
            message = _shape_problem(obj, cl)
        obj = None
        raise APIResponseValidationError(message)


def _build() -> ModelConverter:
    converter = ModelConverter(detailed_validation=False)
    configure_converter(converter)
    _register_readers(converter)
    _register_writers(converter)
    return converter


converter = _build()
"""Reads and writes all models: ``converter.loads(data, Session)``, ``converter.dumps(session)``."""
