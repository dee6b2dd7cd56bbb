"""Selection of the chunks that a pack may draw on, by marginal gain and without regard to the budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array
from contextsvc.records.packs import Candidate, Drop, DropReason


@dataclass(frozen=True, slots=True)
class Novelty:
    """How much a chunk must add to the chunks that were selected before it.

    Attributes:
        near_duplicate_similarity: A candidate is left out if its cosine to a selected chunk is at least this.
        diversity_weight: Share of the similarity to the selected chunks that is subtracted from a score.
        least_gain: Smallest gain with which a candidate is selected. With 0, any positive gain is enough.
    """

    near_duplicate_similarity: float
    diversity_weight: float
    least_gain: float = 0.0


def select(
    candidates: Sequence[Candidate], vectors: Float32Array, novelty: Novelty
) -> tuple[list[Candidate], list[Drop]]:
    """Select the candidate of the greatest marginal gain, again and again, until none is left.

    The gain is `score - diversity_weight * (greatest similarity to a selected chunk)`, which is maximal
    marginal relevance up to a factor (Carbonell and Goldstein, SIGIR 1998,
    https://doi.org/10.1145/290941.291025). Of equal gains, the better rank is first.

    Args:
        candidates: The candidates, best first.
        vectors: (num_candidates, dim) unit rows, for the similarity between chunks.
        novelty: How much a chunk must add.

    Returns:
        The selected candidates in order of selection, and a receipt for each other candidate, by rank. The
        reasons are `near_duplicate` and `no_gain`.

    Raises:
        ShapeError: numbers of candidates and vectors differ.
    """
    if len(candidates) != len(vectors):
        raise ShapeError(f"{len(candidates)} candidates but {len(vectors)} vectors")
    scores = np.array([candidate.score for candidate in candidates])
    # For each candidate: greatest similarity to a kept candidate, and the number of that kept candidate.
    similarity, nearest = np.zeros(len(candidates)), np.full(len(candidates), -1)
    kept: list[Candidate] = []
    drops: list[Drop] = []
    # Gains change only when a candidate joins. Until then, the waiting candidates stay in order.
    gains, waiting = scores.tolist(), list(range(len(candidates)))
    while waiting:
        number = waiting.pop(0)
        candidate = candidates[number]
        neighbour = candidates[nearest[number]] if nearest[number] >= 0 else None
        refusal = _refusal(candidate, kept, gains[number], float(similarity[number]), neighbour, novelty)
        if refusal is not None:
            drops.append(Drop.of(candidate, *refusal))
            continue
        kept.append(candidate)
        # Not a matrix product, because its order of sums depends on the number of rows: results for equal
        # rows could differ.
        to_new = (vectors * vectors[number]).sum(axis=1)
        nearest = np.where(to_new > similarity, number, nearest)
        similarity = np.maximum(to_new, similarity)
        gains = (scores - novelty.diversity_weight * similarity).tolist()
        waiting.sort(key=lambda i: (-gains[i], candidates[i].rank))
    return kept, sorted(drops, key=lambda drop: drop.rank)


def _refusal(
    candidate: Candidate,
    kept: Sequence[Candidate],
    gain: float,
    similarity: float,
    neighbour: Candidate | None,
    novelty: Novelty,
) -> tuple[DropReason, str] | None:
    """Return why a candidate is left out; None if it is selected."""
    same_text = next((c for c in kept if c.chunk.text == candidate.chunk.text), None)
    if same_text or similarity >= novelty.near_duplicate_similarity:
        other = same_text or neighbour
        return "near_duplicate", f"of {other.chunk.chunk_id}" if other else ""
    if kept and (gain <= 0 or gain < novelty.least_gain):
        return "no_gain", f"gain {gain:.3f}, {novelty.least_gain:.3f} needed"
    return None
