"""Summary of the measurements of a generation: computed from many queries, stored beside it."""

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
    """Summarise the measurements of many queries; of partial ones only the cost counts.

    Args:
        generation: Id of the generation that was measured.
        found: One measurement a query, all of one reader and method.
        seed: Seed of the bootstrap over queries.

    Raises:
        UserError: every measurement is partial.
    """
    complete = [u for u in found if u.score is not None]
    if not complete:
        raise UserError("no measurement was finished within its limits; raise CONTEXTSVC_MEASURE_MAX_*")
    scores = np.array([u.score for u in complete], dtype=np.float64)
    strict = np.array([u.strict_score for u in complete], dtype=np.float64)
    sufficient = [u.controls.sufficient for u in complete if u.controls.sufficient is not None]
    num_placebos = sum(len(u.controls.placebo_effects) for u in complete)
    num_live = sum(u.controls.num_placebos_live for u in complete)
    kinds = sorted({u.target_kind for u in complete})
    return UtilizationSummary(
        generation=generation,
        score=float(scores.mean()),
        strict_score=float(strict.mean()),
        interval=mean_interval(scores, seed),
        num_queries=len(complete),
        share_dependent=float(np.mean([bool(u.controls.depends_on_context) for u in complete])),
        share_sufficient=float(np.mean(sufficient)) if sufficient else None,
        num_placebos=num_placebos,
        placebo_rate=num_live / num_placebos if num_placebos else None,
        thresholds={
            kind: _common([u.threshold for u in complete if u.target_kind == kind]) for kind in kinds
        },
        reader=found[0].reader,
        method=found[0].method,
        cost=sum((u.cost for u in found), Cost()),
    )


def _common(thresholds: Sequence[Threshold]) -> Threshold:
    """The threshold that all share, else their mean with the widest interval."""
    first = thresholds[0]
    if all(threshold == first for threshold in thresholds):
        return first
    return Threshold(
        eps=float(np.mean([threshold.eps for threshold in thresholds])),
        low=min(threshold.low for threshold in thresholds),
        high=max(threshold.high for threshold in thresholds),
        num_placebos=sum(threshold.num_placebos for threshold in thresholds),
        origin=f"mean of {len(thresholds)} thresholds, each {first.origin}",
    )


def store_summary(folder: Path, summary: UtilizationSummary) -> None:
    """Store the summary of a generation; it atomically replaces the one before.

    Raises:
        WriteError: the file could not be written; nothing is left behind.
    """
    write_companion(summary_path(folder, summary.generation), encode(summary))


def summary_path(folder: Path, generation: str) -> Path:
    """File of the stored summary of a generation; `folder` is ROOT/NAME/generations/ID.

    It lies outside the folder of the generation, which is never changed.
    """
    return companions_of(folder, UTILIZATION) / f"{generation}.json"
