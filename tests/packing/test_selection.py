"""Selection: selected chunks, and receipts of the others."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.packing.selection import Novelty, select
from contextsvc.records.arrays import Float32Array
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate


def candidate(rank: int, score: float, text: str) -> Candidate:
    return Candidate(
        rank,
        Chunk(doc_id=f"d{rank}", start=0, end=len(text), text=text, num_tokens=len(text.split())),
        score,
        rank,
    )


APART: Float32Array = np.eye(4, dtype=np.float32)
THREE = [candidate(1, 0.9, "a b c"), candidate(2, 0.8, "d e f"), candidate(3, 0.7, "g")]
LIKE_FIRST = np.array([[1, 0], [0.9, 0.19**0.5], [0, 1]], dtype=np.float32)
"""The second is at .9 to the first, the third at .44 to the second."""


def ranks(candidates: Sequence[Candidate]) -> list[int]:
    return [c.rank for c in candidates]


def test_dissimilar_chunks_are_all_selected_best_first() -> None:
    assert select(THREE, APART[:3], Novelty(0.95, 0.1)) == (THREE, [])


def test_a_near_duplicate_of_a_selected_chunk_is_left_out() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    kept, (drop,) = select(THREE, vectors, Novelty(0.95, 0.0))
    assert ranks(kept) == [1, 3]
    assert (drop.rank, drop.reason) == (2, "near_duplicate")
    assert drop.detail == f"of {THREE[0].chunk.chunk_id}"


def test_an_equal_text_is_left_out_whatever_its_vector() -> None:
    same = [candidate(1, 0.9, "a b"), candidate(2, 0.8, "a b")]
    _, drops = select(same, APART[:2], Novelty(0.95, 0.0))
    assert [d.reason for d in drops] == ["near_duplicate"]


def test_diversity_prefers_a_dissimilar_chunk() -> None:
    # gain of 2: .8 - .5 * .9 = .35, gain of 3: .7 - 0
    assert ranks(select(THREE, LIKE_FIRST, Novelty(0.95, 0.5))[0]) == [1, 3, 2]
    assert ranks(select(THREE, LIKE_FIRST, Novelty(0.95, 0.0))[0]) == [1, 2, 3]


def test_a_chunk_without_gain_is_left_out() -> None:
    pair = [candidate(1, 0.9, "a"), candidate(2, 0.3, "b")]
    vectors = np.array([[1, 0], [0.8, 0.6]], dtype=np.float32)
    _, drops = select(pair, vectors, Novelty(0.95, 0.5))
    assert [(d.reason, d.detail) for d in drops] == [("no_gain", "gain -0.100, 0.000 needed")]


def test_selection_stops_where_the_gain_is_too_small() -> None:
    # Likeness of 2 to 1 takes .1 * .9 from .8, that of 3 to 2 .1 * .44 from .7: gains are .71 and .66.
    for least, kept in ((0.65, [1, 2, 3]), (0.7, [1, 2]), (0.75, [1]), (0.95, [1])):
        selected, drops = select(THREE, LIKE_FIRST, Novelty(0.95, 0.1, least))
        assert ranks(selected) == kept
        assert {d.reason for d in drops} <= {"no_gain"}


def test_no_candidates_no_selection() -> None:
    assert select([], np.zeros((0, 2), dtype=np.float32), Novelty(0.95, 0.1)) == ([], [])


def test_vectors_must_match() -> None:
    with pytest.raises(ShapeError, match="3 candidates but 2 vectors"):
        select(THREE, APART[:2], Novelty(0.95, 0.1))


@given(st.lists(st.sampled_from(["a", "b", "a b", "c"]), max_size=6), st.integers(0, 9))
def test_each_candidate_is_selected_or_has_a_receipt(texts: list[str], seed: int) -> None:
    found = [candidate(i + 1, 1 - i / 10, text) for i, text in enumerate(texts)]
    vectors = np.random.default_rng(seed).normal(size=(len(texts), 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept, drops = select(found, vectors.astype(np.float32), Novelty(0.95, 0.3))
    assert sorted(ranks(kept) + [d.rank for d in drops]) == list(range(1, len(texts) + 1))
    assert ranks(kept[:1]) == [1][: len(texts)]
