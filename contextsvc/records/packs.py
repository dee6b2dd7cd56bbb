"""Context packs: rankings, candidates, receipts of dropped candidates, and the pack itself.

Ids are derived from content, never random. A record that breaks its contract is refused when it is made.
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
    """Answer score of a query, and the threshold that it must reach.

    Attributes:
        score: In [0, 1] (`packing.answerability`); 0: nothing was found.
        threshold: In [0, 1]; 0: any score above 0 is enough.

    Raises:
        ShapeError: a number is outside [0, 1].
    """

    score: float
    threshold: float

    def __post_init__(self) -> None:
        if not (0 <= self.score <= 1 and 0 <= self.threshold <= 1):
            raise ShapeError(f"score {self.score} and threshold {self.threshold}; expected 0 to 1")

    @property
    def answerable(self) -> bool:
        """Whether the score reaches the threshold and is above 0.

        >>> [Answerability(score, 0.5).answerable for score in (0.49, 0.5)]
        [False, True]
        >>> Answerability(0.0, 0.0).answerable
        False
        """
        return self.score > 0 and self.score >= self.threshold


ASSUMED_ANSWERABLE = Answerability(1.0, 0.0)
"""Answerability of a pack that was put together by hand instead of found for its query."""

DropReason = Literal["low_score", "near_duplicate", "over_budget", "no_gain", "max_chunks", "not_answerable"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Result of a search for one query: best first, of equal scores the lower id first.

    Attributes:
        ids: (n,) numbers of chunks, unique.
        scores: (n,) score of each, higher is better.

    Raises:
        ShapeError: shapes of ids and scores differ, or are not one-dimensional.
    """

    ids: Int64Array
    scores: Float32Array

    def __post_init__(self) -> None:
        if self.ids.shape != self.scores.shape or self.ids.ndim != 1:
            raise ShapeError(f"ids {self.ids.shape} and scores {self.scores.shape} do not agree")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that retrieval found.

    Attributes:
        number: Number of the chunk in its generation.
        chunk: The chunk.
        score: In [0, 1], higher is better.
        rank: From 1, best first.
        signals: The signals that the score is made of, by name.
    """

    number: int
    chunk: Chunk
    score: float
    rank: int
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Receipt of a candidate that was left out.

    Rejected: the candidate itself, because with the texts of fifty candidates a stored pack is ten times as
    large.

    Attributes:
        chunk_id: Id of the chunk.
        doc_id: Id of its document.
        start: Start of the whole chunk.
        end: End of the whole chunk.
        score: Score of the candidate.
        rank: Rank of the candidate.
        reason: Reason, for programs.
        detail: Reason, for people.
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
        """The receipt of a candidate."""
        # The whole chunk was left out, even if trimming had left less of it.
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
    """A chunk in a pack.

    Attributes:
        candidate: The chunk with its score and retrieval rank.
        num_tokens: Tokens of its part of the rendered text, label and separator included. Those of all chunks
            add up to the pack's `num_tokens`.
    """

    candidate: Candidate
    num_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPack:
    """A rendered context that fits its budget.

    Attributes:
        query: The query.
        index: Name of the index.
        generation: Generation of the index.
        configuration: Digest of everything else that shapes packs (`packing.assembler`).
        chunks: Chunks in the order of the text.
        drops: Receipts of the candidates that were left out.
        text: The rendered text.
        num_tokens: Tokens of the text.
        budget_tokens: Most tokens that were allowed.
        tokenizer: Name of the encoding that tokens are counted in.
        ordering: Name of the ordering of the chunks.
        exact: Whether the query was compared with every vector, instead of using an approximate index.
        trim: Whether chunks could be trimmed (`packing.trimming`).
        answer: Whether any candidate answers the query; independent of the budget.

    Raises:
        ShapeError: the text exceeds the budget, or the chunks' tokens do not add up.
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
        """A digest of everything that shaped the pack: the same request on the same index has the same id."""
        return digest(
            self.index,
            self.generation,
            self.configuration,
            self.query,
            str(self.budget_tokens),
            self.tokenizer,
            self.ordering,
            str(self.exact),
            self.text,
            str(self.answer.score),
            *(packed.candidate.chunk.chunk_id for packed in self.chunks),
        )[:32]
