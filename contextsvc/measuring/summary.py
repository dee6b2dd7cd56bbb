"""A generation's last measured score, kept beside it: a generation itself is sealed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from contextsvc.errors import UserError
from contextsvc.measuring.records import Threshold, Utilization, UtilizationSummary
from contextsvc.measuring.statistics import mean_interval
from contextsvc.ports.reading import Cost
from contextsvc.records.json import encode
from contextsvc.storage.generation import UTILIZATION, companions_of, write_companion


def summarise(generation: str, found: Sequence[Utilization], seed: int) -> UtilizationSummary:
    """One line for a generation, from the measurements of many queries; partial ones count as cost alone.

    Raises:
        UserError: none was finished.
    """
    finished = [u for u in found if u.score is not None]
    if not finished:
        raise UserError("no measurement was finished within its limits; raise CONTEXTSVC_MEASURE_MAX_*")
    scores = np.array([u.score for u in finished], dtype=np.float64)
    strict = np.array([u.strict_score for u in finished], dtype=np.float64)
    sufficient = [u.controls.sufficient for u in finished if u.controls.sufficient is not None]
    num_placebos = sum(len(u.controls.placebo_effects) for u in finished)
    num_live = sum(u.controls.num_placebos_live for u in finished)
    cost = Cost()
    for utilization in found:
        cost = cost + utilization.cost
    return UtilizationSummary(
        generation,
        float(scores.mean()),
        float(strict.mean()),
        mean_interval(scores, seed),
        len(finished),
        float(np.mean([bool(u.controls.depends_on_context) for u in finished])),
        float(np.mean(sufficient)) if sufficient else None,
        num_placebos,
        num_live / num_placebos if num_placebos else None,
        {kind: _shared([u.threshold for u in finished if u.target_kind == kind])
         for kind in sorted({u.target_kind for u in finished})},
        found[0].reader,
        found[0].method,
        cost,
    )  # fmt: skip


def _shared(thresholds: Sequence[Threshold]) -> Threshold:
    first = thresholds[0]
    if all(threshold == first for threshold in thresholds):
        return first
    return Threshold(
        float(np.mean([threshold.eps for threshold in thresholds])),
        min(threshold.low for threshold in thresholds),
        max(threshold.high for threshold in thresholds),
        sum(threshold.num_placebos for threshold in thresholds),
        f"mean of {len(thresholds)} thresholds, each {first.origin}",
    )


def store_summary(folder: Path, summary: UtilizationSummary) -> None:
    """Store a score; it replaces the previous one of the same generation, as `store_calibration` does.

    Raises:
        WriteError: the file could not be written; nothing is left behind.
    """
    write_companion(summary_path(folder, summary.generation), encode(summary))


def summary_path(folder: Path, generation: str) -> Path:
    """Return the file of a generation's stored score; `folder` is ROOT/NAME/generations/ID."""
    return companions_of(folder, UTILIZATION) / f"{generation}.json"
