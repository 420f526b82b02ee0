"""The invalid places of JSON that does not fit its type, such as ``$.documents[1].size``.

Readers stop at the first mismatch, and are fast because they do not know their place. After a
failure this module walks through the JSON once more, and finds the places.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from types import NoneType, UnionType
from typing import Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter

from raydocs_async import _strict
from raydocs_async._shapes import Shape, array_or_object, field_reader, is_model, is_record
from raydocs_async._strict import Mismatch

_NAMED = 3
"""Problems that a message names, at most."""


def shape_problem(wire: Any, type_: Any, converter: Converter, root: str = "$") -> str:
    """Return the first problems of `wire`, in one line without any of its content.

    Args:
        wire: Parsed JSON.
        type_: The type that `wire` does not fit.
        converter: Provides the readers.
        root: The place of `wire` itself.
    """
    try:
        return "; ".join(islice(_problems(wire, type_, root, converter), _NAMED))
    except RecursionError:
        return f"{root} is nested too deeply"


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
    elif get_origin(type_) in _strict.ARRAYS and wire.__class__ is list:
        for index, item in enumerate(wire):
            yield from _problems(item, get_args(type_)[0], f"{path}[{index}]", converter)
    else:
        yield from _problem(wire, type_, path, converter)


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
    except KeyError as missing:
        yield f"{path}.{missing.args[0]} is missing"


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
        except (Mismatch, KeyError):
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
