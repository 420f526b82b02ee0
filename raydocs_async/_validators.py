"""Readers of msgspec's and pydantic's classes, and the words for what a validator refuses.

A class decides by its own rules. This module only replaces the messages of its errors, because they
can quote the value.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_origin

import msgspec

from raydocs_async._strict import Mismatch

# These messages of msgspec name only types and keys of the class. All others can quote the value,
# and so can an error that a validator raised, whatever its message.
_HARMLESS = ("Expected ", "Object missing ")


def is_struct(type_: Any) -> bool:
    """Return True for a msgspec Struct, a parametrised one included."""
    cls = get_origin(type_) or type_
    return isinstance(cls, type) and issubclass(cls, msgspec.Struct)


def is_pydantic(type_: Any) -> bool:
    """Return True for a model or data class of pydantic; pydantic need not be installed."""
    return isinstance(type_, type) and hasattr(type_, "__pydantic_validator__")


def type_name(type_: Any) -> str:
    """Return the name of a class, or the spelling of another type, such as a union."""
    return type_.__name__ if isinstance(type_, type) else str(type_)


def refusal(type_: Any) -> str:
    """Return the problem of a value that the rules of `type_` refuse, without their words."""
    return f"is not valid: {type_name(type_)} refuses it"


def read_struct(value: Any, type_: Any) -> Any:
    """Read a Struct; strictly, as `msgspec.convert` does by default."""
    is_object = not (get_origin(type_) or type_).__struct_config__.array_like
    try:
        # PHP writes an empty object as `[]`, wherever it stands.
        return msgspec.convert({} if value == [] and is_object else value, type_)
    except msgspec.ValidationError as exc:
        place, problem = _struct_problem(exc, type_)
    # Outside of the handler: inside, msgspec's error would be the context of this one, and show the
    # value in every traceback. The same holds below for pydantic's.
    raise Mismatch.at(place, problem)


def read_pydantic(value: Any, type_: Any) -> Any:
    """Read a model or data class of pydantic, by its own configuration."""
    is_object = not getattr(type_, "__pydantic_root_model__", False)
    try:
        return type_.__pydantic_validator__.validate_python(
            {} if value == [] and is_object else value
        )
    except ValueError as exc:
        if not hasattr(exc, "errors"):  # not pydantic's, but of a hook of the class
            raise
        place, problem = _pydantic_problem(exc, type_)
    raise Mismatch.at(place, problem)


def _struct_problem(exc: msgspec.ValidationError, type_: Any) -> tuple[str, str]:
    """Return place and problem of a msgspec error; its message can quote the value."""
    # A validator's error has the validator's words before the place, and these can look like one.
    said, _, place = str(exc).removeprefix(str(exc.__cause__)).partition(" - at `$")
    own = exc.__cause__ is None and exc.__traceback__ is not None and not exc.__traceback__.tb_next
    is_harmless = own and said.startswith(_HARMLESS)
    problem = (
        f"is not valid: {said.lower()}" if is_harmless else refusal(get_origin(type_) or type_)
    )
    return place.removesuffix("`"), problem


def _pydantic_problem(exc: Any, type_: Any) -> tuple[str, str]:
    """Return place and problem of a pydantic error; its message can quote the value."""
    first = exc.errors()[0]
    # Only pydantic's own kinds of errors have a page; the name of a validator's is the validator's.
    problem = f"is not valid: {first['type']}" if "url" in first else refusal(type_)
    return _place(first["loc"], frozenset(_words(type_.__pydantic_core_schema__))), problem


def _words(schema: Any) -> Iterator[str]:
    """Yield each string in a schema of pydantic, which has the names of all fields."""
    match schema:
        case str():
            yield schema
        case Mapping():
            for key, each in schema.items():
                yield from (*_words(key), *_words(each))
        case list() | tuple():
            for each in schema:
                yield from _words(each)


def _place(keys: Iterable[str | int], known: frozenset[str]) -> str:
    """Return keys and indices as a place; a key that is not a field's belongs to the data."""
    parts = (
        f"[{key}]" if isinstance(key, int) else f".{key}" if key in known else "[...]"
        for key in keys
    )
    return "".join(parts)
