"""Segmentation: worked examples, and properties of every input."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.indexing.chunking import chunk_bounds, mean_near_similarity, pooled_vectors
from contextsvc.records.arrays import Float32Array
from contextsvc.records.documents import Sentence

A, B = [1.0, 0.0], [0.0, 1.0]


def sentences(tokens: list[int], headings: tuple[int, ...] = ()) -> list[Sentence]:
    return [
        Sentence(
            10 * i, 10 * i + 9, n, kind="heading" if i in headings else "paragraph", unit=i,
            starts_section=i in headings,
        )
        for i, n in enumerate(tokens)
    ]  # fmt: skip


def grouped(*told: tuple[int, int], heading: int = -1) -> list[Sentence]:
    """Sentences by number of tokens and number of unit."""
    return [
        Sentence(10 * i, 10 * i + 9, n, kind="heading" if i == heading else "paragraph", unit=unit)
        for i, (n, unit) in enumerate(told)
    ]


def rows(*vectors: list[float]) -> Float32Array:
    return np.array(vectors, dtype=np.float32)


def test_cuts_where_the_topic_changes() -> None:
    vectors = rows(A, A, A, B, B, B)
    assert chunk_bounds(sentences([10] * 6), vectors, 10, 100) == [(0, 3), (3, 6)]


def test_the_minimum_joins_dissimilar_sentences() -> None:
    vectors = rows(A, B, A, B)
    assert chunk_bounds(sentences([10] * 4), vectors, 20, 20) == [(0, 2), (2, 4)]


def test_the_maximum_splits_similar_sentences() -> None:
    assert chunk_bounds(sentences([10] * 4), rows(A, A, A, A), 10, 30) in (
        [(0, 3), (3, 4)],
        [(0, 1), (1, 4)],
    )


def test_a_section_starts_a_chunk_and_keeps_its_heading() -> None:
    found = chunk_bounds(sentences([3, 20, 3, 20], headings=(0, 2)), rows(A, A, A, A), 10, 100)
    assert found == [(0, 2), (2, 4)]


def test_a_section_below_the_minimum_joins_the_next() -> None:
    found = chunk_bounds(sentences([3, 4, 3, 20], headings=(0, 2)), rows(A, A, A, A), 10, 100)
    assert found == [(0, 4)]


def test_no_sentences_have_no_chunks() -> None:
    assert chunk_bounds([], np.zeros((0, 2), dtype=np.float32), 1, 2) == []


def test_the_exact_count_decides_instead_of_the_sum() -> None:
    found = chunk_bounds(sentences([10] * 4), rows(A, A, A, A), 10, 40, lambda i, j: 11 * (j - i))
    assert found == [(0, 2), (2, 4)]


def test_a_unit_is_never_divided() -> None:
    units = grouped((10, 0), (10, 1), (10, 1), (10, 2))
    assert chunk_bounds(units, rows(A, A, B, B), 10, 30) == [(0, 1), (1, 4)]
    assert chunk_bounds(units, rows(A, A, B, B), 10, 30, lambda i, j: 11 * (j - i)) == [
        (0, 1),
        (1, 3),
        (3, 4),
    ]


def test_a_heading_stays_with_the_whole_unit_below_it_if_both_fit() -> None:
    units = grouped((10, 0), (5, 1), (10, 2), (10, 2), heading=1)
    assert chunk_bounds(units, rows(A, A, B, B), 1, 25) == [(0, 1), (1, 4)]
    assert chunk_bounds(units, rows(A, A, B, B), 1, 24) == [(0, 2), (2, 4)]


def test_a_chunk_that_is_too_large_is_first_divided_before_a_heading() -> None:
    units = grouped((10, 0), (10, 1), (10, 2), (10, 3), heading=1)
    size = {1: 11, 2: 22, 3: 33, 4: 44}
    found = chunk_bounds(units, rows(A, A, A, A), 40, 40, lambda i, j: size[j - i])
    assert found == [(0, 1), (1, 4)]


def test_a_fence_that_is_never_closed_ends_its_chunk() -> None:
    fence = replace(grouped((10, 0))[0], closing=(0, 3))
    units = [fence, *grouped((1, 0), (10, 1), (10, 2))[1:]]
    assert chunk_bounds(units, rows(A, A, A), 10, 90) == [(0, 1), (1, 3)]
    part = replace(units[1], opening=(0, 5))
    assert chunk_bounds([fence, part, units[2]], rows(A, A, A), 10, 90) == [(0, 3)]


def test_numbers_of_sentences_and_vectors_must_agree() -> None:
    with pytest.raises(ShapeError, match="2 sentences but 1 vectors"):
        chunk_bounds(sentences([1, 1]), rows(A), 1, 2)


def test_mean_near_similarity_by_hand() -> None:
    # pairs: AA = 1, AB = 0, AB = 0
    assert mean_near_similarity(rows(A, A, B)) == pytest.approx(1 / 3)


def test_a_pooled_vector_is_the_direction_of_the_mean() -> None:
    pooled = pooled_vectors(rows(A, B, B), [(0, 2), (2, 3)])
    np.testing.assert_allclose(pooled, [[0.5**0.5, 0.5**0.5], [0, 1]], atol=1e-6)


@st.composite
def documents(draw: st.DrawFn, most: int = 30) -> tuple[list[Sentence], Float32Array, int, int]:
    high = draw(st.integers(1, 40))
    low = draw(st.integers(1, high))
    tokens = draw(st.lists(st.integers(1, high), min_size=1, max_size=most))
    headings = tuple(i for i in range(len(tokens)) if draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    vectors = rng.normal(size=(len(tokens), 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return sentences(tokens, headings), vectors.astype(np.float32), low, high


@given(documents())
def test_chunks_cover_all_in_order_and_hold_the_maximum(
    document: tuple[list[Sentence], Float32Array, int, int],
) -> None:
    units, vectors, low, high = document
    bounds = chunk_bounds(units, vectors, low, high)
    assert [bound for pair in bounds for bound in pair[:1]] == [0, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == len(units)
    assert all(sum(s.num_tokens for s in units[first:end]) <= high for first, end in bounds)


@given(documents(most=9))
def test_no_other_segmentation_is_better(document: tuple[list[Sentence], Float32Array, int, int]) -> None:
    units, vectors, low, high = document
    units = sentences([s.num_tokens for s in units])
    usual = mean_near_similarity(vectors)
    similarity = (vectors @ vectors.T).astype(np.float64)

    def value(cuts: tuple[int, ...]) -> tuple[int, float] | None:
        edges = [0, *cuts, len(units)]
        small, worth = 0, 0.0
        for first, end in itertools.pairwise(edges):
            tokens = sum(s.num_tokens for s in units[first:end])
            if tokens > high:
                return None
            small += tokens < low
            worth += sum(similarity[i, j] - usual for i in range(first, end) for j in range(i + 1, end))
        return -small, worth

    every = [c for k in range(len(units)) for c in itertools.combinations(range(1, len(units)), k)]
    best = max(v for v in map(value, every) if v is not None)
    found = value(tuple(end for _, end in chunk_bounds(units, vectors, low, high)[:-1]))
    assert found is not None
    assert found[0] == best[0]
    assert found[1] == pytest.approx(best[1], abs=1e-4)
