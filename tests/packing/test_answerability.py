"""The answer score of a query."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.packing.answerability import (
    EMBEDDER,
    THRESHOLD,
    answer_score,
    similarity_counts,
    threshold_of,
)
from contextsvc.records.arrays import Float64Array
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import AnswerCalibration

SHARE = st.floats(0, 1)


def test_the_best_chunk_decides_with_its_own_two_signals() -> None:
    # 3 terms: .45 * .8 * 3/4 + .55 * .2 = .38, .45 * 0 + .55 * .6 = .33; the best of each would be .6.
    assert answer_score(np.array([0.8, 0.0]), np.array([0.2, 0.6]), 3) == 0.38
    assert answer_score(np.array([1.0]), np.array([1.0]), 3) == 0.8875


@pytest.mark.parametrize(
    ("num_terms", "score"),
    [
        (0, 0.22),  # .45 * 0 + .55 * .4
        (1, 0.445),  # .45 * 1/2 + .55 * .4
        (2, 0.52),  # .45 * 2/3 + .55 * .4
        (5, 0.595),  # .45 * 5/6 + .55 * .4
        (8, 0.62),  # .45 * 8/9 + .55 * .4: the last with the whole weight
        (9, 0.6),  # .4 * 9/10 + .6 * .4
        (36, 0.457297),  # .1 * 36/37 + .9 * .4
    ],
)
def test_coverage_counts_less_in_very_short_and_in_long_queries(num_terms: int, score: float) -> None:
    assert answer_score(np.array([1.0]), np.array([0.4]), num_terms) == score


def test_without_similarity_coverage_decides() -> None:
    assert answer_score(np.array([0.25, 0.75]), None, 2) == 0.5
    assert answer_score(np.array([0.25, 0.75]), None, 19) == 0.7125  # .75 * 19/20, long queries included


def test_no_chunks_score_0() -> None:
    none = np.zeros(0)
    assert answer_score(none, none, 2) == answer_score(none, None, 2) == 0.0


def test_signals_of_other_chunks_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"coverage \(2,\) and similarity \(1,\)"):
        answer_score(np.zeros(2), np.zeros(1), 1)


def test_similarity_counts_by_the_hash_of_the_weights_or_a_threshold_of_the_index() -> None:
    none, few = AnswerCalibration(), AnswerCalibration(num_questions=19)
    own = AnswerCalibration(threshold=0.0, num_questions=20)
    renamed = Fingerprint(name="renamed", weights=EMBEDDER, precision="bfloat16")
    assert similarity_counts(renamed, none)
    for other in (Fingerprint(name=EMBEDDER, weights="other"), Fingerprint(name="fake")):
        assert not similarity_counts(other, none)
        assert not similarity_counts(other, few)
        assert similarity_counts(other, own)


def test_the_setting_comes_before_the_index_and_the_index_before_the_default() -> None:
    none, own = AnswerCalibration(), AnswerCalibration(threshold=0.0, num_questions=20)
    assert threshold_of(own, 0.7) == threshold_of(none, 0.7) == (0.7, "setting")
    assert threshold_of(own, 0.0) == (0.0, "setting")
    assert threshold_of(own, None) == (0.0, "index")
    assert threshold_of(none, None) == (THRESHOLD, "default")


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=8), st.data())
def test_more_evidence_never_lowers_the_score(chunks: list[tuple[float, float]], data: st.DataObject) -> None:
    coverage, similarity = np.array(chunks).T
    num_terms = data.draw(st.integers(0, 30))

    def answer(coverage: Float64Array, similarity: Float64Array) -> float:
        return answer_score(coverage, similarity, num_terms)

    score = answer(coverage, similarity)
    assert 0 <= score <= 1
    order = data.draw(st.permutations(range(len(chunks))))
    assert answer(coverage[order], similarity[order]) == score
    one = data.draw(st.integers(0, len(chunks) - 1))
    more = np.maximum(coverage, np.where(np.arange(len(chunks)) == one, data.draw(SHARE), 0))
    assert answer(more, similarity) >= score
    added = answer(np.append(coverage, data.draw(SHARE)), np.append(similarity, data.draw(SHARE)))
    assert added >= score
    assert answer(coverage[one : one + 1], similarity[one : one + 1]) <= score
