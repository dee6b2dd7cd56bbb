"""Signals of terms: where they stand in sentences, and how near each other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.packing.signals import WINDOW_TOKENS, best_similarity, found_sentences, window_coverage
from contextsvc.packing.units import Sentences
from contextsvc.storage.library import LoadedIndex
from tests.fakes.embedder import FakeEmbedder

HALVES = np.array([0.5, 0.25, 0.25])
"""Three terms of a query; the first is the rarest."""


def found(
    terms: Sequence[Sequence[int]], num_tokens: Sequence[int], firsts: Sequence[int] = (0,)
) -> Sentences:
    """Sentences that hold these terms and have as many tokens; all else is of no matter here."""
    n = len(num_tokens)
    return Sentences(
        chunks=np.arange(len(firsts)),
        firsts=np.array(firsts),
        numbers=np.arange(n),
        units=np.arange(n),
        headings=np.zeros(n, dtype=np.bool_),
        num_tokens=np.array(num_tokens),
        rows=np.arange(n),
        similarity=np.linspace(0, 1, n),
        terms=np.array(terms, dtype=np.bool_).reshape(n, 3),
        weights=HALVES,
    )


def covered(terms: Sequence[Sequence[int]], num_tokens: Sequence[int]) -> float:
    return float(window_coverage(found(terms, num_tokens))[0])


def test_terms_count_together_if_their_sentences_fit_a_window() -> None:
    terms = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert covered(terms, [10, 10, 10]) == 1.0
    # Of two windows of at most 40 tokens, the first holds .5 + .25, the second .25 + .25.
    assert covered(terms, [20, 20, 20]) == 0.75
    assert covered(terms, [WINDOW_TOKENS, 1, 1]) == 0.5


def test_a_sentence_longer_than_a_window_is_a_window() -> None:
    assert covered([[1, 1, 0], [0, 0, 1]], [100, 10]) == 0.75


def test_a_term_counts_once() -> None:
    assert covered([[0, 1, 0], [0, 1, 0]], [10, 10]) == 0.25


def test_a_window_ends_with_its_chunk() -> None:
    two = found([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [5, 5, 5], firsts=[0, 2])
    assert window_coverage(two).tolist() == [0.75, 0.25]
    assert best_similarity(two).tolist() == [0.5, 1.0]


def test_without_chunks_there_is_nothing() -> None:
    nothing = found([], [], firsts=[])
    assert window_coverage(nothing).tolist() == best_similarity(nothing).tolist() == []


def test_a_query_without_terms_is_not_covered() -> None:
    bare = replace(found([[0, 0, 0]], [3]), terms=np.zeros((1, 0), dtype=np.bool_), weights=np.zeros(0))
    assert window_coverage(bare).tolist() == [0.0]


def test_terms_are_found_in_the_sentences_that_hold_them(index: LoadedIndex) -> None:
    # "Take a snapshot of the cluster every night. A snapshot holds all keys." and "Restore the cluster from a
    # snapshot file. The restore needs a new token."
    query, ids = "Which clusters hold snapshots of zebras?", np.array([1, 0])
    vector = FakeEmbedder().embed_queries([query])[0]
    made = found_sentences(index, ids, [index.corpus.chunk(n) for n in ids.tolist()], query, vector)
    # The terms in order of the alphabet: cluster, hold, snapshot, zebra.
    assert made.terms.astype(int).tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]]
    assert (made.numbers.tolist(), made.firsts.tolist()) == ([2, 3, 0, 1], [0, 2])
    assert made.weights.sum() == pytest.approx(1)
    assert made.weights[3] == made.weights.max()


rows = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 60)), min_size=1, max_size=8
)


@given(rows)
def test_coverage_is_a_share_and_at_least_that_of_the_best_sentence(
    made: list[tuple[bool, bool, bool, int]],
) -> None:
    held = np.array([row[:3] for row in made])
    share = covered(held.tolist(), [row[3] for row in made])
    assert (held @ HALVES).max() <= share + 1e-9 <= 1 + 2e-9
