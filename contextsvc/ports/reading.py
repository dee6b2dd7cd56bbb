"""Reader port. A reader is a language model that writes an answer from a pack, or scores a given answer.

A measurement removes units (chunks or sentences) from the reader's prompt and compares the scores.
"""

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
        reader_calls: Number of forward passes of a local reader, or of calls of a reader's endpoint.
        reader_tokens: Number of tokens that the reader read and wrote.
        seconds: Time in seconds.
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
"""Kind of score that a reader gives to a target text. "log-probability" is the mean natural log-probability
per token of the target. "likeness" says how similar the reader's own answer is to the target
(`measuring.word_overlap`)."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with context units. A mask can remove some of the units.

    The text that the reader reads has three parts: instructions, the kept units in order and verbatim, and
    the question.

    Attributes:
        units: Texts of chunks, or of pieces of chunks.
        query: The question.
        blocks: For each unit, the number of the chunk that holds the unit. The numbers never decrease. An
            empty tuple means that each unit is a whole chunk.
        isolated: For each unit, whether the other units cannot see the unit. A reader may not support this.
            An empty tuple means that no unit is isolated.
    """

    units: tuple[str, ...]
    query: str
    blocks: tuple[int, ...] = ()
    isolated: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the further cost of a measurement. The default is no limit.

    Attributes:
        calls: Largest number of calls of the reader.
        tokens: Largest number of tokens that the reader reads and writes.
        seconds: Longest time in seconds.
        stop: Function that is called between calls of the reader. If the function returns True, the
            measurement ends as if a limit was reached. `==` and `repr` ignore this field.
    """

    calls: float = math.inf
    tokens: float = math.inf
    seconds: float = math.inf
    stop: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    def less(self, cost: Cost) -> "Limits":
        """Return the limits that remain after a cost; none is below 0."""
        return replace(
            self,
            calls=max(0.0, self.calls - cost.reader_calls),
            tokens=max(0.0, self.tokens - cost.reader_tokens),
            seconds=max(0.0, self.seconds - cost.seconds),
        )

    @property
    def stopped(self) -> bool:
        """Whether `stop` says that the measurement must end."""
        return self.stop is not None and self.stop()

    @property
    def reached(self) -> bool:
        """Whether no further call of the reader may begin: a limit is used up, or `stop` returned True."""
        return self.stopped or min(self.calls, self.tokens, self.seconds) <= 0


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a target text, one per mask. A score is NaN if a limit was reached before its call.

    Attributes:
        values: Score of the target under each mask: (num_masks,). `Reader.outcome` names the kind of score.
        cost: Cost of all scores together.
        questions: Mean natural log-probability per token of the question after the kept units, under each
            mask: (num_masks,). None if the reader does not score the question.

    Raises:
        ShapeError: an array is not one-dimensional, or the two arrays have different lengths.
    """

    values: Float64Array
    cost: Cost
    questions: Float64Array | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or (
            self.questions is not None and self.questions.shape != self.values.shape
        ):
            raise ShapeError(f"expected one score per mask, found shape {self.values.shape}")

    @property
    def exchange(self) -> Float64Array:
        """Score of the question plus score of the target, under each mask: (num_masks,).

        A chunk that leads to the answer makes both the question and the target more probable. If the reader
        does not score the question, this is the score of the target alone.
        """
        return self.values if self.questions is None else self.values + self.questions


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the reader wrote, and the cost of writing it."""

    text: str
    cost: Cost


class Reader(Protocol):
    """A language model that writes answers to prompts and scores given answers."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the reader. It changes whenever scores may change.

        It holds the model's name, the hash of the weights, precision, scoring method and prompt layout.
        """
        ...

    @property
    def name(self) -> str:
        """Short name of the reader, for people."""
        ...

    @property
    def outcome(self) -> Outcome:
        """Kind of score that `score` returns."""
        ...

    def answer(self, prompt: Prompt) -> Answer:
        """Return the model's own answer, by greedy decoding.

        The answer is never empty. A refusal to answer counts as an answer, too.

        Raises:
            InvalidRequest: the prompt does not fit the model's window.
            ReaderFault: the model failed.
        """
        ...

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """Score a target text under each mask. Two equal calls return equal scores.

        Args:
            prompt: The question and all units.
            masks: Units that the prompt keeps, one row per mask: (num_masks, num_units). True keeps a unit
                and False removes it. The masks are scored in order; equal masks are scored once. A removed
                unit does not change the score, with one exception: in reader mode `masked`, later units can
                still read a removed unit.
            target: The text to score.
            limits: Limits of the cost, checked before each call of the model. After a limit is reached, the
                remaining masks get NaN.

        Returns:
            One score per mask, in the order of the masks.

        Raises:
            ShapeError: the number of columns of `masks` is not the number of units.
            InvalidRequest: the target is empty, or the prompt does not fit the model's window.
            ReaderFault: the model failed.
        """
        ...
