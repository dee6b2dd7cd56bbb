"""Figures of a ranking against labels, with bootstrap intervals over questions."""

from collections.abc import Callable, Sequence

import numpy as np

from contextsvc.measuring.statistics import ROUNDS
from contextsvc.records.arrays import Float64Array

Ranked = tuple[Sequence[float], Sequence[bool]]
"""Scores of a question's units and which of them are gold."""


def roc_area(questions: Sequence[Ranked]) -> float:
    """Share of pairs of a gold and another unit, over all questions, that are in order; ties count half.

    >>> roc_area([([0.9, 0.1], [True, False]), ([0.5, 0.7], [True, False])])
    0.75
    """
    scores = np.concatenate([np.asarray(values, dtype=np.float64) for values, _ in questions])
    gold = np.concatenate([np.asarray(labels, dtype=np.bool_) for _, labels in questions])
    order = np.sort(scores[~gold])
    below = np.searchsorted(order, scores[gold], side="left")
    upto = np.searchsorted(order, scores[gold], side="right")
    return float((below + upto).mean() / (2 * len(order)))


def gold_first(questions: Sequence[Ranked]) -> Float64Array:
    """1 where a gold unit has the largest score, first of equals: (num_questions,)."""
    return np.array([float(labels[int(np.argmax(values))]) for values, labels in questions])


def gold_on_top(questions: Sequence[Ranked]) -> Float64Array:
    """1 where the gold units are exactly the best ones: (num_questions,)."""
    found = []
    for values, labels in questions:
        best = np.argsort(-np.asarray(values), kind="stable")[: sum(labels)]
        found.append(float(all(labels[int(unit)] for unit in best)))
    return np.array(found)


def average_precision(question: Ranked) -> float:
    """Mean precision at each gold unit, best first, ties in order of the text.

    >>> round(average_precision(([0.9, 0.5, 0.1], [True, False, True])), 3)
    0.833
    """
    values, labels = question
    order = np.argsort(-np.asarray(values), kind="stable")
    hits = np.asarray(labels, dtype=np.float64)[order]
    ranks = np.arange(1, len(hits) + 1)
    return float(((hits.cumsum() / ranks) * hits).sum() / hits.sum())


def over_questions(
    statistic: Callable[[Sequence[Ranked]], float],
    questions: Sequence[Ranked],
    seed: int,
    rounds: int = ROUNDS,
) -> tuple[float, tuple[float, float]]:
    """A statistic of all questions with its 95 % bootstrap interval over them."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        drawn = rng.integers(0, len(questions), size=len(questions))
        values.append(statistic([questions[int(row)] for row in drawn]))
    low, high = np.percentile(values, [2.5, 97.5])
    return statistic(questions), (float(low), float(high))
