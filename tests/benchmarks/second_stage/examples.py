"""Queries whose candidates can be worked out by eye."""

import numpy as np

from benchmarks.second_stage.features import COLUMNS, Candidates
from benchmarks.second_stage.judged import Judged


def candidates(text: str, relevant: tuple[str, ...], rows: dict[str, dict[str, float]]) -> Candidates:
    """A document a candidate, its features by name, those not named 0."""
    features = np.array([[values.get(name, 0.0) for name in COLUMNS] for values in rows.values()])
    return Candidates(
        np.arange(len(rows), dtype=np.int64), tuple(rows), features,
        np.array([name in relevant for name in rows]), Judged(text, dict.fromkeys(relevant, 1)),
    )  # fmt: skip
