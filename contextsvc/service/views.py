"""Packs, measurements and indexes as JSON: the same over HTTP and on the command line."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import MinimalPack, Utilization, UtilizationSummary
from contextsvc.measuring.summary import summary_path
from contextsvc.records.json import Json, decode, to_json
from contextsvc.records.packs import ContextPack, PackedChunk
from contextsvc.storage.generation import Manifest

log = logging.getLogger("contextsvc.views")


def pack_view(pack: ContextPack, explain: bool = False) -> Json:
    """JSON of a pack; `explain` adds the candidates left out and the signals behind each score."""
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
    """JSON of a pack's measured utilization."""
    return {"scope": "pack", **to_json(found)}


def minimal_view(found: MinimalPack) -> Json:
    """JSON of a minimal pack."""
    view: Json = to_json(found)
    return view


def summary_view(found: UtilizationSummary) -> Json:
    """JSON of a generation's measured utilization."""
    return {"scope": "index", **to_json(found)}


def no_utilization(scope: str, reason: str) -> Json:
    """JSON in place of a score where there is none: null and the reason."""
    return {"scope": scope, "score": None, "reason": reason}


def index_utilization(name: str, folder: Path, generation: str) -> Json:
    """JSON of the stored score of a generation, or null and the reason.

    Args:
        name: The index.
        folder: The generation's own, ROOT/NAME/generations/ID.
        generation: Its id.
    """
    try:
        data = summary_path(folder, generation).read_bytes()
        return summary_view(decode(UtilizationSummary, data))
    except FileNotFoundError:
        reason = (
            f"generation {generation} was never measured; "
            f"run: contextsvc measure --index {name} --queries FILE.jsonl --out DIR"
        )
    except (OSError, ShapeError) as error:
        # The error names a path, which callers over HTTP must not see.
        log.warning("the stored score of index %s, generation %s: %s", name, generation, error)
        reason = f"the stored score of generation {generation} cannot be read; the log has the details"
    return no_utilization("index", reason)


def index_view(name: str, folder: Path, m: Manifest) -> Json:
    """JSON of an index: its manifest and its last measured utilization; `folder` is its generation's."""
    return {
        "name": name,
        "generation": m.generation,
        "embedder": m.embedder,
        "dim": m.dim,
        "num_documents": m.num_documents,
        "num_chunks": m.num_chunks,
        "num_sentences": m.num_sentences,
        "num_vectors": m.num_vectors,
        "settings": dict(m.settings),
        "built_at": m.built_at,
        "num_bytes": sum(entry.num_bytes for entry in m.files.values()),
        "utilization": index_utilization(name, folder, m.generation),
    }


def spans_text(chunk: Mapping[str, Any]) -> str:
    """The characters of its document that a chunk holds.

    >>> spans_text({"spans": [[0, 42], [97, 180]]})
    '0-42, 97-180'
    """
    return ", ".join(f"{start}-{end}" for start, end in chunk["spans"])
