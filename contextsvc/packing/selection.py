"""What goes into the pack: greedy by marginal gain, the budget proved on the rendered text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.errors import BudgetTooSmall, ShapeError
from contextsvc.packing.ordering import Ordering
from contextsvc.records.arrays import Float32Array
from contextsvc.records.packs import Candidate, Drop, DropReason
from contextsvc.records.rendering import render, render_units

SEAM_TOKENS = 4
"""Tokens of a text by itself exceed those it adds to a pack by less, for a tokenizer merges only where they
meet. What would lie further past the budget is refused without counting the whole pack again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pack may hold.

    Attributes:
        budget_tokens: Most tokens of the rendered text.
        max_chunks: Most chunks.
        near_duplicate_similarity: A candidate at least this alike to a packed chunk is left out.
        diversity_weight: How much likeness to the pack lowers a candidate's gain.
        least_gain: A candidate joins a pack only if its gain is at least this; 0: if it is positive.
    """

    budget_tokens: int
    max_chunks: int
    near_duplicate_similarity: float
    diversity_weight: float
    least_gain: float = 0.0


@dataclass(frozen=True, slots=True)
class Packed:
    """Candidates in the order of the text, that text in units, its tokens, and what was left out."""

    kept: tuple[Candidate, ...]
    units: tuple[str, ...]
    num_tokens: int
    drops: tuple[Drop, ...]

    @property
    def text(self) -> str:
        """The rendered pack."""
        return "".join(self.units)


_Refused = tuple[Candidate, DropReason, str]
"""A candidate that was left out, why, and that for a person."""


def pack_greedily(
    candidates: Sequence[Candidate],
    vectors: Float32Array,
    sizes: Sequence[int],
    limits: Limits,
    order: Ordering,
    count: Callable[[str], int],
) -> Packed:
    """Take the candidate of greatest marginal gain until nothing is left to take.

    The gain is `score - diversity_weight * (greatest similarity to a packed chunk)`, which is
    maximal marginal relevance up to a factor (Carbonell and Goldstein, SIGIR 1998,
    https://doi.org/10.1145/290941.291025). Ties go to the better rank. A candidate joins only if
    the whole pack, rendered in its final order, still fits the budget; one whose text takes
    `SEAM_TOKENS` more than is left is not tried.

    Args:
        candidates: Best first.
        vectors: (num_candidates, dim) unit rows, for similarity between chunks.
        sizes: Tokens of each candidate's text by itself.
        limits: What the pack may hold.
        order: How the kept chunks will lie.
        count: Tokens of a text.

    Returns:
        The pack, empty for no candidates. Every candidate is kept or dropped: `near_duplicate`,
        `over_budget`, `no_gain` or `max_chunks`.

    Raises:
        BudgetTooSmall: there are candidates and not one fits alone.
        ShapeError: numbers of candidates, vectors and sizes differ.
    """
    if not len(candidates) == len(vectors) == len(sizes):
        raise ShapeError(f"{len(candidates)} candidates but {len(vectors)} vectors and {len(sizes)} sizes")
    units: list[str] = []
    num_tokens = 0

    def misfit(kept: Sequence[Candidate], taken: int) -> str:
        nonlocal units, num_tokens  # of what fitted last, which is then kept
        left = limits.budget_tokens - num_tokens
        if sizes[taken] > left + SEAM_TOKENS:
            return f"its text takes {sizes[taken]} tokens, {left} are left"
        trial = render_units([c.chunk for c in order([*kept, candidates[taken]])])
        added = count("".join(trial)) - num_tokens
        if added > left:
            return f"it adds {added} tokens, {left} are left"
        units, num_tokens = trial, num_tokens + added
        return ""

    kept, refused = _greedily(candidates, vectors, limits, misfit)
    if refused and not kept:
        smallest = min(count(render([c.chunk])) for c in candidates)
        raise BudgetTooSmall(limits.budget_tokens, smallest)
    drops = [Drop.of(*one) for one in sorted(refused, key=lambda one: one[0].rank)]
    return Packed(tuple(order(kept)), tuple(units), num_tokens, tuple(drops))


def first_wanted(
    candidates: Sequence[Candidate], vectors: Float32Array, limits: Limits
) -> tuple[Candidate, ...]:
    """What `pack_greedily` takes if the budget allows, in the order in which it is taken."""
    return tuple(_greedily(candidates, vectors, limits, lambda _kept, _taken: "")[0])


def _greedily(
    candidates: Sequence[Candidate],
    vectors: Float32Array,
    limits: Limits,
    misfit: Callable[[Sequence[Candidate], int], str],
) -> tuple[list[Candidate], list[_Refused]]:
    """Kept and refused candidates, in the order they were looked at.

    `misfit` is asked last: why a candidate does not go with those kept, empty if it does and is kept.
    """
    scores = np.array([candidate.score for candidate in candidates])
    likeness, twin = np.zeros(len(candidates)), np.full(len(candidates), -1)
    kept: list[Candidate] = []
    refused: list[_Refused] = []
    # Gains change only when something joins: until then, those waiting stay in order.
    gains, waiting = scores.tolist(), list(range(len(candidates)))
    while waiting:
        taken = waiting.pop(0)
        candidate = candidates[taken]
        like = candidates[twin[taken]] if twin[taken] >= 0 else None
        refusal = _refusal(candidate, kept, gains[taken], float(likeness[taken]), like, limits)
        if refusal is None and (said := misfit(kept, taken)):
            refusal = "over_budget", said
        if refusal is not None:
            refused.append((candidate, *refusal))
            continue
        kept.append(candidate)
        # Not a matrix product: its order of sums depends on the number of rows; equal rows could differ.
        similarity = (vectors * vectors[taken]).sum(axis=1)
        twin = np.where(similarity > likeness, taken, twin)
        likeness = np.maximum(similarity, likeness)
        gains = (scores - limits.diversity_weight * likeness).tolist()
        waiting.sort(key=lambda i: (-gains[i], candidates[i].rank))
    return kept, refused


def _refusal(
    candidate: Candidate,
    kept: Sequence[Candidate],
    gain: float,
    likeness: float,
    twin: Candidate | None,
    limits: Limits,
) -> tuple[DropReason, str] | None:
    same_text = next((c for c in kept if c.chunk.text == candidate.chunk.text), None)
    if same_text or likeness >= limits.near_duplicate_similarity:
        other = same_text or twin
        return "near_duplicate", f"of {other.chunk.chunk_id}" if other else ""
    if len(kept) >= limits.max_chunks:
        return "max_chunks", f"the pack holds {limits.max_chunks}"
    if kept and (gain <= 0 or gain < limits.least_gain):
        return "no_gain", f"gain {gain:.3f}, {limits.least_gain:.3f} needed"
    return None
