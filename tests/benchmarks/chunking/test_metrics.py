"""Token-level scores, each value worked out by hand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chunking.metrics import Place, Scores, Span, common, length, precision_omega, scores, union
from contextsvc.errors import ShapeError

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple), max_size=6)


def test_an_excerpt_that_is_retrieved_alone_scores_one() -> None:
    assert scores("a", [(3, 9)], [Place("a", 3, 9)]) == Scores(1.0, 1.0, 1.0)


def test_half_an_excerpt_in_a_chunk_twice_as_long() -> None:
    # 10 of 20 characters needed, 10 of 40 retrieved; 20 + 40 - 10 in either.
    assert scores("a", [(0, 20)], [Place("a", 10, 50)]) == Scores(0.5, 0.25, 0.2)


def test_two_excerpts_one_found() -> None:
    # 10 of 10 + 30 needed, 10 of 20 retrieved; 40 + 20 - 10 in either.
    assert scores("a", [(0, 10), (50, 80)], [Place("a", 0, 20)]) == Scores(0.25, 0.5, 0.2)


def test_what_overlaps_is_found_once_and_paid_twice() -> None:
    # Characters 5 to 15 come twice: 10 found of 30 retrieved.
    got = scores("a", [(5, 15)], [Place("a", 0, 15), Place("a", 5, 20)])
    assert got == Scores(1.0, 10 / 30, 10 / 30)


def test_another_corpus_costs_precision_alone() -> None:
    assert scores("a", [(0, 10)], [Place("a", 0, 10), Place("b", 0, 10)]) == Scores(1.0, 0.5, 0.5)
    assert scores("a", [(0, 10)], [Place("b", 0, 10)]) == Scores(0.0, 0.0, 0.0)


def test_excerpts_that_overlap_are_needed_once() -> None:
    assert scores("a", [(0, 10), (5, 20)], [Place("a", 0, 20)]) == Scores(1.0, 1.0, 1.0)


def test_nothing_retrieved_scores_nothing() -> None:
    assert scores("a", [(0, 10)], []) == Scores(0.0, 0.0, 0.0)


def test_a_question_without_an_excerpt_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least one excerpt"):
        scores("a", [(4, 4)], [Place("a", 0, 10)])


def test_omega_takes_every_chunk_that_holds_a_part_and_no_other() -> None:
    # 20 needed; chunks of 15 and 15 hold them, the third lies beyond.
    assert precision_omega([(10, 30)], [(0, 15), (15, 30), (31, 99)]) == 20 / 30


def test_omega_takes_a_chunk_that_touches_as_the_published_program_does() -> None:
    assert precision_omega([(10, 30)], [(0, 15), (15, 30), (30, 40)]) == 20 / 40
    assert precision_omega([(10, 30)], [(0, 10), (10, 30)]) == 20 / 30


def test_omega_counts_what_no_chunk_holds() -> None:
    # 10 of 20 lie in the chunk of 10; the other 10 are missing from every chunk.
    assert precision_omega([(0, 20)], [(10, 20), (40, 50)]) == 0.5
    assert precision_omega([(0, 20)], [(40, 50)]) == 0.0


def test_omega_counts_what_overlaps_once() -> None:
    assert precision_omega([(5, 15)], [(0, 15), (5, 20)]) == 10 / 20


@given(spans, spans)
def test_union_and_common_are_those_of_sets(first: list[Span], second: list[Span]) -> None:
    def characters(some: list[Span]) -> set[int]:
        return {at for start, end in some for at in range(start, end)}

    one, other = union(first), union(second)
    assert characters(one) == characters(first)
    assert length(one) == len(characters(first))
    assert characters(common(one, other)) == characters(first) & characters(second)
    assert length(common(one, other)) == len(characters(first) & characters(second))
    assert all(a[1] < b[0] for a, b in pairwise(one))
