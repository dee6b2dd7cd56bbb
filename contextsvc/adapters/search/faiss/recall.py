"""Measure the recall of an approximate index over held-out queries, and find the search effort for a target.

A measurement takes several times as long as the update of one document. So it remains valid until the share
of vectors that changed is too large. A stored measurement names the generation (one published version of an
index) in which it was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from contextsvc.adapters.search.faiss.index import ApproximateSearch, FaissVectorIndex
from contextsvc.adapters.search.faiss.scan import Float16Array
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.records.packs import Ranking

DEPTHS = (10, 100)
"""Numbers of results at which recall is measured.

10 is usual in comparisons, and 100 is the default of a request.
"""
MAX_DRIFT = 0.01
"""Largest share of vectors that may be added or removed before recall is measured again.

Below this share, the share of a query's results that changed is smaller still, on average.
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured recall and its origin, stored in `vectors.json` for later generations that reuse the index.

    Attributes:
        recalls: `recall_at_10` and `recall_at_100`, 0 to 1; empty if there was no held-out query.
        generation: Id of the generation (one published version of an index) in which recall was measured. The
            id is empty in the record that this generation itself stores.
        num_changed: Number of vectors added or removed since the measurement.
    """

    recalls: Mapping[str, float] = field(default_factory=dict)
    generation: str = ""
    num_changed: int = 0

    @property
    def entries(self) -> dict[str, object]:
        """Entries about recall for the manifest; empty if there was no held-out query."""
        if not self.recalls:
            return {}
        since = f"{self.generation}, {self.num_changed} chunks came or went since"
        return {**self.recalls, "recall_measured_in": since if self.generation else "this generation"}

    def after(self, generation: str, num_vectors: int, rows: Int64Array) -> "Measurement":
        """Return this recall measurement, rewritten for the next generation of the index.

        Args:
            generation: Id of the old generation, which holds this record.
            num_vectors: Number of vectors in the old generation.
            rows: For each vector of the next generation, its row in the old generation, or -1 if the vector
                is new: (n,).
        """
        num_new = int((rows < 0).sum())
        num_gone = num_vectors - (len(rows) - num_new)
        return Measurement(self.recalls, self.generation or generation, self.num_changed + num_new + num_gone)

    def still_holds(self, num_vectors: int, target: float) -> bool:
        """Return whether the measurement is still valid and good enough.

        That is the case if recall at 10 reached the target and few enough vectors changed since.

        Args:
            num_vectors: Number of vectors now.
            target: Target recall at 10, 0 to 1.
        """
        found = self.recalls.get(f"recall_at_{DEPTHS[0]}", -1.0)
        return found >= target and self.num_changed <= MAX_DRIFT * num_vectors


@dataclass(frozen=True, slots=True)
class TunedEffort:
    """A search effort, its measured recall, and whether this recall reaches the target."""

    effort: int
    measured: Measurement
    suffices: bool


class RecallTuner:
    """Measures recall over held-out queries and chooses the search effort. The exact search runs only once.

    Args:
        vectors: Stored vectors: (n, dim) float16.
        max_norm: Upper bound of the vectors' Euclidean norms.
        held_out: Held-out queries: (m, dim). m = 0 is allowed.
        target: Target recall at 10, 0 to 1.
    """

    def __init__(self, vectors: Float16Array, max_norm: float, held_out: Float32Array, target: float) -> None:
        self._vectors, self._max_norm = vectors, max_norm
        self._held_out, self._target = held_out, target

    def tune(self, index: Any, first: int, last: int | None = None) -> TunedEffort:
        """Find the smallest search effort that reaches the target recall.

        Efforts of 1, 2, 4, ... times `first` are tried. The largest useful effort always counts as
        sufficient, because no other effort gives a better recall.

        Args:
            index: FAISS index to measure.
            first: First effort that is tried.
            last: Effort at which the attempts end. After the first effort of at least `last` no larger one is
                tried, even if the recall does not reach the target. None means no limit.
        """
        most = ApproximateSearch(index, 0).max_effort
        if len(self._held_out) == 0:
            return TunedEffort(most, Measurement(), True)
        effort = min(first, most)
        while True:
            shares = self._recalls(index, effort)
            suffices = shares[0] >= self._target or effort == most
            if suffices or (last is not None and effort >= last):
                break
            effort = min(2 * effort, most)
        recalls = {f"recall_at_{k}": round(s, 4) for k, s in zip(DEPTHS, shares, strict=True)}
        return TunedEffort(effort, Measurement(recalls), suffices)

    def _recalls(self, index: Any, effort: int) -> list[float]:
        tried = FaissVectorIndex(self._vectors, self._max_norm, ApproximateSearch(index, effort))
        found = tried.search_at_depths(self._held_out, DEPTHS)
        return [recall(one, best) for one, best in zip(found, self._best, strict=True)]

    @cached_property
    def _best(self) -> list[list[Ranking]]:
        deepest = FaissVectorIndex(self._vectors, self._max_norm).search(self._held_out, max(DEPTHS))
        return [[Ranking(found.ids[:k], found.scores[:k]) for found in deepest] for k in DEPTHS]


def recall(found: list[Ranking], exact: list[Ranking]) -> float:
    """Return the mean share of the exact results that were found, 0 to 1; 1 without queries.

    Results are compared by score, not by id. So a chunk that ties with the last exact result counts as found.

    Args:
        found: Results of each query.
        exact: Results of an exact search for the same queries at the same depth.
    """
    shares = [
        float((one.scores >= best.scores[-1]).sum()) / len(best.scores)
        for one, best in zip(found, exact, strict=True)
        if len(best.scores)
    ]
    return float(np.mean(shares)) if shares else 1.0
