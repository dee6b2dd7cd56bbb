"""Figures that a person can work out, and those of trec_eval."""

import math

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.retrieval.metrics import by_document, ndcg, recall, reciprocal_rank

NAMES = [f"d{number}" for number in range(15)]


def test_ndcg_of_two_grades() -> None:
    # found: 1 / log2(2) + 3 / log2(4) = 2.5; best: 3 / log2(2) + 1 / log2(3)
    assert ndcg(["a", "x", "b"], {"a": 1, "b": 3}) == pytest.approx(2.5 / (3 + 1 / math.log2(3)))
    assert ndcg(["b", "a"], {"a": 1, "b": 3}) == 1.0
    assert ndcg(["x", "a"], {"a": 1}, depth=1) == 0.0


def test_recall_and_reciprocal_rank() -> None:
    assert recall(["x", "a", "b"], {"a": 1, "b": 1, "c": 1}, 2) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "a"], {"a": 1}) == 0.5
    assert reciprocal_rank(["x"], {"a": 1}) == 0.0


def test_a_document_stands_where_its_best_passage_does() -> None:
    assert by_document(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


@given(st.permutations(NAMES), st.dictionaries(st.sampled_from(NAMES), st.integers(1, 4), min_size=1))
def test_they_are_those_of_trec_eval(ranking: list[str], gains: dict[str, int]) -> None:
    measures = {"ndcg_cut.10", "recall.10", "recip_rank"}
    run = {"q": {doc_id: float(-rank) for rank, doc_id in enumerate(ranking)}}
    expected = pytrec_eval.RelevanceEvaluator({"q": gains}, measures).evaluate(run)["q"]
    assert ndcg(ranking, gains) == pytest.approx(expected["ndcg_cut_10"])
    assert recall(ranking, gains, 10) == pytest.approx(expected["recall_10"])
    assert reciprocal_rank(ranking, gains) == pytest.approx(expected["recip_rank"])
