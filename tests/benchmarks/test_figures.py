"""Figures of rankings by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.ablation.figures import (
    average_precision,
    gold_first,
    gold_on_top,
    over_questions,
    roc_area,
)

TWO = [([0.9, 0.1, 0.5], [True, False, True]), ([0.2, 0.8, 0.2], [True, False, True])]


def test_gold_first_and_on_top_by_hand() -> None:
    assert gold_first(TWO).tolist() == [1.0, 0.0]
    assert gold_on_top(TWO).tolist() == [1.0, 0.0]


def test_the_area_counts_ties_half() -> None:
    assert roc_area([([0.5, 0.5], [True, False])]) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_area_and_precision_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = rng.random(30), rng.random(30) < 0.3
    question = (values.tolist(), labels.tolist())
    assert roc_area([question]) == pytest.approx(roc_auc_score(labels, values))
    assert average_precision(question) == pytest.approx(average_precision_score(labels, values))


def test_the_interval_is_over_questions() -> None:
    value, (low, high) = over_questions(lambda found: float(gold_first(found).mean()), TWO, 0, rounds=200)
    assert (value, low, high) == (0.5, 0.0, 1.0)
