"""Whether an index answers a query, as a pack carries it."""

from dataclasses import dataclass

from contextsvc.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Answerability:
    """How well what was found bears on a query, and how well it must.

    Attributes:
        score: In [0, 1] (`steps.answering`); 0: nothing was found.
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


NOT_ASKED = Answerability(1.0, 0.0)
"""Of a pack that was put together by hand, not found for its query."""
