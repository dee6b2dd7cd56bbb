"""Evidence -> rows: shares flagged and areas under ROC, with intervals over articles.

Questions of an article resemble each other, so intervals resample articles, each with all its questions.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks.ablation.figures import Ranked, over_questions, roc_area
from benchmarks.answerable.asking import Evidence
from benchmarks.pairs import resampled
from benchmarks.rows import Row, Sheet
from contextsvc.packing.answerability import THRESHOLD
from contextsvc.records.arrays import Float64Array, Int64Array

SEED = 43
ALLOWED = 0.05
"""Largest share of answerable questions that the threshold may flag."""

THRESHOLDS = (0.35, 0.40, THRESHOLD, 0.50)
WEIGHTS = (0.25, 0.35, 0.55, 0.65)

Way = Callable[[Evidence], float]


WAYS: Mapping[str, Way] = {
    "as shipped": lambda e: e.score,
    "coverage alone, as with other embedders": lambda e: e.weighed(1.0),
    "similarity alone": lambda e: e.weighed(0.0),
    **{f"weight of coverage {weight:g}": partial(Evidence.weighed, lexical=weight) for weight in WEIGHTS},
    "whatever the number of terms": lambda e: e.alike,
    "the best candidate's own score": lambda e: float(e.own.max(initial=0.0)),
    "its distance from the tenth's": lambda e: e.gap,
    "BM25": lambda e: e.bm25,
}
"""Candidates for the score; a higher score says that something answers."""

Groups = Sequence[tuple[Sequence[Evidence], Sequence[Evidence]]]
"""By article: evidence of its questions when they can be answered, and when they cannot."""


def ranked(groups: Groups, way: Way) -> list[Ranked]:
    """By article: scores of its questions, and which of them can be answered."""
    return [
        ([*map(way, there), *map(way, absent)], [True] * len(there) + [False] * len(absent))
        for there, absent in groups
    ]


def flagged(groups: Sequence[Ranked], threshold: float, answerable: bool) -> float:
    """Share of questions with this label that score below a threshold.

    >>> flagged([([0.2, 0.6], [True, True]), ([0.4, 0.9], [True, False])], 0.5, answerable=True)
    0.6666666666666666
    """
    below = [score < threshold for scores, labels in groups
             for score, label in zip(scores, labels, strict=True) if label == answerable]  # fmt: skip
    return sum(below) / len(below)


def least_allowed(groups: Sequence[Ranked]) -> float:
    """Greatest threshold, in steps of .01, that flags at most `ALLOWED` of the answerable questions."""
    grid = [step / 100 for step in range(101)]
    return max(t for t in grid if flagged(groups, t, answerable=True) <= ALLOWED)


def area_row(name: str, groups: Sequence[Ranked], sheet: Sheet) -> Row:
    """Area under ROC; groups with a single label are resampled apart from the others."""
    kinds: dict[frozenset[bool], list[Ranked]] = {}
    for group in groups:
        kinds.setdefault(frozenset(group[1]), []).append(group)
    area, interval = over_questions(roc_area, list(kinds.values()), SEED)
    n = sum(len(labels) for _, labels in groups)
    return sheet.row(f"{name}: area under ROC", area, n, interval, {"num_groups": len(groups)})


def share_row(name: str, groups: Sequence[Ranked], threshold: float, answerable: bool, sheet: Sheet) -> Row:
    """Share of the questions with a label that score below a threshold."""
    counts = np.array([
        (sum(score < threshold for score, label in zip(*group, strict=True) if label == answerable),
         sum(label == answerable for label in group[1]))
        for group in groups
    ])  # fmt: skip
    below, total = counts.sum(axis=0)

    def share(drawn: Int64Array) -> Float64Array:
        sums: Float64Array = counts[drawn].sum(axis=1)
        return sums[:, 0] / sums[:, 1]

    interval = resampled(len(groups), share, SEED)
    return sheet.row(name, float(below / total), int(total), interval, {"num_groups": len(groups)})


def rows_of_ways(groups: Groups, sheet: Sheet) -> list[Row]:
    """Area of each score, and the share it finds at the threshold that flags `ALLOWED` of the answerable."""
    made = []
    tables = {name: ranked(groups, way) for name, way in WAYS.items()}
    for name, table in tables.items():
        row = area_row(name, table, sheet)
        there = [s for scores, labels in table for s, label in zip(scores, labels, strict=True) if label]
        least = float(np.quantile(there, ALLOWED))
        row.details["found_where_as_many_are_flagged"] = flagged(table, least, answerable=False)
        made.append(row)
    return made


def rows_of_thresholds(groups: Groups, near: Groups, own: float, sheet: Sheet) -> list[Row]:
    """Shares that the shipped score flags, by threshold.

    `near` excludes only the paragraph. `own` is the index's threshold, whose rows name no threshold.
    """
    table, hard = ranked(groups, WAYS["as shipped"]), ranked(near, WAYS["as shipped"])
    terms = ranked(groups, WAYS["coverage alone, as with other embedders"])
    made = []
    for lead, threshold in {"": own, **{f"threshold {value:.2f}, ": value for value in THRESHOLDS}}.items():
        made += [
            share_row(f"{lead}answerable, flagged", table, threshold, True, sheet),
            share_row(f"{lead}without its article, found", table, threshold, False, sheet),
            share_row(f"{lead}without its paragraph, found", hard, threshold, False, sheet),
        ]
    return [
        *made,
        area_row("without its paragraph alone", hard, sheet),
        share_row("coverage alone: answerable, flagged", terms, THRESHOLD, True, sheet),
        share_row("coverage alone: without its article, found", terms, THRESHOLD, False, sheet),
        sheet.row("greatest threshold that flags at most 5 % of the answerable", least_allowed(table),
                  sum(len(there) for there, _ in groups)),
    ]  # fmt: skip
