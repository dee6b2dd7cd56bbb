"""Token-level recall, precision, precision-omega and IoU of retrieved spans, over characters.

As "Evaluating Chunking Strategies for Retrieval" (Smith, Troynikov, Chroma, July 2024) defines them in its
section "Metrics", with t_e the excerpts that a question needs, t_r what was retrieved and t what is in both:
recall = |t| / |t_e|, precision = |t| / |t_r|, IoU = |t| / (|t_e| + |t_r| - |t|), and precision-omega is the
precision when every chunk that holds a part of an excerpt is retrieved.
https://research.trychroma.com/evaluating-chunking

The report speaks of tokens, its program counts characters, and so does this. What is retrieved twice, because
chunks overlap, counts twice in |t_r| and once in what is found. As in the program, a chunk that only touches
an excerpt, ending where it starts or starting where it ends, counts as one that holds a part of it: the
published precision-omega of RecursiveCharacter is met with this and missed without.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contextsvc.errors import ShapeError

Span = tuple[int, int]
"""First character and one past the last; empty ones are allowed and hold nothing."""


FIGURES = ("recall", "precision", "precision omega", "IoU")
"""In the order of the published table."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a corpus."""

    corpus: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one question; each in [0, 1]."""

    recall: float
    precision: float
    iou: float


def scores(corpus: str, excerpts: Sequence[Span], retrieved: Sequence[Passage]) -> Scores:
    """How well what was retrieved answers a question.

    Args:
        corpus: Where the excerpts lie; a passage of another one only costs precision.
        excerpts: One or more, together not empty; where they overlap, |t_e| counts characters once.
        retrieved: In any order; none scores 0.

    Raises:
        ShapeError: there is no excerpt.

    >>> scores("a", [(10, 20)], [Passage("a", 15, 35), Passage("b", 0, 20)])
    Scores(recall=0.5, precision=0.125, iou=0.1111111111111111)
    """
    needed = union(excerpts)
    if not length(needed):
        raise ShapeError("a question needs at least one excerpt, found none")
    own = union((p.start, p.end) for p in retrieved if p.corpus == corpus)
    found = length(common(needed, own))
    num_retrieved = sum(p.end - p.start for p in retrieved)
    precision = found / num_retrieved if num_retrieved else 0.0
    return Scores(found / length(needed), precision, found / (num_retrieved + length(needed) - found))


def precision_omega(excerpts: Sequence[Span], chunks: Iterable[Span]) -> float:
    """Precision when all chunks that hold a part of an excerpt, or touch one, are retrieved.

    Characters count once.

    What no chunk holds counts against it, too: a chunker that loses text is not rewarded for it.

    Args:
        excerpts: Of one question.
        chunks: All of the excerpts' corpus.

    >>> precision_omega([(10, 20)], [(0, 15), (15, 25), (25, 90)])
    0.4
    """
    needed = union(excerpts)
    touched = union((a, b) for a, b in chunks if any(a <= end and b >= start for start, end in needed))
    whole = length(union([*touched, *needed]))
    return length(common(needed, touched)) / whole if whole else 0.0


def union(spans: Iterable[Span]) -> list[Span]:
    """Spans that cover the same characters, sorted and apart from each other; empty ones are left out.

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
    """What both cover, sorted if both are sorted and apart: `union`'s results are.

    >>> common([(0, 5), (8, 12)], [(3, 9)])
    [(3, 5), (8, 9)]
    """
    pairs = ((max(a, c), min(b, d)) for a, b in first for c, d in second)
    return [(start, end) for start, end in pairs if start < end]


def length(spans: Iterable[Span]) -> int:
    """Characters of spans that lie apart."""
    return sum(end - start for start, end in spans)
