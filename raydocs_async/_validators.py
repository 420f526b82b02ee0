"""Readers of classes that validate themselves: msgspec's, pydantic's, and those with validators.

Such a class decides by its own rules. This module only replaces the messages of its errors, because
they can quote the value.
"""

from collections.abc import Iterable
from typing import Any, get_origin

import msgspec

from raydocs_async._strict import Mismatch, Reader

# These messages of msgspec name only types and keys. All others can quote the value.
_HARMLESS = ("Expected ", "Object missing ", "Object contains ")


def is_struct(type_: Any) -> bool:
    """Return True for a msgspec Struct, a parametrised one included."""
    cls = get_origin(type_) or type_
    return isinstance(cls, type) and issubclass(cls, msgspec.Struct)


def is_pydantic(type_: Any) -> bool:
    """Return True for a model or data class of pydantic; pydantic need not be installed."""
    return isinstance(type_, type) and hasattr(type_, "__pydantic_validator__")


def read_struct(value: Any, type_: Any) -> Any:
    """Read a Struct; strictly, as `msgspec.convert` does by default."""
    is_object = not (get_origin(type_) or type_).__struct_config__.array_like
    try:
        # PHP writes an empty object as `[]`, wherever it stands.
        return msgspec.convert({} if value == [] and is_object else value, type_)
    except msgspec.ValidationError as exc:
        message, _, place = str(exc).partition(" - at `$")
    said = message.lower() if message.startswith(_HARMLESS) else f"{type_.__name__} refuses it"
    raise Mismatch.at(place.removesuffix("`"), f"is not valid: {said}")


def read_pydantic(value: Any, type_: Any) -> Any:
    """Read a model or data class of pydantic, by its own configuration."""
    is_object = not getattr(type_, "__pydantic_root_model__", False)
    try:
        return type_.__pydantic_validator__.validate_python(
            {} if value == [] and is_object else value
        )
    except ValueError as exc:  # the base of pydantic's ValidationError
        place, said = _first_error(exc)
    raise Mismatch.at(place, f"is not valid: {said}")


def guarded(read: Reader) -> Reader:
    """Return `read` for a class with validators, whose errors can quote the value."""

    def read_guarded(value: Any, type_: Any) -> Any:
        try:
            return read(value, type_)
        except Mismatch:
            raise
        except (TypeError, ValueError):
            pass
        raise Mismatch.at("", f"is not valid: {type_.__name__} refuses it")

    return read_guarded


def _first_error(exc: Any) -> tuple[str, str]:
    """Return place and kind of a pydantic error; its message can quote the value."""
    first = exc.errors()[0]
    return _place(first["loc"]), first["type"]


def _place(keys: Iterable[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
