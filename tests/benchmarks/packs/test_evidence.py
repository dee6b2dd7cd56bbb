"""Figures of one pack, each worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chunking.metrics import Place
from benchmarks.packs.collections import Excerpt, PackQuestion
from benchmarks.packs.evidence import (
    ALL,
    ANSWERED,
    BOTH,
    FACTS,
    PRECISION,
    RECALL,
    SHARE,
    TOKENS,
    Pack,
    answered,
    retrieved,
    smallest_enough,
    supporting,
)

A1, A2 = Excerpt("a", 0, 9, "Alpha one"), Excerpt("a", 20, 29, "Alpha two")
B1 = Excerpt("b", 5, 13, "Beta one")
QUESTION = PackQuestion("?", (A1, A2, B1), (A1, A2, B1))


def told(*places: tuple[str, int, int]) -> tuple[float, float, float]:
    """Both, all, share."""
    found = supporting(QUESTION, Pack(tuple(Place(*place) for place in places), 7))
    assert found[TOKENS] == 7
    return found[BOTH], found[ALL], found[SHARE]


FACTS_QUESTION = PackQuestion("?", (A1, B1), (A1, B1), ((A1, A2), (B1,)))


@pytest.mark.parametrize(
    ("places", "found"),
    [
        ([("a", 0, 9), ("b", 5, 13)], (1, 1)),
        ([("a", 20, 29), ("b", 0, 40)], (1, 1)),  # the first fact in its other words
        ([("a", 0, 40)], (0, 0.5)),
        ([("a", 0, 8), ("b", 6, 13)], (0, 0)),  # a letter is missing of each
        ([("c", 0, 40)], (0, 0)),
        ([], (0, 0)),
    ],
)
def test_a_question_is_answered_if_each_fact_is_stated_once(
    places: list[tuple[str, int, int]], found: tuple[float, float]
) -> None:
    got = answered(FACTS_QUESTION, Pack(tuple(Place(*place) for place in places), 7))
    assert (got[ANSWERED], got[FACTS], got[TOKENS]) == (*found, 7)


def test_everything_is_inside() -> None:
    assert told(("a", 0, 40), ("b", 0, 40)) == (1, 1, 1)
    assert told(("a", 20, 29), ("b", 5, 13), ("a", 0, 9)) == (1, 1, 1)


def test_nothing_is_inside() -> None:
    assert told() == (0, 0, 0)
    assert told(("c", 0, 40), ("a", 9, 20), ("b", 13, 40)) == (0, 0, 0)


def test_one_paragraph_alone() -> None:
    assert told(("a", 0, 40)) == (0, 0, 2 / 3)


def test_a_word_of_each_paragraph_is_enough_for_both_and_not_for_all() -> None:
    # "Alpha" of one of a's sentences, "one" of b's.
    assert told(("a", 0, 6), ("b", 10, 13)) == (1, 0, 0)


def test_half_a_word_is_not_enough() -> None:
    assert told(("a", 0, 4), ("b", 5, 13)) == (0, 0, 1 / 3)


def test_a_sentence_in_two_passages_is_inside_if_only_a_space_is_between_them() -> None:
    assert told(("a", 0, 5), ("a", 6, 9)) == (0, 0, 1 / 3)
    assert told(("a", 0, 5), ("a", 7, 9)) == (0, 0, 0)


def test_recall_and_precision_are_percent_of_characters() -> None:
    # 9 + 9 characters needed; 9 of 20 retrieved are of them.
    question = PackQuestion("?", (A1, A2), (A1, A2))
    found = retrieved(question, Pack((Place("a", 0, 15), Place("b", 0, 5)), 8))
    assert (found[RECALL], found[PRECISION], found[TOKENS]) == (50, 45, 8)


def test_what_lies_nowhere_costs_precision() -> None:
    question = PackQuestion("?", (A1,), (A1,))
    found = retrieved(question, Pack((Place("a", 0, 9),), 8, num_lost=9))
    assert (found[RECALL], found[PRECISION]) == (100, 50)


def test_the_first_budget_with_four_fifths_is_enough() -> None:
    assert smallest_enough({64: 0.0, 128: 0.75, 256: 0.8, 512: 1.0}) == 256
    assert smallest_enough({64: 1.0, 128: 0.5}) == 64
    assert smallest_enough({64: 0.0, 4096: 0.79}) is None
    assert smallest_enough({64: 0.1 * 8}) == 64


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(0, 30)), max_size=6))
def test_all_means_the_whole_share_and_both_whatever_the_places(places: list[tuple[str, int, int]]) -> None:
    both, every, share = told(*places)
    assert (every == 1) == (share == 1)
    assert both >= every
