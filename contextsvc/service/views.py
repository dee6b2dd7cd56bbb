"""JSON views of packs, measurements and indexes, the same over HTTP and on the command line.

Utilization is the share of a pack's tokens that influenced the answer. A generation is one published version
of an index.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import MinimalPack, Utilization, UtilizationSummary
from contextsvc.measuring.summary import summary_path
from contextsvc.packing.answerability import threshold_of
from contextsvc.records.json import Json, decode, to_json
from contextsvc.records.packs import ANSWERABLE, AnswerCalibration, ContextPack, PackedChunk
from contextsvc.records.rendering import citations
from contextsvc.records.spans import frames_in_text, offset_in, repeated_spans
from contextsvc.storage.generation import Manifest

log = logging.getLogger("contextsvc.views")


def pack_view(pack: ContextPack, explain: bool = False) -> Json:
    """Return the JSON of a pack. `explain` adds the candidates left out and the signals behind each score."""
    marks = citations([packed.candidate.chunk for packed in pack.chunks])
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
        "chunks": [
            _chunk_view(packed, citation, explain)
            for packed, citation in zip(pack.chunks, marks, strict=True)
        ],
    }
    if pack.num_documents is not None:
        view["filter"] = {"num_documents": pack.num_documents}
    if explain:
        view["drops"] = to_json(pack.drops)
    return view


def _chunk_view(packed: PackedChunk, citation: str, explain: bool) -> Json:
    candidate, chunk = packed.candidate, packed.candidate.chunk
    view: Json = {
        "citation": citation,
        "chunk_id": chunk.chunk_id,
        "doc_id": chunk.doc_id,
        "title": chunk.title,
        "section": list(chunk.section),
        "source": chunk.source,
        "also_in": list(chunk.also_in),
        "start": chunk.start,
        "end": chunk.end,
        "spans": [list(span) for span in chunk.spans],
        "repeated": [list(span) for span in repeated_spans(chunk.spans, chunk.frames)]
        if chunk.frames
        else [],
        "text": chunk.text,
        "num_tokens": packed.num_tokens,
        "score": candidate.score,
        "rank": candidate.rank,
    }
    if explain:
        view["signals"] = dict(candidate.signals)
        view["parts"] = to_json(packed.parts)
    return view


def utilization_view(found: Utilization) -> Json:
    """Return the JSON of a pack's measured utilization."""
    return {"scope": "pack", **to_json(found)}


def minimal_view(found: MinimalPack) -> Json:
    """Return the JSON of a minimal pack (the smallest pack found that keeps the quality of the answer)."""
    view: Json = to_json(found)
    return view


def summary_view(found: UtilizationSummary) -> Json:
    """Return the JSON of a generation's measured utilization."""
    return {"scope": "index", **to_json(found)}


def no_utilization(scope: str, reason: str) -> Json:
    """Return the JSON of a missing score: null, and the reason. `scope` is "pack" or "index"."""
    return {"scope": scope, "score": None, "reason": reason}


def index_utilization(name: str, folder: Path, generation: str) -> Json:
    """Return the JSON of the stored score of a generation; null and the reason if there is none.

    Args:
        name: Name of the index.
        folder: Folder of the generation, ROOT/NAME/generations/ID.
        generation: Id of the generation.
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
        # The text of the error holds a path, and callers over HTTP must not see paths.
        log.warning("the stored score of index %s, generation %s: %s", name, generation, error)
        reason = f"the stored score of generation {generation} cannot be read; the log has the details"
    return no_utilization("index", reason)


def index_view(name: str, folder: Path, m: Manifest, answerable: float | None) -> Json:
    """Return the JSON of an index: its manifest, its answer threshold and its last measured utilization.

    Args:
        name: Name of the index.
        folder: Folder of the generation.
        m: Manifest of the generation.
        answerable: Answer threshold of the settings; None: that of the index.
    """
    return {
        "name": name,
        "generation": m.generation,
        "embedder": m.embedder,
        "dim": m.dim,
        "num_documents": m.num_documents,
        "num_chunks": m.num_chunks,
        "num_sentences": m.num_sentences,
        "num_vectors": m.num_vectors,
        "settings": {key: value for key, value in m.settings.items() if key != ANSWERABLE},
        "built_at": m.built_at,
        "num_bytes": sum(entry.num_bytes for entry in m.files.values()),
        "answerable": _answer_threshold(AnswerCalibration.of(m.settings), answerable),
        "utilization": index_utilization(name, folder, m.generation),
    }


def offset_in_text(chunk: Mapping[str, Any], at: int) -> int | None:
    """Return the offset of a document's character in the text of a chunk, or None if the text lacks it.

    Args:
        chunk: JSON of the chunk.
        at: Offset of the character in the document.
    """
    frames = frames_in_text(chunk["text"], chunk["spans"], [(start, end) for start, end in chunk["repeated"]])
    return offset_in(chunk["spans"], at, frames)


def _answer_threshold(calibration: AnswerCalibration, chosen: float | None) -> Json:
    threshold, origin = threshold_of(calibration, chosen)
    errors = {"flagged": calibration.flagged, "passed": calibration.passed}
    if origin != "index":
        errors = dict.fromkeys(errors)
    return {"threshold": threshold, "origin": origin, "num_questions": calibration.num_questions, **errors}


def spans_text(chunk: Mapping[str, Any]) -> str:
    """Return a chunk's (start, end) character offsets in its document as text.

    >>> spans_text({"spans": [[0, 42], [97, 180]]})
    '0-42, 97-180'
    """
    return ", ".join(f"{start}-{end}" for start, end in chunk["spans"])
