"""What is learned from queries that leave no doubt."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.second_stage.features import FEATURES, FIXED
from benchmarks.second_stage.judged import Judged
from benchmarks.second_stage.learning import (
    LEARNERS,
    Logistic,
    Taught,
    Trees,
    Weights,
    best_score,
    examples,
    fixed_score,
    values,
)
from contextsvc.errors import ShapeError
from tests.benchmarks.second_stage.examples import candidates

ONE = candidates("one", ("a",), {"a": {"coverage": 1.0}, "b": {"length": 1.0}, "c": {}})
OTHER = candidates(
    "other", ("a", "b"), {"a": {"coverage": 0.9}, "b": {"coverage": 0.8}, "c": {"length": 0.5}}
)
ALL_RELEVANT = candidates("all", ("a",), {"a": {"coverage": 0.5}})
TAUGHT: Taught = {"first": [ONE, ALL_RELEVANT], "second": [OTHER]}


def test_collections_queries_and_candidates_weigh_the_same() -> None:
    third = candidates("third", ("a",), {"a": {}, "b": {}})
    features, relevant, weights = examples({"x": [ONE, third], "y": [OTHER]}, ("coverage",), centred=False)
    assert features[:, 0].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.9, 0.8, 0.0]
    assert relevant.tolist() == [True, False, False, True, False, True, True, False]
    assert weights.mean() == pytest.approx(1.0)
    # Of a whole of 8: x and y 4 each, the two queries of x 2 each.
    assert weights.tolist() == pytest.approx([2 / 3] * 3 + [1.0] * 2 + [4 / 3] * 3)


def test_a_query_that_teaches_nothing_is_left_out() -> None:
    assert len(examples(TAUGHT, FEATURES, centred=False)[0]) == 6
    with pytest.raises(ShapeError, match="nothing to learn from"):
        examples({"first": [ALL_RELEVANT]}, FEATURES, centred=False)


def test_less_their_means_features_add_up_to_nothing() -> None:
    features, _, _ = examples({"first": [ONE]}, ("coverage", "length"), centred=True)
    np.testing.assert_allclose(features.sum(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
def test_logistic_regression_finds_what_tells_them_apart(centred: bool) -> None:
    learned = Logistic(("coverage", "length"), centred)(TAUGHT)
    assert learned.record["coverage"] > 0 > learned.record["length"]
    unseen = candidates("unseen", ("z",), {"y": {"length": 1.0}, "z": {"coverage": 0.7}})
    assert np.argmax(learned.score(unseen)) == 1


def test_trees_find_what_tells_them_apart() -> None:
    rows = {f"d{n}": {"coverage": n / 200} for n in range(200)}
    relevant = tuple(f"d{n}" for n in range(100, 200))
    learned = Trees(("coverage", "length"), seed=0)({"first": [candidates("many", relevant, rows)]})
    unseen = candidates("unseen", ("z",), {"y": {"coverage": 0.2}, "z": {"coverage": 0.8}})
    low, high = learned.score(unseen)
    assert low < 0 < high


def test_weights_are_chosen_by_what_they_rank() -> None:
    # b is ahead unless terms weigh more than .45 without links: .5 (.9 - .0) against .5 (.8 - .0) and so on.
    taught = candidates("q", ("a",), {"a": {"terms": 0.9}, "b": {"sentence": 0.8}})
    learned = Weights()({"first": [taught]})
    # w .9 > (1 - w) .8 from w = .5 (.45 > .4) on; .45 gives .405 < .44.
    assert learned.record == {"terms": 0.5, "sentence": 0.5, "links": 0.0}
    assert values([taught], learned.score) == [1.0]


def test_a_document_is_ranked_by_its_best_chunk_and_ties_by_number() -> None:
    tied = candidates("q", ("b",), {"a": {FIXED: 0.5}, "b": {FIXED: 0.5 + 1e-9}})
    assert values([tied], fixed_score) == [pytest.approx(1 / np.log2(3))]
    ahead = candidates("q", ("b",), {"a": {FIXED: 0.5}, "b": {FIXED: 0.6}})
    assert values([ahead], fixed_score) == values([tied], best_score) == [1.0]


def test_what_was_not_found_is_missing_from_the_best_order_too() -> None:
    some = candidates("q", ("a", "c"), {"a": {}, "b": {}})
    found = replace(some, documents=("b", "a"), query=Judged("q", {"a": 1, "c": 1}))
    assert values([found], best_score) == [pytest.approx(1 / (1 + 1 / np.log2(3)))]


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_learning_again_gives_the_same(name: str) -> None:
    once, again = LEARNERS[name](TAUGHT), LEARNERS[name](TAUGHT)
    assert once.record == again.record
    np.testing.assert_array_equal(once.score(OTHER), again.score(OTHER))
