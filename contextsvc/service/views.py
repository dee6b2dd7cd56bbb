"""What callers see of packs, measurements and indexes: the same over HTTP and on the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import MinimalPack, Utilization, UtilizationSummary
from contextsvc.measuring.summary import summary_path
from contextsvc.records.json import Json, decode, to_json
from contextsvc.records.packs import ContextPack, PackedChunk


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
        view["drops"] = to_json(pack.drops)
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
    return {"scope": "pack", **to_json(found)}


def minimal_view(found: MinimalPack) -> Json:
    """A minimal pack as callers see it."""
    view: Json = to_json(found)
    return view


def summary_view(found: UtilizationSummary) -> Json:
    """A generation's measured utilization as callers see it."""
    return {"scope": "index", **to_json(found)}


def no_utilization(scope: str, reason: str) -> Json:
    """What stands in place of a score where there is none: null and why."""
    return {"scope": scope, "score": None, "reason": reason}


def index_utilization(name: str, folder: Path, generation: str) -> Json:
    """The stored score of a generation, or null and why."""
    try:
        data = summary_path(folder, generation).read_bytes()
        return summary_view(decode(UtilizationSummary, data))
    except FileNotFoundError:
        reason = (
            f"generation {generation} was never measured; "
            f"run: contextsvc measure --index {name} --queries FILE.jsonl --out DIR"
        )
    except (OSError, ShapeError) as error:
        reason = f"the stored score cannot be read: {error}"
    return no_utilization("index", reason)


def spans_text(chunk: Mapping[str, Any]) -> str:
    """What of its document a chunk holds.

    >>> spans_text({"spans": [[0, 42], [97, 180]]})
    '0-42, 97-180'
    """
    return ", ".join(f"{start}-{end}" for start, end in chunk["spans"])
