"""Objects of JSON to models and back, without loss.

A model remembers three things that its fields cannot tell: the keys that no field knows
(``extra``), which keys were there, in which spelling and order (``wire_keys``), and the values that
would be written otherwise than they came (``wire_values``).
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import datetime
from types import UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin, is_typeddict

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from raydocs_async import _strict
from raydocs_async._model import WIRE_NAMES, AnyId, Model
from raydocs_async._strict import Mismatch, Note, Reader
from raydocs_async._validators import is_pydantic

Attribute: TypeAlias = "attrs.Attribute[Any]"

JSON_MAP = Mapping[str, Any]
_BASE_FIELDS = tuple(each.name for each in attrs.fields(Model))
_set_keys = Model.wire_keys.__set__  # type: ignore[attr-defined]  # the slot; no `__setattr__` refuses
_set_values = Model.wire_values.__set__  # type: ignore[attr-defined]
_set_extra = Model.extra.__set__  # type: ignore[attr-defined]


class _Notes(threading.local):
    """The odd spellings in the object that a thread reads now, and in those around it.

    cattrs passes nothing to a field's reader but the value, so what it has to say about the value
    goes this way.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []


_notes = _Notes()


def is_model(type_: Any) -> bool:
    """Return True for a model of this library, False for a user's own class."""
    return isinstance(type_, type) and issubclass(type_, Model)


def is_record(type_: Any) -> bool:
    """Return True for an attrs class, a data class or a TypedDict; pydantic's are its own."""
    if is_pydantic(type_):
        return False
    return attrs.has(type_) or is_dataclass(type_) or is_typeddict(get_origin(type_) or type_)


def array_or_object(type_: Any) -> tuple[Any, Any] | None:
    """Return the two types of a union like ``tuple[Item, ...] | Page``, which JSON tells apart."""
    args = get_args(type_) if get_origin(type_) in (UnionType, Union) else ()
    arrays = [each for each in args if get_origin(each) in _strict.ARRAYS]
    records = [each for each in args if is_record(each)]
    return (arrays[0], records[0]) if len(args) == 2 and arrays and records else None


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
        fields = [each for each in attrs.fields(model) if each.name not in _BASE_FIELDS]
        spellings = [each.metadata.get(WIRE_NAMES, (each.name,)) for each in fields]
        return cls(
            fields={names[0]: each for names, each in zip(spellings, fields, strict=True)},
            aliases={older: names[0] for names in spellings for older in names[1:]},
        )

    @property
    def can_be_empty(self) -> bool:
        """True if no field is required, so that PHP may write an empty object as ``[]``."""
        return all(each.default is not attrs.NOTHING for each in self.fields.values())

    def split(self, wire: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split an object into the values of fields, by current spelling, and unknown keys."""
        known: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, value in wire.items():
            current = self.aliases.get(key, key)
            if current in self.fields and (key == current or current not in wire):
                known[current] = value
            else:
                extra[key] = value
        return known, extra


def model_reader(model: Any, converter: Converter) -> Reader:
    """A reader of JSON objects into `model`."""
    shape = Shape.of(model)
    knows_all = frozenset(shape.fields).issuperset
    fields: dict[str, Any] = {name: override(omit=True) for name in _BASE_FIELDS}
    for key, each in shape.fields.items():
        hook = field_reader(each, converter, _noting(each.name))
        fields[each.name] = override(rename=key, struct_hook=hook)
    plain = make_dict_structure_fn(model, converter, **fields)

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            raise Mismatch("an object", value)
        notes = _notes.taken
        before = len(notes)
        try:
            if knows_all(value):
                instance = plain(value, model)
            else:
                known, extra = shape.split(value)
                instance = plain(known, model)
                _set_extra(instance, extra)
        except BaseException:
            del notes[before:]
            raise
        _set_keys(instance, tuple(value))
        if len(notes) > before:
            _set_values(instance, tuple(notes[before:]))
            del notes[before:]
        return instance

    return read


def _noting(name: str) -> Note:
    def note(wire: Any) -> None:
        _notes.taken.append((name, wire))

    return note


def field_reader(attribute: Attribute, converter: Converter, note: Note) -> Reader:
    """The reader of a field, which notes what would be written otherwise than it came."""
    type_, default = attribute.type, attribute.default
    inner: Any = next(iter(get_args(type_)), type_)
    if type_ == AnyId:
        return _strict.any_id(note)
    if type_ in (datetime, datetime | None):
        return _strict.time(note, nullable=type_ != datetime)
    if type_ is Any:
        return _strict.free_form(note)
    read = _strict.json_map(note) if type_ == JSON_MAP else converter.get_structure_hook(type_)
    if get_origin(type_) is not tuple and is_model(inner) and Shape.of(inner).can_be_empty:
        return _strict.or_empty(read, inner, note)
    if default is None or default is attrs.NOTHING:
        return read
    return _strict.or_default(read, lambda: _default(attribute), note)


def model_writer(model: Any, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    """Write the keys that were read, in their order, then whatever has been set since."""
    shape = Shape.of(model)
    writers = {key: _field_writer(each, converter) for key, each in shape.fields.items()}

    def write(instance: Any) -> dict[str, Any]:
        extra = dict(instance.extra)
        spelled = dict(instance.wire_values)
        unwritten = dict(shape.fields)
        wire: dict[str, Any] = {}
        for key in instance.wire_keys:
            current = shape.aliases.get(key, key)
            if key in extra:
                wire[key] = extra.pop(key)
            elif unwritten.pop(current, None):
                wire[key] = writers[current](instance, spelled)
        for key, attribute in unwritten.items():
            if getattr(instance, attribute.name) != _default(attribute):
                wire[key] = writers[key](instance, spelled)
        return wire | extra

    return write


def _field_writer(attribute: Attribute, converter: Converter) -> Callable[[Any, Any], Any]:
    """Write a field as it was spelled if that still means its value, or else in the usual way."""
    name = attribute.name
    read = field_reader(attribute, converter, _strict.forget)
    is_json = attribute.type in (Any, JSON_MAP)  # and can be too deep for cattrs

    def write(instance: Any, spelled: Mapping[str, Any]) -> Any:
        value = getattr(instance, name)
        if name in spelled:
            wire = [] if spelled[name] == () else spelled[name]
            if read(wire, None) == value:
                return wire
        return value if is_json else converter.unstructure(value)

    return write


def _default(attribute: Attribute) -> Any:
    default: Any = attribute.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
