"""Selection of a pack's chunks, greedy by marginal gain. The budget is checked on the rendered text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.errors import BudgetTooSmall, ShapeError
from contextsvc.packing.ordering import Ordering
from contextsvc.records.arrays import Float32Array
from contextsvc.records.packs import Candidate, Drop, DropReason
from contextsvc.records.rendering import render, render_units

SEAM_TOKENS = 4
"""Largest number of tokens that a text is expected to lose when it joins a pack, because tokens merge only
where two texts meet. If a text exceeds the tokens left by more than this number, it is refused without
counting the whole pack again."""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """Limits of a pack.

    Attributes:
        budget_tokens: Largest number of tokens of the rendered text.
        max_chunks: Largest number of chunks.
        near_duplicate_similarity: A candidate is left out if its cosine to a packed chunk is at least this.
        diversity_weight: Share of the similarity to the pack that is subtracted from a candidate's score.
        least_gain: Smallest gain with which a candidate may join a pack. With 0, any positive gain is enough.
    """

    budget_tokens: int
    max_chunks: int
    near_duplicate_similarity: float
    diversity_weight: float
    least_gain: float = 0.0


@dataclass(frozen=True, slots=True)
class Selection:
    """The chunks selected for a pack, with the pack's text.

    Attributes:
        kept: The selected candidates, in the order of the text.
        units: The rendered text of each selected candidate. Joined, they are the text of the pack.
        num_tokens: Number of tokens of the whole text.
        drops: A receipt for each candidate that was not selected, by rank.
    """

    kept: tuple[Candidate, ...]
    units: tuple[str, ...]
    num_tokens: int
    drops: tuple[Drop, ...]

    @property
    def text(self) -> str:
        """Rendered text of the pack."""
        return "".join(self.units)


_Refusal = tuple[Candidate, DropReason, str]
"""A candidate that was left out, the reason for programs, and the reason in words."""


def pack_greedily(
    candidates: Sequence[Candidate],
    vectors: Float32Array,
    sizes: Sequence[int],
    limits: PackLimits,
    order: Ordering,
    count: Callable[[str], int],
) -> Selection:
    """Keep the candidate of the greatest marginal gain, again and again, until all are kept or dropped.

    The gain is `score - diversity_weight * (greatest similarity to a packed chunk)`, which is maximal
    marginal relevance up to a factor (Carbonell and Goldstein, SIGIR 1998,
    https://doi.org/10.1145/290941.291025). Of equal gains, the better rank is first. A candidate joins only
    if the whole pack, rendered in its final order, still fits the budget.

    Args:
        candidates: The candidates, best first.
        vectors: (num_candidates, dim) unit rows, for the similarity between chunks.
        sizes: Number of tokens of each candidate's own text. If it exceeds the tokens left by more than
            `SEAM_TOKENS`, the candidate is dropped without rendering the pack.
        limits: Limits of the pack.
        order: Function that orders the kept chunks in the text.
        count: Function that counts the tokens of a text.

    Returns:
        The selection. It is empty if there are no candidates. The reasons of its drops are `near_duplicate`,
        `over_budget`, `no_gain` or `max_chunks`.

    Raises:
        BudgetTooSmall: there are candidates, but not one fits alone.
        ShapeError: numbers of candidates, vectors and sizes differ.
    """
    if not len(candidates) == len(vectors) == len(sizes):
        raise ShapeError(f"{len(candidates)} candidates but {len(vectors)} vectors and {len(sizes)} sizes")
    draft = _Draft(limits.budget_tokens, order, count)

    def add(kept: Sequence[Candidate], number: int) -> str:
        return draft.add([*kept, candidates[number]], sizes[number])

    kept, refused = _select(candidates, vectors, limits, add)
    if refused and not kept:
        smallest = min(count(render([c.chunk])) for c in candidates)
        raise BudgetTooSmall(limits.budget_tokens, smallest)
    drops = [Drop.of(*refusal) for refusal in sorted(refused, key=lambda refusal: refusal[0].rank)]
    return Selection(tuple(order(kept)), tuple(draft.units), draft.num_tokens, tuple(drops))


def select_ignoring_budget(
    candidates: Sequence[Candidate], vectors: Float32Array, limits: PackLimits
) -> tuple[Candidate, ...]:
    """Return the candidates that `pack_greedily` would keep without a budget, in order of selection."""
    return tuple(_select(candidates, vectors, limits, lambda _kept, _number: "")[0])


class _Draft:
    """The rendered text of the candidates kept so far.

    Attributes:
        units: The rendered text of each candidate, in the order of the pack.
        num_tokens: Number of tokens of the whole text.
    """

    def __init__(self, budget_tokens: int, order: Ordering, count: Callable[[str], int]) -> None:
        self.units: list[str] = []
        self.num_tokens = 0
        self._budget_tokens, self._order, self._count = budget_tokens, order, count

    def add(self, kept: Sequence[Candidate], size: int) -> str:
        """Add a candidate to the text if it fits the budget.

        Args:
            kept: The candidates kept so far, and the new candidate at the end.
            size: Number of tokens of the new candidate's own text.

        Returns:
            The reason why the new candidate does not fit. The reason is empty if the candidate fits and was
            added.
        """
        left = self._budget_tokens - self.num_tokens
        if size > left + SEAM_TOKENS:
            return f"its text takes {size} tokens, {left} are left"
        units = render_units([candidate.chunk for candidate in self._order(kept)])
        added = self._count("".join(units)) - self.num_tokens
        if added > left:
            return f"it adds {added} tokens, {left} are left"
        self.units, self.num_tokens = units, self.num_tokens + added
        return ""


def _select(
    candidates: Sequence[Candidate],
    vectors: Float32Array,
    limits: PackLimits,
    add: Callable[[Sequence[Candidate], int], str],
) -> tuple[list[Candidate], list[_Refusal]]:
    """Select candidates by marginal gain.

    Args:
        candidates: The candidates, best first.
        vectors: (num_candidates, dim) unit rows.
        limits: Limits of the pack, whose budget is not used here.
        add: Called for a candidate that passes all checks but the budget, with the list of candidates kept so
            far and the number of the new candidate. It returns why the new candidate does not fit, or an
            empty text if it fits. A candidate that fits is kept.

    Returns:
        The kept and the refused candidates, both in order of selection.
    """
    scores = np.array([candidate.score for candidate in candidates])
    # For each candidate: greatest similarity to a kept candidate, and the number of that kept candidate.
    similarity, nearest = np.zeros(len(candidates)), np.full(len(candidates), -1)
    kept: list[Candidate] = []
    refused: list[_Refusal] = []
    # Gains change only when a candidate joins. Until then, the waiting candidates stay in order.
    gains, waiting = scores.tolist(), list(range(len(candidates)))
    while waiting:
        number = waiting.pop(0)
        candidate = candidates[number]
        neighbour = candidates[nearest[number]] if nearest[number] >= 0 else None
        refusal = _refusal(candidate, kept, gains[number], float(similarity[number]), neighbour, limits)
        if refusal is None and (why := add(kept, number)):
            refusal = "over_budget", why
        if refusal is not None:
            refused.append((candidate, *refusal))
            continue
        kept.append(candidate)
        # Not a matrix product, because its order of sums depends on the number of rows: results for equal
        # rows could differ.
        to_new = (vectors * vectors[number]).sum(axis=1)
        nearest = np.where(to_new > similarity, number, nearest)
        similarity = np.maximum(to_new, similarity)
        gains = (scores - limits.diversity_weight * similarity).tolist()
        waiting.sort(key=lambda i: (-gains[i], candidates[i].rank))
    return kept, refused


def _refusal(
    candidate: Candidate,
    kept: Sequence[Candidate],
    gain: float,
    similarity: float,
    neighbour: Candidate | None,
    limits: PackLimits,
) -> tuple[DropReason, str] | None:
    """Return why a candidate is left out for a reason other than the budget; None if it may join."""
    same_text = next((c for c in kept if c.chunk.text == candidate.chunk.text), None)
    if same_text or similarity >= limits.near_duplicate_similarity:
        other = same_text or neighbour
        return "near_duplicate", f"of {other.chunk.chunk_id}" if other else ""
    if len(kept) >= limits.max_chunks:
        return "max_chunks", f"the pack holds {limits.max_chunks}"
    if kept and (gain <= 0 or gain < limits.least_gain):
        return "no_gain", f"gain {gain:.3f}, {limits.least_gain:.3f} needed"
    return None
