"""Context packs: rankings, candidates, receipts of dropped candidates, and the pack itself.

Ids are derived from content and are never random. A record whose values break its contract cannot be made:
its constructor raises an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.fingerprints import digest


@dataclass(frozen=True, slots=True)
class Answerability:
    """Answer score of a query, and the threshold that the score must reach.

    Attributes:
        score: Answer score in [0, 1] (`packing.answerability`). It is 0 if the search found nothing.
        threshold: Least answer score in [0, 1]. With a threshold of 0, every score above 0 is enough.

    Raises:
        ShapeError: the score or the threshold is outside [0, 1].
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


MAX_CHANGED = 0.01
"""Share of an index's chunks that may change before its answer threshold is chosen anew. To choose it takes a
second, and updates of large indexes are to take less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCalibration:
    """Threshold of an index for answer scores, and how often it errs on questions made from its chunks.

    Attributes:
        threshold: Least answer score of an answerable query. None if there are too few questions to choose
            one.
        num_questions: Number of questions. None if an earlier version of this package built the index.
        flagged: Share of the questions that the threshold calls not answerable. None without a threshold.
        passed: Share of the same questions that it calls answerable although the search leaves out their
            subject. None without a threshold.
        num_changed: Number of chunks that updates added or removed since the threshold was chosen.
    """

    threshold: float | None = None
    num_questions: int | None = None
    flagged: float | None = None
    passed: float | None = None
    num_changed: int = 0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "AnswerCalibration":
        """Return the calibration among the settings of a manifest; an empty one if there is none.

        >>> AnswerCalibration.of({"answerable": {"num_questions": 7}}).num_questions
        7
        """
        return cls(**settings.get(ANSWERABLE, {}))

    def after(self, num_changed: int, num_chunks: int) -> "AnswerCalibration | None":
        """Return this calibration for an updated index, or None if a threshold has to be chosen anew.

        Args:
            num_changed: Number of chunks that the update added or removed.
            num_chunks: Number of chunks of the updated index.

        >>> own = AnswerCalibration(threshold=0.41, num_questions=100, num_changed=7)
        >>> own.after(3, 1000) == replace(own, num_changed=10), own.after(4, 1000)
        (True, None)
        """
        total = self.num_changed + num_changed
        if self.threshold is None or total > MAX_CHANGED * num_chunks:
            return None
        return replace(self, num_changed=total)


ANSWERABLE = "answerable"
"""Name of an index's `AnswerCalibration` among the settings of its manifest."""

ASSUMED_ANSWERABLE = Answerability(1.0, 0.0)
"""Answerability of a pack whose chunks somebody chose by hand, without a search for its query."""

DropReason = Literal["low_score", "near_duplicate", "over_budget", "no_gain", "max_chunks", "not_answerable"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Result of a search for one query: the chunks that were found, best first.

    Chunks with equal scores are in ascending order of their numbers.

    Attributes:
        ids: Number of each chunk: (n,), all different.
        scores: Score of each chunk: (n,). A higher score is better.

    Raises:
        ShapeError: the two arrays have different shapes or are not one-dimensional.
    """

    ids: Int64Array
    scores: Float32Array

    def __post_init__(self) -> None:
        if self.ids.shape != self.scores.shape or self.ids.ndim != 1:
            raise ShapeError(f"ids {self.ids.shape} and scores {self.scores.shape} do not agree")


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Where the terms of a query occur in some texts.

    Attributes:
        weights: Weight of each distinct term of the query, with sum 1: (num_terms,). It is empty if the query
            has no terms.
        texts: For each occurrence, the number of the text: (num_occurrences,), ascending.
        offsets: For each occurrence, the offset of its first character in the text: (num_occurrences,).
        terms: For each occurrence, the number of the term: (num_occurrences,).

    Raises:
        ShapeError: the lengths of `texts`, `offsets` and `terms` differ.
    """

    weights: Float64Array
    texts: Int64Array
    offsets: Int64Array
    terms: Int64Array

    def __post_init__(self) -> None:
        if not self.texts.shape == self.offsets.shape == self.terms.shape:
            raise ShapeError(f"occurrences {self.texts.shape}, {self.offsets.shape}, {self.terms.shape}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that retrieval found.

    Attributes:
        number: Number of the chunk in its generation.
        chunk: The chunk.
        score: Score in [0, 1]; a higher score is better.
        rank: Rank among all candidates; the best candidate has rank 1.
        signals: The partial scores that the score was computed from, by name.
    """

    number: int
    chunk: Chunk
    score: float
    rank: int
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Receipt of a candidate that was left out of a pack.

    Rejected: storing the candidate itself, because a pack with the texts of fifty candidates takes ten times
    as many bytes.

    Attributes:
        chunk_id: Id of the chunk.
        doc_id: Id of its document.
        start: Offset of the chunk's first character in the document.
        end: Offset after the chunk's last character.
        score: Score of the candidate.
        rank: Rank of the candidate.
        reason: Reason as one of a few fixed words, for programs.
        detail: Reason as a text for people.
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
        """Return the receipt of a candidate that is left out."""
        # The receipt names whole chunks, as the id does, also if the candidate is a passage.
        chunk, (start, end) = candidate.chunk, candidate.chunk.whole
        return cls(
            chunk_id=chunk.chunk_id,
            doc_id=chunk.doc_id,
            start=start,
            end=end,
            score=candidate.score,
            rank=candidate.rank,
            reason=reason,
            detail=detail,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a packed chunk, and why it was taken.

    Attributes:
        start: Offset of the part's first character in the document.
        end: Offset after the part's last character.
        gain: What the part was expected to add (`packing.units`). The pack took parts of greater gain first.
        lift: The share of the gain that the part has because it stands beside a better one.
    """

    start: int
    end: int
    gain: float
    lift: float


@dataclass(frozen=True, slots=True)
class PackedChunk:
    """A passage in a pack: the parts of one section of a document, from one or several of its chunks.

    Attributes:
        candidate: The passage as a chunk, with score, rank and signals of the best chunk that it has part of.
        num_tokens: Number of tokens of the chunk's part of the rendered text, with its label and separator.
            The numbers of all chunks add up to the pack's `num_tokens`.
        parts: The parts of the passage, in the order of the text.
    """

    candidate: Candidate
    num_tokens: int
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPack:
    """A rendered context of chunks that fits its token budget.

    Attributes:
        query: The query.
        index: Name of the index.
        generation: Id of the generation (the published version of the index) that was searched.
        configuration: Digest of everything else that shapes packs (`packing.assembler`).
        chunks: Chunks in the order of the text.
        drops: Receipts of the candidates that were left out.
        text: The rendered text.
        num_tokens: Number of tokens of the text.
        budget_tokens: Largest number of tokens that was allowed.
        tokenizer: Name of the encoding in which tokens are counted.
        ordering: Name of the order of the chunks (`packing.ordering`).
        exact: Whether the query was compared with every vector, instead of using an approximate index.
        trim: Whether the pack holds the best units of chunks (`packing.units`), and not whole chunks.
        answer: Answer score and threshold, which say whether any candidate answers the query. They do not
            depend on the budget.
        num_documents: Number of documents that the request's filter allowed; None without a filter. It is not
            part of the id: equal texts of one query are one pack, whatever filters made them.

    Raises:
        ShapeError: the text has more tokens than the budget, or the tokens of the chunks do not add up to
            `num_tokens`.
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
    num_documents: int | None = None

    def __post_init__(self) -> None:
        if self.num_tokens > self.budget_tokens:
            raise ShapeError(f"{self.num_tokens} tokens in a budget of {self.budget_tokens}")
        if sum(chunk.num_tokens for chunk in self.chunks) != self.num_tokens:
            raise ShapeError("the chunks' tokens do not add up to the pack's")

    @property
    def pack_id(self) -> str:
        """Id of the pack: 32 hex digits of a digest of everything that shaped the pack.

        The same request to the same generation of an index gives the same id.
        """
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
