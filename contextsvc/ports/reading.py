"""Reader port: a language model that answers from a pack, or scores an answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array
from contextsvc.records.fingerprints import Fingerprint


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a measurement.

    Attributes:
        reader_calls: Forward passes of the reader, or calls of its endpoint.
        reader_tokens: Tokens that the reader read and wrote.
        seconds: Time.
    """

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
"""Kind of score of a target: its mean natural log-probability a token, or the likeness of the reader's own
answer to it (`measuring.word_overlap`)."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with context units, some of which a mask removes.

    The reader writes it as instructions, the kept units in order and verbatim, then the query.

    Attributes:
        units: Chunks, or pieces of chunks.
        query: The question.
        blocks: Number of the chunk that each unit is a piece of, never falling; empty: each unit is a chunk.
        isolated: Whether each unit is hidden from the other units, if the reader supports it; empty: none is.
    """

    units: tuple[str, ...]
    query: str
    blocks: tuple[int, ...] = ()
    isolated: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Cost that a measurement may still have; no limit by default.

    Attributes:
        calls: Most calls of the reader.
        tokens: Most tokens that the reader reads and writes.
        seconds: Most time.
        stop: Asked between calls of the reader; true ends the measurement as a limit does. Neither `==` nor
            `repr` sees it.
    """

    calls: float = math.inf
    tokens: float = math.inf
    seconds: float = math.inf
    stop: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    def less(self, cost: Cost) -> "Limits":
        """Limits that remain after a cost, never below 0."""
        return replace(
            self,
            calls=max(0.0, self.calls - cost.reader_calls),
            tokens=max(0.0, self.tokens - cost.reader_tokens),
            seconds=max(0.0, self.seconds - cost.seconds),
        )

    @property
    def stopped(self) -> bool:
        """Somebody wants the measurement to end."""
        return self.stop is not None and self.stop()

    @property
    def reached(self) -> bool:
        """Whether no further call may begin."""
        return self.stopped or min(self.calls, self.tokens, self.seconds) <= 0


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a target, one per mask; NaN if a limit was reached before.

    Attributes:
        values: (num_masks,) score of the target, of the kind that `Reader.outcome` names.
        cost: Cost of the scores.
        questions: (num_masks,) mean log-probability a token of the question, read after the kept units; None
            from a reader that does not score the question.

    Raises:
        ShapeError: the arrays are not one-dimensional, or their lengths differ.
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
        """(num_masks,) score of question and target together: chunks that lead to the answer lead to both."""
        return self.values if self.questions is None else self.values + self.questions


@dataclass(frozen=True, slots=True)
class Answer:
    """A text that the reader wrote, and its cost."""

    text: str
    cost: Cost


class Reader(Protocol):
    """A language model that reads prompts."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Model, hash of the weights, precision, scoring method, prompt layout; changes when scores may."""
        ...

    @property
    def name(self) -> str:
        """Short name, for people."""
        ...

    @property
    def outcome(self) -> Outcome:
        """Kind of score that `score` returns."""
        ...

    def answer(self, prompt: Prompt) -> Answer:
        """The model's own answer by greedy decoding; never empty, a refusal is an answer, too.

        Raises:
            InvalidRequest: the prompt does not fit the model's window.
            ReaderFault: the model failed.
        """
        ...

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """Score a target once per mask; the same call returns the same scores.

        Args:
            prompt: The prompt.
            masks: (num_masks, num_units) True keeps a unit. Masks are scored in order, equal ones once. A
                removed unit does not affect the score, except that the reader mode `masked` lets later units
                read it.
            target: The text to score.
            limits: Limits of cost, checked before each call; masks after a reached limit score NaN.

        Raises:
            ShapeError: the masks' width is not the number of units.
            InvalidRequest: the target is empty, or the prompt does not fit the model's window.
            ReaderFault: the model failed.
        """
        ...
