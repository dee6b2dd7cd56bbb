"""Selection: kept chunks, receipts of the others, and a budget that holds."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import BudgetTooSmall, ShapeError
from contextsvc.packing.ordering import ORDERINGS, Ordering, by_relevance
from contextsvc.packing.selection import (
    SEAM_TOKENS,
    PackLimits,
    Selection,
    pack_greedily,
    select_ignoring_budget,
)
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


def words(text: str) -> int:
    return len(text.split())


def pack(
    candidates: Sequence[Candidate],
    vectors: Float32Array,
    limits: PackLimits,
    order: Ordering,
    count: Callable[[str], int],
) -> Selection:
    """`pack_greedily` with sizes by the same counter."""
    sizes = [count(candidate.chunk.text) for candidate in candidates]
    return pack_greedily(candidates, vectors, sizes, limits, order, count)


def merging(text: str, tokens_a_seam: int) -> int:
    return words(text) - tokens_a_seam * text.count("\n\n")


def limits(budget: int, most: int = 9, alike: float = 0.95, diversity: float = 0.0) -> PackLimits:
    return PackLimits(budget, most, alike, diversity)


APART: Float32Array = np.eye(4, dtype=np.float32)
THREE = [candidate(1, 0.9, "a b c"), candidate(2, 0.8, "d e f"), candidate(3, 0.7, "g")]


def test_the_best_chunks_that_fit_are_kept_and_the_others_get_receipts() -> None:
    # "[1]" and the words: 4, then 8, then 10 words; the second would make 8 of 7
    packed = pack(THREE, APART[:3], limits(7), by_relevance, words)
    assert [c.rank for c in packed.kept] == [1, 3]
    assert packed.text == "[1]\na b c\n\n[2]\ng"
    assert [(d.rank, d.reason) for d in packed.drops] == [(2, "over_budget")]
    assert packed.drops[0].detail == "it adds 4 tokens, 3 are left"


def test_a_chunk_that_fits_because_tokens_merge_at_the_seam_is_kept() -> None:
    # Alone it takes 4 words where 2 are left; beside the first one, 2 fewer.
    packed = pack(THREE[:2], APART[:2], limits(6), by_relevance, lambda text: merging(text, 2))
    assert [c.rank for c in packed.kept] == [1, 2]


def test_a_text_that_is_far_too_long_is_refused_without_counting() -> None:
    long = candidate(2, 0.8, "long " * (SEAM_TOKENS + 10))
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return words(text)

    packed = pack([THREE[0], long], APART[:2], limits(8), by_relevance, count)
    (drop,) = packed.drops
    assert (drop.rank, drop.reason) == (2, "over_budget")
    assert drop.detail == f"its text takes {SEAM_TOKENS + 10} tokens, 4 are left"
    assert not [text for text in counted if "a b c" in text and "long" in text]


def test_a_selection_without_budget_equals_one_with_room_for_all() -> None:
    vectors = np.array([[1, 0], [0.9, 0.19**0.5], [0, 1]], dtype=np.float32)
    for asked in (limits(99, most=2, diversity=0.5), limits(99), limits(99, alike=0.8)):
        wanted = select_ignoring_budget(THREE, vectors, asked)
        assert wanted == pack(THREE, vectors, asked, by_relevance, words).kept
    assert [c.rank for c in select_ignoring_budget(THREE, vectors, limits(1, most=2, diversity=0.5))] == [
        1,
        3,
    ]


def test_a_pack_has_at_most_max_chunks() -> None:
    packed = pack(THREE, APART[:3], limits(99, most=1), by_relevance, words)
    assert [d.reason for d in packed.drops] == ["max_chunks", "max_chunks"]


def test_a_near_duplicate_of_a_packed_chunk_is_dropped() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    packed = pack(THREE, vectors, limits(99), by_relevance, words)
    (drop,) = packed.drops
    assert (drop.rank, drop.reason) == (2, "near_duplicate")
    assert drop.detail == f"of {THREE[0].chunk.chunk_id}"


def test_an_equal_text_is_dropped_whatever_its_vector() -> None:
    same = [candidate(1, 0.9, "a b"), candidate(2, 0.8, "a b")]
    packed = pack(same, APART[:2], limits(99), by_relevance, words)
    assert [d.reason for d in packed.drops] == ["near_duplicate"]


def test_a_duplicate_of_a_chunk_that_did_not_fit_is_kept() -> None:
    pair = [candidate(1, 0.9, "a b c d e f"), candidate(2, 0.8, "a b c")]
    packed = pack(pair, np.ones((2, 1), dtype=np.float32), limits(5), by_relevance, words)
    assert [c.rank for c in packed.kept] == [2]


def test_diversity_prefers_a_dissimilar_chunk() -> None:
    # gain of 2: .8 - .5 * .9 = .35, gain of 3: .7 - 0
    vectors = np.array([[1, 0], [0.9, 0.19**0.5], [0, 1]], dtype=np.float32)
    packed = pack(THREE, vectors, limits(99, most=2, diversity=0.5), by_relevance, words)
    assert [c.rank for c in packed.kept] == [1, 3]


def test_a_chunk_without_gain_is_left_out() -> None:
    pair = [candidate(1, 0.9, "a"), candidate(2, 0.3, "b")]
    vectors = np.array([[1, 0], [0.8, 0.6]], dtype=np.float32)
    packed = pack(pair, vectors, limits(99, diversity=0.5), by_relevance, words)
    assert [(d.reason, d.detail) for d in packed.drops] == [("no_gain", "gain -0.100, 0.000 needed")]


def test_packing_stops_where_the_gain_is_too_small() -> None:
    # Likeness of 2 to 1 takes .1 * .9 from .8, that of 3 to 2 .1 * .44 from .7: gains are .71 and .66.
    vectors = np.array([[1, 0], [0.9, 0.19**0.5], [0, 1]], dtype=np.float32)
    for least, kept in ((0.65, [1, 2, 3]), (0.7, [1, 2]), (0.75, [1]), (0.95, [1])):
        asked = PackLimits(99, 9, 0.95, 0.1, least)
        packed = pack(THREE, vectors, asked, by_relevance, words)
        assert [c.rank for c in packed.kept] == kept
        assert {d.reason for d in packed.drops} <= {"no_gain"}


def test_a_budget_too_small_names_the_smallest_that_would_do() -> None:
    with pytest.raises(BudgetTooSmall) as caught:
        pack(THREE, APART[:3], limits(1), by_relevance, words)
    assert caught.value.smallest_tokens == 2
    assert pack(THREE, APART[:3], limits(2), by_relevance, words).text == "[1]\ng"


def test_no_candidates_make_an_empty_pack() -> None:
    packed = pack([], np.zeros((0, 2), dtype=np.float32), limits(1), by_relevance, words)
    assert (packed.text, packed.kept, packed.drops) == ("", (), ())


def test_vectors_must_match() -> None:
    with pytest.raises(ShapeError, match="3 candidates but 2 vectors"):
        pack(THREE, APART[:2], limits(9), by_relevance, words)
    with pytest.raises(ShapeError, match="3 vectors and 1 sizes"):
        pack_greedily(THREE, APART[:3], [3], limits(9), by_relevance, words)


texts = st.text(alphabet="ab \n", min_size=1, max_size=40).filter(str.strip)


@given(st.lists(texts, max_size=6), st.integers(1, 40), st.sampled_from(sorted(ORDERINGS)), st.integers(0, 9))
def test_the_budget_holds_and_nothing_is_lost(made: list[str], budget: int, ordering: str, seed: int) -> None:
    found = [candidate(i + 1, 1 - i / 10, text) for i, text in enumerate(made)]
    vectors = np.random.default_rng(seed).normal(size=(len(made), 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    smallest = min((len("[1]\n" + text) for text in made), default=0)
    if budget < smallest:
        with pytest.raises(BudgetTooSmall, match=f"would do is {smallest}"):
            pack(found, vectors.astype(np.float32), limits(budget), ORDERINGS[ordering], len)
        return
    packed = pack(found, vectors.astype(np.float32), limits(budget), ORDERINGS[ordering], len)
    assert len(packed.text) <= budget
    ranks = [c.rank for c in packed.kept] + [d.rank for d in packed.drops]
    assert sorted(ranks) == list(range(1, len(made) + 1))
