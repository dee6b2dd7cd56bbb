"""Evidence -> rows: shares flagged, areas under ROC, with intervals over articles.

Questions of one article are alike, so it is articles that are drawn for an interval, each with all of its
questions.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.ablation.figures import Ranked, roc_area
from benchmarks.answerable.asking import Evidence
from benchmarks.rows import Row
from contextsvc.measuring.statistics import ROUNDS, bootstrap
from contextsvc.packing.answerability import COVERAGE_WEIGHT, THRESHOLD
from contextsvc.records.arrays import Float64Array

SEED = 43
ALLOWED = 0.05
"""Of the answerable questions, flagged: what the threshold may cost."""

THRESHOLDS = (0.36, 0.40, 0.44, THRESHOLD, 0.52)
WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6)

Way = Callable[[Evidence], float]


def _weighed(lexical: float) -> Way:
    return lambda evidence: evidence.weighed(lexical)


WAYS: Mapping[str, Way] = {
    "as shipped": lambda e: e.score,
    "coverage alone, as with other embedders": lambda e: e.weighed(1.0),
    "similarity alone": lambda e: e.weighed(0.0),
    **{f"weight of coverage {weight:g}": _weighed(weight) for weight in WEIGHTS},
    "the best candidate's own score": lambda e: float(e.own.max(initial=0.0)),
    "its distance from the tenth's": lambda e: e.gap,
    "BM25": lambda e: e.bm25,
}
"""What could say that nothing answers: higher, it is answered."""

Groups = Sequence[tuple[Sequence[Evidence], Sequence[Evidence]]]
"""By article: evidence of its questions where they can be answered, and where they cannot."""


def ranked(groups: Groups, way: Way) -> list[Ranked]:
    """By article: a score a question and whether it can be answered."""
    return [
        ([*map(way, there), *map(way, absent)], [True] * len(there) + [False] * len(absent))
        for there, absent in groups
    ]


def flagged(groups: Sequence[Ranked], threshold: float, answerable: bool) -> float:
    """Share of the questions that can be answered, or of those that cannot, that score below a threshold.

    >>> flagged([([0.2, 0.6], [True, True]), ([0.4, 0.9], [True, False])], 0.5, answerable=True)
    0.6666666666666666
    """
    below = [score < threshold for scores, labels in groups
             for score, label in zip(scores, labels, strict=True) if label == answerable]  # fmt: skip
    return sum(below) / len(below)


def least_allowed(groups: Sequence[Ranked]) -> float:
    """The greatest threshold of two digits below which at most `ALLOWED` of the answerable questions lie."""
    grid = [step / 100 for step in range(101)]
    return max(t for t in grid if flagged(groups, t, answerable=True) <= ALLOWED)


def fitted(groups: Groups) -> list[Ranked]:
    """By article: the same by logistic regression on all other articles.

    Features: the score as shipped, the best coverage, the best similarity, the distance from the tenth's.
    """
    given = [(_features(there), _features(absent)) for there, absent in groups]
    made: list[Ranked] = []
    for held, (there, absent) in enumerate(given):
        rest = [pair for number, pair in enumerate(given) if number != held]
        x = np.concatenate([part for pair in rest for part in pair])
        y = np.concatenate([np.repeat([1, 0], [len(yes), len(no)]) for yes, no in rest])
        model = LogisticRegression(C=100, max_iter=1000).fit(x, y)
        scores = model.predict_proba(np.concatenate([there, absent]))[:, 1].tolist()
        made.append((scores, [True] * len(there) + [False] * len(absent)))
    return made


def _features(found: Sequence[Evidence]) -> Float64Array:
    return np.array([[e.score, e.weighed(1.0), e.weighed(0.0), e.gap] for e in found], dtype=np.float64)


def area_row(name: str, groups: Sequence[Ranked], shared: Mapping[str, Any]) -> Row:
    """Area under ROC, over articles; groups that have one label alone are drawn apart from the others."""
    kinds: dict[frozenset[bool], list[Ranked]] = {}
    for group in groups:
        kinds.setdefault(frozenset(group[1]), []).append(group)
    rng, areas = np.random.default_rng(SEED), []
    for _ in range(ROUNDS):
        drawn = [of_kind[place] for of_kind in kinds.values()
                 for place in rng.integers(0, len(of_kind), len(of_kind)).tolist()]  # fmt: skip
        areas.append(roc_area(drawn))
    low, high = np.percentile(areas, [2.5, 97.5])
    n = sum(len(labels) for _, labels in groups)
    return Row(figure=f"{name}: area under ROC", value=roc_area(groups), interval=(float(low), float(high)),
               n=n, details={"num_groups": len(groups)}, **shared)  # fmt: skip


def share_row(
    name: str, groups: Sequence[Ranked], threshold: float, answerable: bool, shared: Mapping[str, Any]
) -> Row:
    """Share below a threshold of the questions with a label, over articles."""
    counts = np.array([
        (sum(score < threshold for score, label in zip(*group, strict=True) if label == answerable),
         sum(label == answerable for label in group[1]))
        for group in groups
    ])  # fmt: skip
    below, total = counts.sum(axis=0)

    def share(drawn: Float64Array) -> Float64Array:
        sums: Float64Array = counts[drawn.astype(np.int64)].sum(axis=1)
        return sums[:, 0] / sums[:, 1]

    interval = bootstrap(np.arange(len(groups), dtype=np.float64), share, SEED)
    details = {"num_groups": len(groups)}
    return Row(figure=name, value=float(below / total), interval=interval, n=int(total), details=details,
               **shared)  # fmt: skip


def rows_of_ways(groups: Groups, shared: Mapping[str, Any]) -> list[Row]:
    """Every way's area, and the share it finds where it flags `ALLOWED` of the answerable ones."""
    made = []
    tables = {name: ranked(groups, way) for name, way in WAYS.items()}
    if len(groups) > 1:
        tables["logistic regression, each article by the others"] = fitted(groups)
    for name, table in tables.items():
        row = area_row(name, table, shared)
        there = [s for scores, labels in table for s, label in zip(scores, labels, strict=True) if label]
        least = float(np.quantile(there, ALLOWED))
        row.details["found_where_as_many_are_flagged"] = flagged(table, least, answerable=False)
        made.append(row)
    return made


def rows_of_thresholds(groups: Groups, near: Groups, shared: Mapping[str, Any]) -> list[Row]:
    """What the shipped score flags, by thresholds; `near` lacks the paragraph alone."""
    table, hard = ranked(groups, WAYS["as shipped"]), ranked(near, WAYS["as shipped"])
    terms = ranked(groups, WAYS["coverage alone, as with other embedders"])
    made = []
    for threshold in THRESHOLDS:
        lead = "" if threshold == THRESHOLD else f"threshold {threshold:.2f}, "
        made += [
            share_row(f"{lead}answerable, flagged", table, threshold, True, shared),
            share_row(f"{lead}without its article, found", table, threshold, False, shared),
            share_row(f"{lead}without its paragraph, found", hard, threshold, False, shared),
        ]
    return [
        *made,
        area_row("without its paragraph alone", hard, shared),
        share_row("coverage alone: answerable, flagged", terms, THRESHOLD, True, shared),
        share_row("coverage alone: without its article, found", terms, THRESHOLD, False, shared),
        Row(figure="greatest threshold that flags at most 5 % of the answerable", value=least_allowed(table),
            interval=None, n=sum(len(there) for there, _ in groups), details={}, **shared),
    ]  # fmt: skip


def chosen() -> dict[str, object]:
    """What shapes the score."""
    return {"lexical": COVERAGE_WEIGHT, "threshold": THRESHOLD, "allowed": ALLOWED}
