"""Passages: the longest beginning of an order of units that fits a budget, as the chunks of a pack.

A passage holds all selected units of one section of a document, in the order of the text. Text that was left
out between two of them is replaced by a mark. Because the order of the units does not depend on the budget,
a larger budget keeps all that a smaller one kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from contextsvc.errors import BudgetTooSmall
from contextsvc.packing.ordering import Ordering
from contextsvc.packing.units import Unit
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate
from contextsvc.records.rendering import render_units

Excerpt = Callable[[Chunk, Sequence[int]], Chunk]
"""Function that returns the part of a chunk's document that consists of some sentences, by their numbers."""

Count = Callable[[Sequence[str]], list[int]]

SURE_SHARE = 0.8
"""Share of the budget up to which units nearly always fit, by their own tokens without labels and marks."""


@dataclass(frozen=True, slots=True)
class Passages:
    """The passages of a pack, in the order of its text.

    Attributes:
        candidates: For each passage its best candidate, with the passage as its chunk.
        texts: The rendered text of each passage. Joined, they are the text of the pack.
        units: The units of each passage, in the order in which the pack took them.
        num_tokens: Number of tokens of the whole text.
    """

    candidates: tuple[Candidate, ...] = ()
    texts: tuple[str, ...] = ()
    units: tuple[tuple[Unit, ...], ...] = ()
    num_tokens: int = 0

    @property
    def text(self) -> str:
        """Rendered text of the pack."""
        return "".join(self.texts)


@dataclass(frozen=True, slots=True)
class Maker:
    """Everything that turns units into the text of a pack.

    Attributes:
        excerpt: Returns the part of a document that consists of some sentences.
        order: Orders the passages in the text.
        count: Counts the tokens of each text.
    """

    excerpt: Excerpt
    order: Ordering
    count: Count

    def passages(self, units: Sequence[Unit]) -> Passages:
        """Return the passages that hold these units, whatever their size."""
        made = [(self._candidate(group), tuple(group)) for group in _by_passage(units).values()]
        of = {id(candidate): group for candidate, group in made}
        ordered = self.order([candidate for candidate, _ in made])
        texts = render_units([candidate.chunk for candidate in ordered])
        (num_tokens,) = self.count(["".join(texts)])
        return Passages(tuple(ordered), tuple(texts), tuple(of[id(one)] for one in ordered), num_tokens)

    def size(self, units: Sequence[Unit]) -> int:
        """Count the tokens of the passage of some units of one section, rendered alone."""
        # Rendered twice, because only a chunk before another one has the blank line that separates them.
        return self.count(render_units([self._candidate(units).chunk] * 2)[:1])[0]

    def _candidate(self, units: Sequence[Unit]) -> Candidate:
        best = min((unit.candidate for unit in units), key=lambda candidate: candidate.rank)
        sentences = sorted({number for unit in units for number in unit.sentences})
        return replace(best, chunk=self.excerpt(best.chunk, sentences))


def _by_passage(units: Sequence[Unit]) -> dict[tuple[str, tuple[str, ...]], list[Unit]]:
    groups: dict[tuple[str, tuple[str, ...]], list[Unit]] = {}
    for unit in units:
        groups.setdefault(unit.passage, []).append(unit)
    return groups


def longest_that_fits(units: Sequence[Unit], budget_tokens: int, maker: Maker) -> tuple[Passages, int]:
    """Return the passages of the longest beginning of `units` that fits the budget, and its number of units.

    The tokens of the whole text are counted exactly. The search for the length starts from the sum of the
    tokens of the passages, each rendered alone. The sum differs from the whole by at most a token per
    passage, because tokens merge where two passages meet.

    Args:
        units: The units in the order in which a pack takes them.
        budget_tokens: Largest number of tokens of the text, at least 1.
        maker: Turns units into text.

    Raises:
        BudgetTooSmall: there are units, but the first does not fit.
    """
    end = _estimated_length(units, budget_tokens, maker)
    while end:
        passages = maker.passages(units[:end])
        if passages.num_tokens <= budget_tokens:
            return passages, end
        end -= 1
    if units:
        raise BudgetTooSmall(budget_tokens, maker.passages(units[:1]).num_tokens)
    return Passages(), 0


def _estimated_length(units: Sequence[Unit], budget_tokens: int, maker: Maker) -> int:
    """Return how many units fit the budget by the sum of their passages' tokens, or a few more."""
    # The passages of the first units are counted once instead of after each unit.
    sums = list(accumulate(unit.num_tokens for unit in units))
    end = sum(total <= SURE_SHARE * budget_tokens for total in sums)
    groups = _by_passage(units[:end])
    sizes = {key: maker.size(group) for key, group in groups.items()}
    while end < len(units) and sum(sizes.values()) <= budget_tokens + len(sizes):
        unit = units[end]
        group = groups.setdefault(unit.passage, [])
        group.append(unit)
        sizes[unit.passage] = maker.size(group)
        end += 1
    return end
