"""What goes into the pack: greedy by marginal gain, the budget proved on the rendered text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contextsvc.errors import BudgetTooSmall, ShapeError
from contextsvc.records import Candidate, Drop, DropReason, Float32Array
from contextsvc.steps.ordering import Ordering
from contextsvc.steps.rendering import render_units

SEAM_TOKENS = 16
"""Tokens of a chunk by itself and those it adds to a pack differ by less, for a tokenizer merges only where
the two meet. What would lie further past the budget is refused without counting the whole pack again."""


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


def pack_greedily(
    candidates: Sequence[Candidate],
    vectors: Float32Array,
    limits: Limits,
    order: Ordering,
    count: Callable[[str], int],
) -> Packed:
    """Take the candidate of greatest marginal gain until nothing is left to take.

    The gain is `score - diversity_weight * (greatest similarity to a packed chunk)`, which is
    maximal marginal relevance up to a factor (Carbonell and Goldstein, SIGIR 1998,
    https://doi.org/10.1145/290941.291025). Ties go to the better rank. A candidate joins only if
    the whole pack, rendered in its final order, still fits the budget; one that by itself takes
    `SEAM_TOKENS` more than is left is not tried.

    Args:
        candidates: Best first.
        vectors: (num_candidates, dim) unit rows, for similarity between chunks.
        limits: What the pack may hold.
        order: How the kept chunks will lie.
        count: Tokens of a text.

    Returns:
        The pack, empty for no candidates. Every candidate is kept or dropped: `near_duplicate`,
        `over_budget`, `no_gain` or `max_chunks`.

    Raises:
        BudgetTooSmall: there are candidates and not one fits alone.
        ShapeError: numbers of candidates and vectors differ.
    """
    if len(candidates) != len(vectors):
        raise ShapeError(f"{len(candidates)} candidates but {len(vectors)} vectors")
    kept: list[Candidate] = []
    units: list[str] = []
    num_tokens = 0
    drops: list[Drop] = []
    likeness = [0.0] * len(candidates)
    twin: list[Candidate | None] = [None] * len(candidates)
    waiting = list(range(len(candidates)))
    while waiting:
        gains = {i: candidates[i].score - limits.diversity_weight * likeness[i] for i in waiting}
        taken = max(waiting, key=lambda i: (gains[i], -candidates[i].rank))
        waiting.remove(taken)
        candidate = candidates[taken]
        drop = _refusal(candidate, kept, gains[taken], likeness[taken], twin[taken], limits)
        if drop is None:
            left = limits.budget_tokens - num_tokens
            # While nothing is kept, the whole is the candidate alone.
            added = _tokens_alone(candidate, count) if kept else 0
            if added <= left + SEAM_TOKENS:
                trial = render_units([c.chunk for c in order([*kept, candidate])])
                added = count("".join(trial)) - num_tokens
                if added <= left:
                    kept.append(candidate)
                    units, num_tokens = trial, num_tokens + added
                    _remember(candidate, taken, waiting, vectors, likeness, twin)
                    continue
            drop = Drop.of(candidate, "over_budget", f"it takes about {added} tokens, {left} are left")
        drops.append(drop)
    if drops and not kept:
        smallest = min(_tokens_alone(candidate, count) for candidate in candidates)
        raise BudgetTooSmall(limits.budget_tokens, smallest)
    return Packed(tuple(order(kept)), tuple(units), num_tokens, tuple(sorted(drops, key=lambda d: d.rank)))


def _refusal(
    candidate: Candidate,
    kept: Sequence[Candidate],
    gain: float,
    likeness: float,
    twin: Candidate | None,
    limits: Limits,
) -> Drop | None:
    reason: DropReason
    same_text = next((c for c in kept if c.chunk.text == candidate.chunk.text), None)
    if same_text or likeness >= limits.near_duplicate_similarity:
        other = same_text or twin
        reason, detail = "near_duplicate", f"of {other.chunk.chunk_id}" if other else ""
    elif len(kept) >= limits.max_chunks:
        reason, detail = "max_chunks", f"the pack holds {limits.max_chunks}"
    elif kept and (gain <= 0 or gain < limits.least_gain):
        reason, detail = "no_gain", f"gain {gain:.3f}, {limits.least_gain:.3f} needed"
    else:
        return None
    return Drop.of(candidate, reason, detail)


def _remember(
    candidate: Candidate,
    taken: int,
    waiting: Sequence[int],
    vectors: Float32Array,
    likeness: list[float],
    twin: list[Candidate | None],
) -> None:
    for other in waiting:
        similarity = float(vectors[taken] @ vectors[other])
        if similarity > likeness[other]:
            likeness[other], twin[other] = similarity, candidate


def _tokens_alone(candidate: Candidate, count: Callable[[str], int]) -> int:
    return count("".join(render_units([candidate.chunk])))
