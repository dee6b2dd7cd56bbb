"""What the package needs from the world, as Protocols: batch in, arrays out, contract in the docstring.

Every adapter and every fake passes the port's suite in tests/contracts/.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from contextsvc.errors import ShapeError
from contextsvc.measurements import Outcome
from contextsvc.records import Block, BoolArray, Cost, Float32Array, Float64Array, Ranking


class BlockParser(Protocol):
    """Reads the structure of a document."""

    def parse(self, text: str) -> list[Block]:
        """Blocks in order, none overlapping, that together cover every non-space character.

        A block starts and ends on a non-space character. Text without structure is paragraphs;
        text of spaces alone gives []. Never raises on any string.
        """
        ...


class SentenceSplitter(Protocol):
    """Splits running text into sentences."""

    def split(self, text: str) -> list[tuple[int, int]]:
        """Spans in order, none overlapping, that together cover every non-space character.

        A span starts and ends on a non-space character. Text of spaces alone gives [].
        """
        ...


class TokenCounter(Protocol):
    """Counts tokens as a named encoding would."""

    @property
    def name(self) -> str:
        """What `tokenizer` says in requests and answers."""
        ...

    @property
    def fingerprint(self) -> str:
        """Name and content of the encoding: changes when counts may change."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """One exact count a text, order kept, special tokens never added; "" counts 0.

        Text that looks like a special token is counted as ordinary text.
        """
        ...


class Embedder(Protocol):
    """Turns texts into unit vectors whose inner product is cosine similarity."""

    @property
    def fingerprint(self) -> str:
        """Name, weights hash, precision, pooling and prompts: changes when vectors may change."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest passage, in the model's own tokens, that is not cut silently."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The model's own tokens of each text, special tokens not counted, nothing cut."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """(n, dim) float32, unit rows, order kept; n = 0 gives (0, dim)."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """(n, dim) float32, unit rows, order kept; n = 0 gives (0, dim)."""
        ...


class VectorIndex(Protocol):
    """Nearest chunks by inner product."""

    def search(
        self, queries: Float32Array, k: int, allowed: BoolArray | None = None, exact: bool = False
    ) -> list[Ranking]:
        """One ranking a query: min(k, number allowed) ids with inner products.

        Scores are the stored vectors', rounded to 1e-6; best first, ties by id. `allowed` is (num_chunks,)
        and is applied before the search. An approximate index may miss a better chunk, never with `exact`.

        Raises:
            ShapeError: queries are not (n, dim), k < 1, or `allowed` has another length.
        """
        ...


class LexicalIndex(Protocol):
    """Chunks that share terms with a query's text, by BM25 whose weights and analyser are the index's own."""

    def search(self, queries: Sequence[str], k: int, allowed: BoolArray | None = None) -> list[Ranking]:
        """One ranking a query: at most k ids with positive scores, rounded to 1e-6.

        Best first, ties by id; a query without a known term gives an empty ranking. `allowed` as
        in `VectorIndex`.

        Raises:
            ShapeError: k < 1 or `allowed` has another length.
        """
        ...


class Reranker(Protocol):
    """Scores texts against a query by reading both at once."""

    @property
    def fingerprint(self) -> str:
        """Changes when scores may change."""
        ...

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        """(n,) float32 in [0, 1], higher is better, order kept: sorting is ours; n = 0 gives (0,)."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with the context units whose removal is tried.

    The reader lays it out: instructions, the kept units in order and verbatim, then the query.

    Attributes:
        units: Chunks, or pieces of chunks.
        query: The question.
        blocks: Which chunk each unit is a piece of, never falling; empty: each unit is a chunk.
        asides: Which units the others should not read, where a reader can do so; empty: none.
    """

    units: tuple[str, ...]
    query: str
    blocks: tuple[int, ...] = ()
    asides: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a measurement may still spend; nothing is held back by default."""

    calls: float = math.inf
    tokens: float = math.inf
    seconds: float = math.inf

    def less(self, cost: Cost) -> "Limits":
        """What is left after a cost, never below 0."""
        return Limits(
            max(0.0, self.calls - cost.reader_calls),
            max(0.0, self.tokens - cost.reader_tokens),
            max(0.0, self.seconds - cost.seconds),
        )

    @property
    def reached(self) -> bool:
        """Nothing more may be begun."""
        return min(self.calls, self.tokens, self.seconds) <= 0


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Scores:
    """The outcome of a target, one a mask, with what it took; NaN where a limit left it unscored."""

    values: Float64Array
    cost: Cost

    def __post_init__(self) -> None:
        if self.values.ndim != 1:
            raise ShapeError(f"scores are one-dimensional, found shape {self.values.shape}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader wrote."""

    text: str
    cost: Cost


class Reader(Protocol):
    """A language model that reads a prompt."""

    @property
    def fingerprint(self) -> str:
        """Model, weights hash, precision, way of scoring and prompt layout: changes when scores may."""
        ...

    @property
    def name(self) -> str:
        """Short name for people."""
        ...

    @property
    def outcome(self) -> Outcome:
        """What `score` gives."""
        ...

    def answer(self, prompt: Prompt) -> Answer:
        """The model's own answer by greedy decoding; never empty text (a lone refusal counts).

        Raises:
            InvalidRequest: the prompt does not fit the model's window.
            ReaderFault: the model failed.
        """
        ...

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """The outcome of `target` under each mask: (num_masks,), NaN past a limit.

        `masks` is (num_masks, num_units), True keeps; scored in order, equal ones once. The same call
        gives the same numbers. A removed unit is as if never there, but `masked` lets later ones read it.

        Raises:
            ShapeError: the masks' width is not the number of units.
            InvalidRequest: the target is empty, or the prompt does not fit the model's window.
            ReaderFault: the model failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """Work that waits; `num_tries` counts how often it was taken, this time included."""

    key: str
    payload: bytes
    num_tries: int


JobState = Literal["waiting", "running", "failed"]


class JobQueue(Protocol):
    """Work to be done later, oldest first, kept over a restart; it never raises."""

    def put(self, key: str, payload: bytes) -> bool:
        """Keep a job; True if it is kept now, False if the queue is full.

        A key that waits or runs already is kept once, with its first payload; a failed one is
        tried anew.
        """
        ...

    def take(self) -> Job | None:
        """The oldest waiting job, now leased to this process, or None."""
        ...

    def done(self, key: str) -> None:
        """Forget a job; unknown keys are fine."""
        ...

    def give_back(self, key: str) -> None:
        """Put a running job back at its old place."""
        ...

    def fail(self, key: str, reason: str) -> None:
        """Keep the reason; the job is not taken again until it is put again."""
        ...

    def state(self, key: str) -> tuple[JobState, str] | None:
        """State and, of a failed job, the reason; None if unknown."""
        ...

    def num_waiting(self) -> int:
        """Jobs that wait."""
        ...


class Cache(Protocol):
    """Bytes by key. A slow or broken cache is a miss, never an error."""

    def get(self, key: str) -> bytes | None:
        """The value last put under the key, or None."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Keep the value if possible; it may be evicted at any time."""
        ...
