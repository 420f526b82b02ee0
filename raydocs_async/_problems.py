"""The invalid places of JSON that does not fit its type, such as ``$.documents[1].size``.

Readers stop at the first mismatch, and are fast because they do not know their place. After a
failure this module walks through the JSON once more, and finds the places.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from traceback import walk_tb
from types import NoneType, UnionType
from typing import Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter
from cattrs.errors import StructureHandlerNotFoundError

from raydocs_async import _strict
from raydocs_async._shapes import (
    Shape,
    array_or_object,
    field_reader,
    is_array,
    is_fixed_tuple,
    is_map,
    is_model,
    is_record,
)
from raydocs_async._strict import Mismatch
from raydocs_async._validators import refusal

_PASSED_ON = (
    RecursionError,
    StructureHandlerNotFoundError,  # the class has a type that no reader knows
)
"""Errors that are not the value's. Any other one, such as a validator's, can quote the value."""

_NAMED = 3
"""Problems that a message names, at most."""


def shape_problem(wire: Any, type_: Any, converter: Converter, root: str) -> str:
    """Return the first problems of `wire`, in one line without any of its content.

    Args:
        wire: Parsed JSON.
        type_: The type that `wire` does not fit.
        converter: Provides the readers.
        root: The place of `wire` itself.
    """
    try:
        found = list(islice(_problems(wire, type_, root, converter), _NAMED))
    except RecursionError:
        return f"{root} is nested too deeply"
    # A validator that does not always refuse may have accepted the value now.
    return "; ".join(found) or f"{root} {refusal(type_)}"


def _problems(wire: Any, type_: Any, path: str, converter: Converter) -> Iterator[str]:
    """Yield each place where `wire` does not fit `type_`, with the problem there."""
    type_ = _unqualified(type_)
    if _is_empty(wire, type_):
        return
    type_ = _not_none(type_)
    if either := array_or_object(type_):
        type_ = either[0] if wire.__class__ is list else either[1]
    if is_model(type_) and wire.__class__ is dict:
        yield from _model_problems(wire, type_, path, converter)
    elif is_record(type_) and wire.__class__ is dict:
        yield from _record_problems(wire, type_, path, converter)
    elif (items := _items(wire, type_)) is not None:
        yield from _item_problems(items, wire, type_, path, converter)
    else:
        yield from _problem(wire, type_, path, converter)


def _items(wire: Any, type_: Any) -> Iterable[tuple[str, Any, Any]] | None:
    """Return place, value and type of each item of a collection; ``None`` if `wire` is none."""
    types = get_args(type_)
    if not types:  # any items will do
        return None
    if is_map(type_) and wire.__class__ is dict:
        return (("[...]", each, types[1]) for each in wire.values())  # a key can be data
    if is_array(type_) and wire.__class__ is list:
        return ((f"[{index}]", each, types[0]) for index, each in enumerate(wire))
    if is_fixed_tuple(type_) and wire.__class__ is list and len(wire) == len(types):
        pairs = zip(wire, types, strict=True)
        return ((f"[{index}]", each, item) for index, (each, item) in enumerate(pairs))
    return None


def _item_problems(
    items: Iterable[tuple[str, Any, Any]], wire: Any, type_: Any, path: str, converter: Converter
) -> Iterator[str]:
    """Yield the problems of the items, or of the collection itself, such as a key of another type.

    They come one by one, because `items` can be many.
    """
    problems = (
        problem
        for place, each, item in items
        for problem in _problems(each, item, f"{path}{place}", converter)
    )
    first = next(problems, None)
    if first is None:
        yield from _problem(wire, type_, path, converter)
    else:
        yield first
        yield from problems


def _is_empty(wire: Any, type_: Any) -> bool:
    """Return True for ``null`` in an optional field, which is valid."""
    return wire is None and NoneType in _union(type_)


def _unqualified(type_: Any) -> Any:
    """Return `type_` without ``Required`` or ``NotRequired``, which a TypedDict's key can have."""
    return get_args(type_)[0] if get_origin(type_) in (Required, NotRequired) else type_


def _union(type_: Any) -> tuple[Any, ...]:
    """Return the types of a union; empty for any other type."""
    return get_args(type_) if get_origin(type_) in (UnionType, Union) else ()


def _not_none(type_: Any) -> Any:
    """Return an optional type without ``None``, and any other type unchanged."""
    others = [each for each in _union(type_) if each is not NoneType]
    return others[0] if len(others) == 1 else type_


def _problem(wire: Any, type_: Any, path: str, converter: Converter) -> Iterator[str]:
    try:
        converter.get_structure_hook(type_)(wire, type_)
    except Mismatch as mismatch:
        yield f"{path}{mismatch.place} {mismatch}"
    except _PASSED_ON:
        raise
    except Exception as exc:
        missing = _missing_key(exc)
        yield f"{path} {refusal(type_)}" if missing is None else f"{path}.{missing} is missing"


def _missing_key(exc: Exception) -> object:
    """Return the key that a reader made by cattrs did not find; ``None`` for another error.

    A validator, too, can raise a `KeyError`, and its argument can be the value.
    """
    *_, (frame, _) = walk_tb(exc.__traceback__)
    is_of_cattrs = frame.f_code.co_filename.startswith("<cattrs generated")
    return exc.args[0] if isinstance(exc, KeyError) and is_of_cattrs else None


def _model_problems(
    wire: dict[str, Any], model: Any, path: str, converter: Converter
) -> Iterator[str]:
    shape = Shape.of(model)
    known, extra = shape.split(wire)
    spelled = {shape.aliases.get(key, key): key for key in wire if key not in extra}
    for key, attribute in shape.fields.items():
        if key not in known:
            if attribute.default is attrs.NOTHING:
                yield f"{path}.{key} is missing"
            continue
        try:
            field_reader(attribute, converter, _strict.drop_spelling)(known[key], attribute.type)
        except Exception:
            yield from _problems(known[key], attribute.type, f"{path}.{spelled[key]}", converter)


def _record_problems(
    wire: Mapping[str, Any], record: Any, path: str, converter: Converter
) -> Iterator[str]:
    """Yield the problems of a user's class, field by field as far as keys are names of fields.

    A generic class is read as a whole, because only cattrs resolves its type variables.
    """
    types = {} if get_origin(record) else get_type_hints(record, include_extras=True)
    named = [
        problem
        for name, type_ in types.items()
        if name in wire
        for problem in _problems(wire[name], type_, f"{path}.{name}", converter)
    ]
    yield from named or _problem(wire, record, path, converter)
