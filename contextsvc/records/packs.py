"""What flows through the package: frozen records whose promises are checked at birth.

Spans count characters (Python string indices), end exclusive. Ids are derived, never random.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.fingerprints import digest


@dataclass(frozen=True, slots=True)
class Answerability:
    """How well what was found bears on a query, and how well it must.

    Attributes:
        score: In [0, 1] (`packing.answerability`); 0: nothing was found.
        threshold: In [0, 1]; 0: whatever was found will do.
    """

    score: float
    threshold: float

    def __post_init__(self) -> None:
        if not (0 <= self.score <= 1 and 0 <= self.threshold <= 1):
            raise ShapeError(f"score {self.score} and threshold {self.threshold}; expected 0 to 1")

    @property
    def answerable(self) -> bool:
        """The score reaches the threshold, and something was found.

        >>> [Answerability(score, 0.5).answerable for score in (0.49, 0.5)]
        [False, True]
        >>> Answerability(0.0, 0.0).answerable
        False
        """
        return self.score > 0 and self.score >= self.threshold


ASSUMED_ANSWERABLE = Answerability(1.0, 0.0)
"""Of a pack that was put together by hand, not found for its query."""

DropReason = Literal["low_score", "near_duplicate", "over_budget", "no_gain", "max_chunks", "not_answerable"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a search found for one query: best first, ties by id, ids unique and never -1."""

    ids: Int64Array
    scores: Float32Array

    def __post_init__(self) -> None:
        if self.ids.shape != self.scores.shape or self.ids.ndim != 1:
            raise ShapeError(f"ids {self.ids.shape} and scores {self.scores.shape} do not agree")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that retrieval put forward.

    Attributes:
        number: Row of the chunk in its generation.
        score: In [0, 1], higher is better.
        rank: From 1.
        signals: The scores it was made of, by name.
    """

    number: int
    chunk: Chunk
    score: float
    rank: int
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A receipt for a candidate that was left out; `detail` is for a person.

    Not the candidate itself: with fifty texts that nobody asked for a kept pack is ten times as large.
    """

    chunk_id: str
    doc_id: str
    start: int
    end: int
    score: float
    rank: int
    reason: DropReason
    detail: str = ""

    @classmethod
    def of(cls, candidate: Candidate, reason: DropReason, detail: str = "") -> "Drop":
        """The receipt for a candidate."""
        # What was left out is the chunk, whatever of it would have gone in.
        c, (start, end) = candidate.chunk, candidate.chunk.whole
        return cls(
            chunk_id=c.chunk_id,
            doc_id=c.doc_id,
            start=start,
            end=end,
            score=candidate.score,
            rank=candidate.rank,
            reason=reason,
            detail=detail,
        )


@dataclass(frozen=True, slots=True)
class PackedChunk:
    """A chunk as it lies in a pack.

    Attributes:
        candidate: The chunk with its score and retrieval rank.
        num_tokens: Tokens its part of the rendered text takes, heading line and separator
            included. Over a pack they add up to the pack's `num_tokens`.
    """

    candidate: Candidate
    num_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPack:
    """A rendered context that fits its budget. Chunks lie in the order of the text.

    Attributes:
        exact: The query was compared with every vector: no approximate index stood between.
        trim: Its chunks may be trimmed (`packing.trimming`).
        answer: Whether anything in the index answers the query, by all candidates, whatever the budget.
    """

    query: str
    index: str
    generation: str
    configuration: str
    chunks: tuple[PackedChunk, ...]
    drops: tuple[Drop, ...]
    text: str
    num_tokens: int
    budget_tokens: int
    tokenizer: str
    ordering: str
    exact: bool = False
    trim: bool = False
    answer: Answerability = ASSUMED_ANSWERABLE

    def __post_init__(self) -> None:
        if self.num_tokens > self.budget_tokens:
            raise ShapeError(f"{self.num_tokens} tokens in a budget of {self.budget_tokens}")
        if sum(chunk.num_tokens for chunk in self.chunks) != self.num_tokens:
            raise ShapeError("the chunks' tokens do not add up to the pack's")

    @property
    def pack_id(self) -> str:
        """A hash of everything that made the pack: the same request has the same id."""
        return digest(
            self.index, self.generation, self.configuration, self.query,
            str(self.budget_tokens), self.tokenizer, self.ordering, str(self.exact), self.text,
            str(self.answer.score),
            *(packed.candidate.chunk.chunk_id for packed in self.chunks),
        )[:32]  # fmt: skip
