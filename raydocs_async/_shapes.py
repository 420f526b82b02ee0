"""Objects of JSON to models and back, without loss.

A model keeps three facts about its JSON that its fields do not show: the keys without a field
(``extra``), the spelling and order of all keys (``wire_keys``), and the values that would be
written in another spelling (``wire_values``).
"""

import threading
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import is_dataclass
from datetime import datetime
from types import UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin, is_typeddict

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from raydocs_async import _strict
from raydocs_async._model import WIRE_NAMES, AnyId, Model
from raydocs_async._strict import KeepSpelling, Mismatch, Reader
from raydocs_async._validators import is_pydantic

Attribute: TypeAlias = "attrs.Attribute[Any]"

JSON_MAP = Mapping[str, Any]
_BASE_FIELDS = tuple(each.name for each in attrs.fields(Model))
"""The fields that every model inherits from `Model`; they are not keys of the API."""


class _Spellings(threading.local):
    """The kept spellings of the object that a thread reads now, and of the objects around it.

    cattrs passes only the value to a field's reader, and takes only the value from it. So a field's
    reader puts the spelling here, and the reader of the whole object takes it from here.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[str, Any]] = []


_spellings = _Spellings()


def is_model(type_: Any) -> bool:
    """Return True for a model of this library, False for a user's own class."""
    return isinstance(type_, type) and issubclass(type_, Model)


def is_record(type_: Any) -> bool:
    """Return True for an attrs class, a data class or a TypedDict, except pydantic's."""
    if is_pydantic(type_):
        return False
    return attrs.has(type_) or is_dataclass(type_) or is_typeddict(get_origin(type_) or type_)


def is_array(type_: Any) -> bool:
    """Return True for a collection of any length, with items of one type."""
    return (get_origin(type_) or type_) in _strict.ARRAYS and not is_fixed_tuple(type_)


def is_fixed_tuple(type_: Any) -> bool:
    """Return True for a tuple of one length, with a type for each item."""
    return get_origin(type_) is tuple and get_args(type_)[1:] != (...,)


def is_map(type_: Any) -> bool:
    """Return True for a mapping with values of one type."""
    return (get_origin(type_) or type_) in (dict, Mapping, MutableMapping)


def array_or_object(type_: Any) -> tuple[Any, Any] | None:
    """Return the two types of a union such as ``tuple[Item, ...] | Page``.

    In JSON, one is an array and the other an object. The result is ``None`` for any other type.
    """
    args = get_args(type_) if get_origin(type_) in (UnionType, Union) else ()
    arrays = [each for each in args if get_origin(each) in _strict.ARRAYS]
    records = [each for each in args if is_record(each)]
    return (arrays[0], records[0]) if len(args) == 2 and arrays and records else None


@attrs.frozen
class Shape:
    """A model's fields as JSON spells them."""

    fields: Mapping[str, Attribute]
    """The fields of the API, by their current spelling."""
    aliases: Mapping[str, str]
    """Older spelling → current spelling."""

    @classmethod
    def of(cls, model: Any) -> "Shape":
        """Return the shape of `model`, by the metadata of its fields."""
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
    """Return a reader of JSON objects into `model`."""
    shape = Shape.of(model)
    knows_all = frozenset(shape.fields).issuperset
    fields: dict[str, Any] = {}
    for key, each in shape.fields.items():
        hook = field_reader(each, converter, _keep_spelling_of(each.name))
        fields[each.name] = override(rename=key, omit=False, struct_hook=hook)
    plain = make_dict_structure_fn(_thawed(model), converter, **fields)

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            raise Mismatch("an object", value)
        kept = _spellings.kept
        before = len(kept)  # those of the objects around this one
        try:
            known, extra = (value, {}) if knows_all(value) else shape.split(value)
            instance = plain(known, model)
            instance.wire_values = tuple(kept[before:])
        finally:
            del kept[before:]
        instance.extra, instance.wire_keys = extra, tuple(value)
        instance.__class__ = model
        return instance

    return read


def _thawed(model: Any) -> Any:
    """Return a twin of `model` that assignments fill, because a frozen object fills slowly."""
    body = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return attrs.define(
        type(model.__name__, (model,), body),
        field_transformer=lambda _, fields: [each.evolve(init=False) for each in fields],
    )


def _keep_spelling_of(name: str) -> KeepSpelling:
    def keep(wire: Any) -> None:
        _spellings.kept.append((name, wire))

    return keep


def field_reader(attribute: Attribute, converter: Converter, keep: KeepSpelling) -> Reader:
    """Return the reader of a field, which keeps a spelling that would be lost otherwise."""
    type_, default = attribute.type, attribute.default
    inner: Any = next(iter(get_args(type_)), type_)
    if type_ == AnyId:
        return _strict.any_id(keep)
    if type_ in (datetime, datetime | None):
        return _strict.time(keep, nullable=type_ != datetime)
    if type_ is Any:
        return _strict.free_form(keep)
    read = _strict.json_map(keep) if type_ == JSON_MAP else converter.get_structure_hook(type_)
    if get_origin(type_) is not tuple and is_model(inner) and Shape.of(inner).can_be_empty:
        return _strict.or_empty(read, inner, keep)
    if default is None or default is attrs.NOTHING:
        return read
    return _strict.or_default(read, lambda: _default(attribute), keep)


def model_writer(model: Any, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    """Return a writer: first the keys that were read, in their order, then fields set since."""
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
    """Return a writer of a field: in the kept spelling if the field still has that value."""
    name = attribute.name
    read = field_reader(attribute, converter, _strict.drop_spelling)
    is_json = attribute.type in (Any, JSON_MAP)  # JSON already, and cattrs would recurse through it

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
