"""The answer score of a query."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.packing.answerability import (
    COVERAGE_WEIGHT,
    EMBEDDER,
    THRESHOLD,
    answer_score,
    knows_cosines_of,
)
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.settings import Settings

SHARE = st.floats(0, 1)


def test_the_best_chunk_decides_with_its_own_two_signals() -> None:
    # .35 * .8 + .65 * .2 = .41, .35 * 0 + .65 * .6 = .39; the best of each would be .67.
    assert answer_score(np.array([0.8, 0.0]), np.array([0.2, 0.6])) == 0.41
    assert answer_score(np.array([1.0]), np.array([1.0])) == 1.0


def test_without_similarity_coverage_decides() -> None:
    assert answer_score(np.array([0.25, 0.75]), None) == 0.75


def test_no_chunks_score_0() -> None:
    none = np.zeros(0)
    assert answer_score(none, none) == answer_score(none, None) == 0.0


def test_signals_of_other_chunks_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"coverage \(2,\) and similarity \(1,\)"):
        answer_score(np.zeros(2), np.zeros(1))


def test_cosines_are_known_by_the_hash_of_the_weights_alone() -> None:
    assert knows_cosines_of(Fingerprint(name="renamed", weights=EMBEDDER, precision="bfloat16"))
    assert not knows_cosines_of(Fingerprint(name=EMBEDDER, weights="other"))
    assert not knows_cosines_of(Fingerprint(name="fake"))


def test_the_default_setting_is_the_chosen_threshold() -> None:
    assert Settings().answerable == THRESHOLD


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=8), st.data())
def test_more_evidence_never_lowers_the_score(chunks: list[tuple[float, float]], data: st.DataObject) -> None:
    coverage, similarity = np.array(chunks).T
    score = answer_score(coverage, similarity)
    assert 0 <= score <= 1
    order = data.draw(st.permutations(range(len(chunks))))
    assert answer_score(coverage[order], similarity[order]) == score
    one = data.draw(st.integers(0, len(chunks) - 1))
    more = np.maximum(coverage, np.where(np.arange(len(chunks)) == one, data.draw(SHARE), 0))
    assert answer_score(more, similarity) >= score
    added = answer_score(np.append(coverage, data.draw(SHARE)), np.append(similarity, data.draw(SHARE)))
    assert added >= score
    assert COVERAGE_WEIGHT * coverage[one] + (1 - COVERAGE_WEIGHT) * similarity[one] <= score + 1e-6
