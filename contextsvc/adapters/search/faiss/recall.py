"""What an approximate index misses: its recall over held-out queries, and the effort that suffices.

Measuring takes several times as long as moving the codes of a changed document. So a measurement stands until
more than a share of the vectors has changed, and says in which generation it was made.
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
"""Recall is measured at both: 10 is what people compare, 100 is what a request takes by default."""
MOST_DRIFT = 0.01
"""Recall is measured again once vectors that came or went since are more than this share: below it, what
changed is on average less than this share of what any query asks for."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Recall and where it was measured; `vectors.json` keeps it for the generations that go on with it.

    Attributes:
        recalls: `recall_at_10` and `recall_at_100`; empty where there was no query to measure it with.
        generation: Id of the generation that measured; empty where it is the one that says so.
        num_changed: Vectors that came or went since.
    """

    recalls: Mapping[str, float] = field(default_factory=dict)
    generation: str = ""
    num_changed: int = 0

    @property
    def said(self) -> dict[str, object]:
        """What the manifest says of it."""
        if not self.recalls:
            return {}
        since = f"{self.generation}, {self.num_changed} chunks came or went since"
        return {**self.recalls, "recall_measured_in": since if self.generation else "this generation"}

    def after(self, generation: str, num_vectors: int, rows: Int64Array) -> "Measurement":
        """The same in a generation that follows.

        Args:
            generation: Id of the one that says this.
            num_vectors: How many it has.
            rows: For each vector that follows its row there, -1 for a new one.
        """
        num_new = int((rows < 0).sum())
        num_gone = num_vectors - (len(rows) - num_new)
        return Measurement(self.recalls, self.generation or generation, self.num_changed + num_new + num_gone)

    def stands(self, num_vectors: int, wanted: float) -> bool:
        """Whether it tells enough of so many vectors to know that the recall is what is asked for."""
        found = self.recalls.get(f"recall_at_{DEPTHS[0]}", -1.0)
        return found >= wanted and self.num_changed <= MOST_DRIFT * num_vectors


@dataclass(frozen=True, slots=True)
class Tuned:
    """An effort, what it comes to, and whether that is what was asked for."""

    effort: int
    measured: Measurement
    suffices: bool


class Judge:
    """Measures recall over held-out queries; what an exact search finds is asked for once."""

    def __init__(self, vectors: Float16Array, longest: float, held_out: Float32Array, wanted: float) -> None:
        self._vectors, self._longest = vectors, longest
        self._held_out, self._wanted = held_out, wanted

    def tuned(self, index: Any, first: int, last: int | None = None) -> Tuned:
        """The least effort of first, 2 first, ... that suffices, or the one of them that reaches `last`.

        The greatest there is counts as sufficient, for nothing is better.
        """
        most = ApproximateSearch(index, 0).most_effort
        if len(self._held_out) == 0:
            return Tuned(most, Measurement(), True)
        effort = min(first, most)
        while True:
            shares = self._recalls(index, effort)
            suffices = shares[0] >= self._wanted or effort == most
            if suffices or (last is not None and effort >= last):
                break
            effort = min(2 * effort, most)
        recalls = {f"recall_at_{k}": round(s, 4) for k, s in zip(DEPTHS, shares, strict=True)}
        return Tuned(effort, Measurement(recalls), suffices)

    def _recalls(self, index: Any, effort: int) -> list[float]:
        tried = FaissVectorIndex(self._vectors, self._longest, ApproximateSearch(index, effort))
        found = tried.search_at_depths(self._held_out, DEPTHS)
        return [recall(one, best) for one, best in zip(found, self._best, strict=True)]

    @cached_property
    def _best(self) -> list[list[Ranking]]:
        deepest = FaissVectorIndex(self._vectors, self._longest).search(self._held_out, max(DEPTHS))
        return [[Ranking(found.ids[:k], found.scores[:k]) for found in deepest] for k in DEPTHS]


def recall(found: list[Ranking], exact: list[Ranking]) -> float:
    """Mean share of the exact results that were found; 1 without queries.

    By score, not by id: what is as near as the last exact result is as right as that one.
    """
    shares = [
        float((one.scores >= best.scores[-1]).sum()) / len(best.scores)
        for one, best in zip(found, exact, strict=True)
        if len(best.scores)
    ]
    return float(np.mean(shares)) if shares else 1.0
