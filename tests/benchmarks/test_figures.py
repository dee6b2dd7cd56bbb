"""Figures of rankings by hand, and against scikit-learn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

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


def test_of_equal_scores_the_first_counts_as_better() -> None:
    # Ranks 1 and 3 are gold: (1 / 1 + 2 / 3) / 2. scikit-learn would take equal scores as one rank.
    assert average_precision(([0.5, 0.5, 0.5], [True, False, True])) == pytest.approx(5 / 6)


units = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), st.booleans()), min_size=2, max_size=30
)


@given(units.filter(lambda found: 0 < sum(gold for _, gold in found) < len(found)))
def test_the_area_is_that_of_scikit_learn_ties_included(found: list[tuple[float, bool]]) -> None:
    values, labels = [value for value, _ in found], [gold for _, gold in found]
    half = len(found) // 2
    questions = [(values[:half], labels[:half]), (values[half:], labels[half:])]
    assert roc_area(questions) == pytest.approx(roc_auc_score(labels, values))


def test_groups_are_drawn_apart() -> None:
    # One group has only gold units, the other has none; drawn together, a draw could lack either.
    good, bad = [([0.9], [True]), ([0.8], [True])], [([0.1], [False])]
    assert over_questions(roc_area, [good, bad], 0, rounds=50) == (1.0, (1.0, 1.0))


def test_the_interval_is_over_questions() -> None:
    value, (low, high) = over_questions(lambda found: float(gold_first(found).mean()), [TWO], 0, rounds=200)
    assert (value, low, high) == (0.5, 0.0, 1.0)
