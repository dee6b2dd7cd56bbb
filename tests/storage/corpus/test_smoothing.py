"""Sentences in context: by hand, and against the vectors that no index stores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.storage.corpus import smoothing
from contextsvc.storage.corpus.smoothing import (
    KERNEL,
    REACH,
    SHARE,
    SIGMA,
    TERMS_KERNEL,
    TERMS_REACH,
    TERMS_SHARE,
    context_norms,
    context_similarity,
    context_terms,
)

A, B = [1.0, 0.0], [0.0, 1.0]


def windows(num: int) -> Int64Array:
    """Numbers of the neighbours of each sentence of a document, its edges repeated."""
    around: Int64Array = np.clip(np.arange(num)[:, None] + np.arange(-REACH, REACH + 1), 0, num - 1)
    return around


def similarity(vectors: Float32Array, query: Float64Array) -> Float64Array:
    products: Float64Array = (vectors * query).sum(axis=1)
    untitled = np.full(len(vectors), np.nan)
    return context_similarity(products[windows(len(vectors))], untitled, context_norms(vectors))


def test_a_sentence_keeps_its_share_and_near_neighbours_get_more_than_far_ones() -> None:
    assert len(KERNEL) == 2 * 3 * SIGMA + 1
    assert KERNEL.sum() == pytest.approx(1)
    assert KERNEL[REACH] == SHARE
    np.testing.assert_array_equal(KERNEL, KERNEL[::-1])
    after = KERNEL[REACH + 1 :]
    assert (np.diff(after) < 0).all()
    # One standard deviation away against two: exp(-1/2) against exp(-4/2).
    assert after[SIGMA - 1] / after[2 * SIGMA - 1] == pytest.approx(np.exp(1.5))


def test_two_sentences_by_hand() -> None:
    # Before the first there is only itself: .3 + .7 / 2 of it, .7 / 2 of the other.
    vectors = np.array([A, B], dtype=np.float32)
    length = (0.65**2 + 0.35**2) ** 0.5
    np.testing.assert_allclose(context_norms(vectors), [length, length], rtol=1e-6)
    np.testing.assert_allclose(similarity(vectors, np.array(A)), [0.65 / length, 0.35 / length], rtol=1e-6)


def test_a_title_has_its_share_of_every_sentence() -> None:
    # The sum is .7 A + .3 B: its length and its products can be read off.
    vectors, length = np.array([A, A], dtype=np.float32), (0.7**2 + 0.3**2) ** 0.5
    norms = context_norms(vectors, np.array(B))
    np.testing.assert_allclose(norms, [length, length], rtol=1e-6)
    for query, own, title, expected in ((A, 1.0, 0.0, 0.7), (B, 0.0, 1.0, 0.3)):
        assert np.array(query) @ np.array(A) == own
        found = context_similarity(np.full((2, len(KERNEL)), own), np.full(2, title), norms)
        np.testing.assert_allclose(found, [expected / length] * 2, rtol=1e-6)


def test_a_sentence_far_from_a_change_does_not_feel_it() -> None:
    vectors = np.array([A] * (REACH + 1) + [B], dtype=np.float32)
    assert context_norms(vectors)[0] == 1.0
    assert context_norms(vectors)[1] < 1.0


def test_a_document_without_sentences_has_no_norms() -> None:
    assert context_norms(np.zeros((0, 2), dtype=np.float32)).shape == (0,)
    none = context_similarity(np.zeros((0, len(KERNEL))), np.zeros(0), np.zeros(0, dtype=np.float32))
    assert none.shape == (0,)


def test_vectors_without_a_direction_are_like_nothing() -> None:
    vectors = np.zeros((3, 2), dtype=np.float32)
    assert context_norms(vectors).tolist() == [0, 0, 0]
    assert similarity(vectors, np.array(A)).tolist() == [0, 0, 0]


def test_shapes_must_agree() -> None:
    with pytest.raises(ShapeError, match=r"shape \(n, dim\), found \(3,\)"):
        context_norms(np.zeros(3, dtype=np.float32))
    with pytest.raises(ShapeError, match=r"shape \(2, 25\).* found \(2, 24\)"):
        context_similarity(np.zeros((2, 24)), np.zeros(2), np.ones(2, dtype=np.float32))
    with pytest.raises(ShapeError, match=r"shape \(3, 25\).* found \(2, 25\)"):
        context_similarity(np.zeros((2, 25)), np.zeros(2), np.ones(3, dtype=np.float32))
    with pytest.raises(ShapeError):
        context_similarity(np.zeros((2, 25)), np.zeros(3), np.ones(2, dtype=np.float32))


def test_norms_do_not_depend_on_the_block_they_are_worked_on_in(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_rows(100, 16, seed=3)
    whole = context_norms(vectors)
    for size in (1, 7, 99):
        monkeypatch.setattr(smoothing, "_BLOCK_ROWS", size)
        np.testing.assert_array_equal(context_norms(vectors), whole)


def unit_rows(num: int, dim: int, seed: int) -> Float32Array:
    vectors = np.random.default_rng(seed).normal(size=(num, dim))
    units: Float32Array = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return units


documents = st.builds(unit_rows, st.integers(1, 60), st.integers(2, 6), st.integers(0, 999))


@given(documents, st.integers(0, 999))
def test_scores_are_those_of_the_vectors_in_context(vectors: Float32Array, seed: int) -> None:
    query = unit_rows(1, vectors.shape[1], seed)[0].astype(np.float64)
    last = len(vectors) - 1
    found = similarity(vectors, query)
    for number in range(len(vectors)):
        weights, mean = 0.0, np.zeros(vectors.shape[1])
        for distance in (d for d in range(-3 * SIGMA, 3 * SIGMA + 1) if d != 0):
            weight = np.exp(-(distance**2) / (2 * SIGMA**2))
            weights += weight
            mean += weight * vectors[min(max(number + distance, 0), last)]
        combined = SHARE * vectors[number] + (1 - SHARE) * mean / weights
        expected = combined @ query / np.linalg.norm(combined)
        assert found[number] == pytest.approx(expected, abs=1e-5)


@given(documents, st.integers(0, 999))
def test_a_document_of_one_sentence_scores_as_its_sentence(vectors: Float32Array, seed: int) -> None:
    query = unit_rows(1, vectors.shape[1], seed)[0].astype(np.float64)
    assert similarity(vectors[:1], query) == pytest.approx(vectors[0] @ query, abs=1e-6)


@given(documents, st.integers(1, 3), st.data())
def test_equal_sentences_in_equal_contexts_are_equal_to_the_last_bit(
    vectors: Float32Array, before: int, data: st.DataObject
) -> None:
    query = np.arange(1.0, vectors.shape[1] + 1)
    # The same page twice, with others before and after: its middle sees the same neighbours.
    page = np.concatenate([vectors, unit_rows(2 * REACH, vectors.shape[1], 1)])
    other = unit_rows(before, vectors.shape[1], 2)
    both = np.concatenate([page, other, page, other])
    inner = slice(REACH, len(page) - REACH)
    shifted = slice(inner.start + len(page) + before, inner.stop + len(page) + before)
    for found in (context_norms(both), similarity(both, query)):
        np.testing.assert_array_equal(found[inner], found[shifted])
    # Nor does it matter which candidates are scored beside it.
    chosen = data.draw(st.lists(st.integers(0, len(both) - 1), min_size=1, max_size=9))
    products = (both * query).sum(axis=1)[windows(len(both))[chosen]]
    np.testing.assert_array_equal(
        context_similarity(products, np.full(len(chosen), np.nan), context_norms(both)[chosen]),
        similarity(both, query)[chosen],
    )


def test_a_chunk_keeps_its_share_of_terms_and_gets_of_its_neighbours() -> None:
    assert (TERMS_REACH, TERMS_KERNEL.sum()) == (3, pytest.approx(1))
    # Distances 1, 2, 3 weigh as exp(-1/2), exp(-2), exp(-9/2) on each side and make up .4 together.
    near, mid, far = np.exp(-0.5), np.exp(-2), np.exp(-4.5)
    beside = (1 - TERMS_SHARE) * near / (2 * (near + mid + far))
    assert context_terms(np.array([[0.0, 0, 0, 5, 5, 0, 0]])) == pytest.approx(5 * (TERMS_SHARE + beside))


@given(st.floats(0, 100))
def test_a_document_of_one_chunk_keeps_its_score(score: float) -> None:
    assert context_terms(np.full((1, len(TERMS_KERNEL)), score)) == pytest.approx(score)


def test_scores_of_another_shape_are_refused() -> None:
    assert context_terms(np.zeros((0, len(TERMS_KERNEL)))).shape == (0,)
    for shape in ((1, 6), (7,)):
        with pytest.raises(ShapeError, match="expected scores of shape"):
            context_terms(np.zeros(shape))
