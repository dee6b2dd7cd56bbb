"""Conversion of records to JSON and back, without loss: `encode` and `decode`.

The cache and the files of measured results use it.
"""

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from contextsvc.errors import ContextError, ShapeError

Kind = TypeVar("Kind")

Json = dict[str, Any]
"""A JSON object as a dictionary."""


def encode(record: Any) -> bytes:
    """Return a record as canonical JSON in UTF-8: equal records give equal bytes."""
    return json.dumps(to_json(record), sort_keys=True, separators=(",", ":")).encode()


def decode(kind: type[Kind], data: bytes) -> Kind:
    """Return the record whose bytes `encode` returned.

    Args:
        kind: Type of the record.
        data: Bytes that `encode` returned.

    Raises:
        ShapeError: the bytes do not hold a record of this type, because another version of the package wrote
            them or because they are damaged.
    """
    try:
        made = _maker(cast("Any", kind))(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, ContextError) as error:
        raise ShapeError(f"expected a stored {kind.__name__}, found {data[:60]!r} ({error})") from None
    if not isinstance(made, kind):
        raise ShapeError(f"expected a stored {kind.__name__}, found {data[:60]!r}")
    return made


def to_json(value: Any) -> Any:
    """Return a record as nested dictionaries, lists and scalars, which `json.dumps` can write."""
    if isinstance(value, str | int | float | None):
        return value
    if is_dataclass(value):
        return {name: to_json(getattr(value, name)) for name in _names(cast("Any", type(value)))}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value]


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


@cache
def _maker(kind: Any) -> Callable[[Any], Any]:
    """Return the function that turns parsed JSON into a value of the type `kind`.

    The function is cached for each type, because reading type hints is slow.
    """
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        makers = [(name, _maker(hints[name])) for name in _names(kind)]
        return lambda value: kind(**{name: make(value[name]) for name, make in makers})
    if origin is tuple and args[-1] is Ellipsis:
        item = _maker(args[0])
        return lambda value: tuple([item(part) for part in value])
    if origin is tuple:
        parts = [_maker(part) for part in args]
        return lambda value: tuple([make(part) for make, part in zip(parts, value, strict=True)])
    if origin in (Union, types.UnionType):
        inner = _maker(args[0])
        return lambda value: None if value is None else inner(value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        entry = _maker(args[1])
        return lambda value: {key: entry(part) for key, part in value.items()}
    return lambda value: value
