"""Summarise the measurements of many queries on one generation, and store the summary next to it.

A generation is one published version of an index.
"""

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
    """Summarise the measurements of many queries. If a measurement has no score, only its cost counts.

    Args:
        generation: Id of the generation that was measured.
        found: One measurement per query, all with the same reader and method.
        seed: Seed of the bootstrap over queries.

    Raises:
        UserError: no measurement has a score.
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
    """Return the threshold that all queries share.

    If thresholds differ, return their mean, with an interval from the smallest `low` to the largest `high`.
    """
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
    """Store the summary of a generation. The file atomically replaces the previous summary.

    Raises:
        WriteError: the file could not be written. No partial file is left.
    """
    write_companion(summary_path(folder, summary.generation), encode(summary))


def summary_path(folder: Path, generation: str) -> Path:
    """Return the path of the stored summary of a generation.

    The file lies outside the folder of the generation, which is never changed.

    Args:
        folder: Folder of the generation, ROOT/NAME/generations/ID.
        generation: Id of the generation.
    """
    return companions_of(folder, UTILIZATION) / f"{generation}.json"
