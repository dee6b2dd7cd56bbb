"""Reading a pack: a language model that answers from it, or says how likely an answer is."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array
from contextsvc.records.fingerprints import Fingerprint


@dataclass(frozen=True, slots=True)
class Cost:
    """What a measurement took: forward passes or calls of the reader, tokens it read and wrote, time."""

    reader_calls: int = 0
    reader_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.reader_calls + other.reader_calls,
            self.reader_tokens + other.reader_tokens,
            self.seconds + other.seconds,
        )


Outcome = Literal["log-probability", "likeness"]
"""What a reader says of a target: mean natural log-probability a token, or likeness of its own answer."""


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
    """What a reader made of a target, one number a mask; NaN where a limit left it unscored.

    Attributes:
        values: (num_masks,) the outcome of the target.
        cost: What it took.
        questions: (num_masks,) mean log-probability a token of the question, read after the kept
            units; None from a reader that cannot tell.
    """

    values: Float64Array
    cost: Cost
    questions: Float64Array | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or (
            self.questions is not None and self.questions.shape != self.values.shape
        ):
            raise ShapeError(f"scores are one number a mask, found shape {self.values.shape}")

    @property
    def exchange(self) -> Float64Array:
        """(num_masks,) of question and target together: a pack that led to the answer led to both."""
        return self.values if self.questions is None else self.values + self.questions


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader wrote."""

    text: str
    cost: Cost


class Reader(Protocol):
    """A language model that reads a prompt."""

    @property
    def fingerprint(self) -> Fingerprint:
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
