"""Records <-> JSON: `encode` and `decode` keep everything (for the cache and for stored scores);
`pack_view` and `utilization_view` are what callers see, the same over HTTP and on the command line.
"""

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from contextsvc.errors import ContextError, ShapeError
from contextsvc.measurements import MinimalPack, Utilization, UtilizationSummary
from contextsvc.records import ContextPack, PackedChunk

Record = TypeVar("Record")
Json = dict[str, Any]


def encode(record: Any) -> bytes:
    """A record of this package as canonical JSON: equal records give equal bytes."""
    return json.dumps(_plain(record), sort_keys=True, separators=(",", ":")).encode()


def decode(kind: type[Record], data: bytes) -> Record:
    """The record that `encode` wrote.

    Raises:
        ShapeError: the bytes are not such a record (another version wrote them, or they are damaged).
    """
    try:
        made = _maker(cast("Any", kind))(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, ContextError) as error:
        raise ShapeError(f"expected a stored {kind.__name__}, found {data[:60]!r} ({error})") from None
    if not isinstance(made, kind):
        raise ShapeError(f"expected a stored {kind.__name__}, found {data[:60]!r}")
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | None):
        return value
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _names(cast("Any", type(value)))}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value]


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


@cache
def _maker(kind: Any) -> Callable[[Any], Any]:
    """What turns JSON back into a value of that type; built once a type, because hints are slow to read."""
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        makers = [(name, _maker(hints[name])) for name in _names(kind)]
        return lambda value: kind(*[make(value[name]) for name, make in makers])
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


def pack_view(pack: ContextPack, explain: bool = False) -> Json:
    """A pack as callers see it; `explain` adds what was left out and the signals behind each score."""
    view: Json = {
        "pack_id": pack.pack_id,
        "index": pack.index,
        "generation": pack.generation,
        "query": pack.query,
        "text": pack.text,
        "num_tokens": pack.num_tokens,
        "budget_tokens": pack.budget_tokens,
        "tokenizer": pack.tokenizer,
        "ordering": pack.ordering,
        "exact": pack.exact,
        "trim": pack.trim,
        "answerable": pack.answer.answerable,
        "answer_score": pack.answer.score,
        "answer_threshold": pack.answer.threshold,
        "chunks": [_chunk_view(packed, explain) for packed in pack.chunks],
    }
    if explain:
        view["drops"] = _plain(pack.drops)
    return view


def _chunk_view(packed: PackedChunk, explain: bool) -> Json:
    candidate, chunk = packed.candidate, packed.candidate.chunk
    view: Json = {
        "chunk_id": chunk.chunk_id,
        "doc_id": chunk.doc_id,
        "title": chunk.title,
        "section": list(chunk.section),
        "source": chunk.source,
        "also_in": list(chunk.also_in),
        "start": chunk.start,
        "end": chunk.end,
        "spans": [list(span) for span in chunk.spans],
        "text": chunk.text,
        "num_tokens": packed.num_tokens,
        "score": candidate.score,
        "rank": candidate.rank,
    }
    return {**view, "signals": dict(candidate.signals)} if explain else view


def utilization_view(found: Utilization) -> Json:
    """A pack's measured utilization as callers see it."""
    plain: Json = _plain(found)
    return {"scope": "pack", **plain}


def minimal_view(found: MinimalPack) -> Json:
    """A minimal pack as callers see it."""
    plain: Json = _plain(found)
    return plain


def summary_view(found: UtilizationSummary) -> Json:
    """A generation's measured utilization as callers see it."""
    plain: Json = _plain(found)
    return {"scope": "index", **plain}


def no_utilization(scope: str, reason: str) -> Json:
    """What stands in place of a score where there is none: null and why."""
    return {"scope": scope, "score": None, "reason": reason}
