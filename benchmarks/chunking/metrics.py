"""Recall, precision, precision-omega and IoU of retrieved spans, over characters.

Definitions: "Evaluating Chunking Strategies for Retrieval" (Smith, Troynikov, Chroma, July 2024), "Metrics".
https://research.trychroma.com/evaluating-chunking
With t_e the excerpts that a question needs, t_r the retrieved text and t their intersection:
recall = |t| / |t_e|, precision = |t| / |t_r|, IoU = |t| / (|t_e| + |t_r| - |t|); precision-omega is the
precision if each chunk that holds a part of an excerpt is retrieved.

The report counts tokens, its program and this module count characters. Text that is retrieved twice counts
twice in |t_r| and once in |t|. A chunk that only touches an excerpt counts as one that holds a part of it, as
in the program; without this the published precision-omega of RecursiveCharacter is missed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contextsvc.errors import ShapeError

Span = tuple[int, int]
"""First character and one past the last; may be empty."""

FIGURES = ("recall", "precision", "precision omega", "IoU")
"""In the order of the published table."""


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a document or corpus."""

    doc_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one question, each in [0, 1]."""

    recall: float
    precision: float
    iou: float


def scores(doc_id: str, excerpts: Sequence[Span], retrieved: Sequence[Place]) -> Scores:
    """Scores of the retrieved text of a question.

    Args:
        doc_id: Document of the excerpts; text of other documents lowers precision.
        excerpts: One or more, together not empty; characters that they share count once in |t_e|.
        retrieved: In any order; if empty, all scores are 0.

    Raises:
        ShapeError: there is no excerpt.

    >>> scores("a", [(10, 20)], [Place("a", 15, 35), Place("b", 0, 20)])
    Scores(recall=0.5, precision=0.125, iou=0.1111111111111111)
    """
    needed = union(excerpts)
    if not length(needed):
        raise ShapeError("a question needs at least one excerpt, found none")
    own = union((p.start, p.end) for p in retrieved if p.doc_id == doc_id)
    found = length(common(needed, own))
    num_retrieved = sum(p.end - p.start for p in retrieved)
    precision = found / num_retrieved if num_retrieved else 0.0
    return Scores(found / length(needed), precision, found / (num_retrieved + length(needed) - found))


def precision_omega(excerpts: Sequence[Span], chunks: Iterable[Span]) -> float:
    """Precision if all chunks that hold a part of an excerpt, or touch one, are retrieved.

    Characters count once. Characters of an excerpt that are in no chunk lower the value, so that a chunker
    gains nothing by losing text.

    Args:
        excerpts: Excerpts of one question.
        chunks: All chunks of the excerpts' corpus.

    >>> precision_omega([(10, 20)], [(0, 15), (15, 25), (25, 90)])
    0.4
    """
    needed = union(excerpts)
    touched = union((a, b) for a, b in chunks if any(a <= end and b >= start for start, end in needed))
    whole = length(union([*touched, *needed]))
    return length(common(needed, touched)) / whole if whole else 0.0


def union(spans: Iterable[Span]) -> list[Span]:
    """Sorted and disjoint spans that cover the same characters, without empty ones.

    >>> union([(5, 9), (0, 3), (3, 6), (20, 20)])
    [(0, 9)]
    """
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def common(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    """Intersection of two results of `union`, sorted.

    >>> common([(0, 5), (8, 12)], [(3, 9)])
    [(3, 5), (8, 9)]
    """
    pairs = ((max(a, c), min(b, d)) for a, b in first for c, d in second)
    return [(start, end) for start, end in pairs if start < end]


def length(spans: Iterable[Span]) -> int:
    """Number of characters of disjoint spans."""
    return sum(end - start for start, end in spans)
