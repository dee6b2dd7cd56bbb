"""The contract of every LexicalIndex."""

from collections.abc import Callable, Sequence
from math import log

import numpy as np
import pytest

from contextsvc.adapters.search.bm25 import Bm25sLexicalIndex
from contextsvc.errors import ShapeError
from contextsvc.ports import LexicalIndex
from contextsvc.records.packs import Ranking
from tests.fakes.lexical_index import PlainLexicalIndex

Build = Callable[[Sequence[str]], LexicalIndex]
pytestmark = pytest.mark.parametrize("build", [PlainLexicalIndex, Bm25sLexicalIndex.build])

# Two terms each, so that every length is the mean and a weight is idf * tf / (tf + 1.5).
TEXTS = ["red apple", "The apple and the pear", "pear pear", "blue plum"]
IN_ONE, IN_TWO = log(1 + 3.5 / 1.5), log(1 + 2.5 / 2.5)


def rows(ranking: Ranking) -> list[tuple[int, float]]:
    return [
        (int(number), round(float(score), 5))
        for number, score in zip(ranking.ids, ranking.scores, strict=True)
    ]


def test_scores_are_those_of_the_formula(build: Build) -> None:
    (found,) = build(TEXTS).search(["pear"], k=9)
    assert rows(found) == [(2, round(IN_TWO * 2 / 3.5, 5)), (1, round(IN_TWO / 2.5, 5))]
    (found,) = build(TEXTS).search(["plum"], k=9)
    assert rows(found) == [(3, round(IN_ONE / 2.5, 5))]
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32


def test_a_longer_text_weighs_less(build: Build) -> None:
    # Lengths 1 and 3, mean 2: the share is 0.5 and 1.5.
    (found,) = build(["fox", "fox den hill"]).search(["fox"], k=9)
    idf = log(1 + 0.5 / 2.5)
    expected = [(n, round(idf / (1 + 1.5 * (0.25 + 0.75 * share)), 5)) for n, share in [(0, 0.5), (1, 1.5)]]
    assert rows(found) == expected


def test_terms_add_up_and_repeated_ones_count_again(build: Build) -> None:
    red, apple = IN_ONE / 2.5, IN_TWO / 2.5
    (found,) = build(TEXTS).search(["Red apples"], k=9)
    assert rows(found) == [(0, round(red + apple, 5)), (1, round(apple, 5))]
    (found,) = build(TEXTS).search(["apple red red"], k=9)
    assert rows(found)[0] == (0, round(2 * red + apple, 5))


def test_ties_are_by_id_and_cut_at_k(build: Build) -> None:
    index = build(["one two", "one two", "three four", "one two", "one two"])
    assert index.search(["two"], k=3)[0].ids.tolist() == [0, 1, 3]
    assert index.search(["two"], k=9)[0].ids.tolist() == [0, 1, 3, 4]


def test_only_the_allowed_are_found(build: Build) -> None:
    index = build(TEXTS)
    allowed = np.array([True, True, False, True])
    assert index.search(["pear"], 1, allowed)[0].ids.tolist() == [1]
    assert index.search(["pear"], 1, np.zeros(4, dtype=np.bool_))[0].ids.tolist() == []


def test_unknown_words_and_stop_words_find_nothing(build: Build) -> None:
    for query in ["", "the", "zebra", "?!", "\ud800"]:
        assert rows(build(TEXTS).search([query], k=3)[0]) == []
    assert rows(build(TEXTS).search(["the zebra plum"], k=3)[0]) == [(3, round(IN_ONE / 2.5, 5))]


def test_one_ranking_a_query_in_order(build: Build) -> None:
    found = build(TEXTS).search(["plum", "red"], k=1)
    assert [ranking.ids.tolist() for ranking in found] == [[3], [0]]
    assert build(TEXTS).search([], k=1) == []


def test_an_index_without_words_finds_nothing(build: Build) -> None:
    for texts in ([], ["", "  ", "the"]):
        index = build(texts)
        assert rows(index.search(["pear"], 3)[0]) == []
        assert rows(index.search(["pear"], 3, np.ones(len(texts), dtype=np.bool_))[0]) == []
    assert build(["", "pear"]).search(["pear"], 3)[0].ids.tolist() == [1]


def test_named_chunks_are_scored_as_the_search_scores_them(build: Build) -> None:
    index = build(TEXTS)
    red, apple = IN_ONE / 2.5, IN_TWO / 2.5
    found = index.scores("apple red red", np.array([3, 0, 1, 0]))
    np.testing.assert_allclose(found, [0, 2 * red + apple, apple, 2 * red + apple], atol=1e-6)
    assert found.dtype == np.float64
    (ranking,) = index.search(["apple red red"], k=4)
    assert index.scores("apple red red", ranking.ids).astype(np.float32).tolist() == ranking.scores.tolist()
    assert index.scores("the zebra", np.array([0, 1])).tolist() == [0, 0]
    assert index.scores("apple", np.zeros(0, dtype=np.int64)).tolist() == []


def test_scores_of_a_chunk_that_is_not_there_are_refused(build: Build) -> None:
    for number in (-1, len(TEXTS)):
        with pytest.raises(ShapeError):
            build(TEXTS).scores("apple", np.array([0, number]))


def test_shapes_that_do_not_fit_are_refused(build: Build) -> None:
    with pytest.raises(ShapeError):
        build(TEXTS).search(["pear"], 0)
    with pytest.raises(ShapeError):
        build(TEXTS).search(["pear"], 1, np.ones(3, dtype=np.bool_))


def test_coverage_is_the_share_of_the_terms_by_idf(build: Build) -> None:
    index, everything = build(TEXTS), np.arange(4)
    # "zebra" is in none of four texts, which makes it dearer than any that is in one.
    nowhere = log(1 + 4.5 / 0.5)
    whole = IN_ONE + IN_TWO + nowhere
    found = index.coverage("a red pear? a zebra, red red", everything)
    np.testing.assert_allclose(found, [IN_ONE / whole, IN_TWO / whole, IN_TWO / whole, 0], atol=1e-6)
    assert found.dtype == np.float64
    assert index.coverage("pears and apples", np.array([1, 0, 1])).tolist() == [1.0, 0.5, 1.0]


def test_coverage_of_no_terms_or_no_chunks_is_nothing(build: Build) -> None:
    assert build(TEXTS).coverage("the ?!", np.array([0, 1])).tolist() == [0, 0]
    assert build(TEXTS).coverage("zebra", np.array([0, 1])).tolist() == [0, 0]
    assert build(TEXTS).coverage("red", np.zeros(0, dtype=np.int64)).tolist() == []
    assert build([]).coverage("red", np.zeros(0, dtype=np.int64)).tolist() == []
    for number in (-1, len(TEXTS)):
        with pytest.raises(ShapeError):
            build(TEXTS).coverage("apple", np.array([number]))


@pytest.mark.parametrize(
    ("query", "text", "share"),
    [
        ("maximum", "max", 0.5),
        ("max", "maximum", 0.5),
        ("max", "max and maximum", 1.0),  # the word itself counts more, and not 1.5
        ("config", "configuration", 0.5),
        ("authentication", "auth", 0.5),
        ("info", "in", 0.0),  # "in" begins "info", but two letters begin too many words
        ("ma", "max", 0.0),
        ("max", "max2", 0.0),  # names and numbers have no short forms
        ("2024", "202", 0.0),
        ("max", "climax", 0.0),  # a form begins with the other
        ("max", "mix", 0.0),
    ],
)
def test_a_short_or_long_form_counts_half(build: Build, query: str, text: str, share: float) -> None:
    index = build([text, "pear"])
    assert index.coverage(query, np.array([0, 1])).tolist() == [share, 0.0]


def test_forms_count_beside_other_terms_and_never_twice(build: Build) -> None:
    index = build(["max refund", "maxwell and maxton", "other words"])
    in_one, nowhere = log(1 + 2.5 / 1.5), log(1 + 3.5 / 0.5)
    whole = in_one + nowhere
    found = index.coverage("maximum refund", np.array([0, 1, 2]))
    np.testing.assert_allclose(found, [(in_one + nowhere / 2) / whole, 0, 0], atol=1e-6)
    # Both words of the second text begin with "max", which counts once.
    found = index.coverage("max", np.array([0, 1, 2]))
    assert found.tolist() == [1.0, 0.5, 0.0]


def test_terms_are_counted_once(build: Build) -> None:
    index = build(TEXTS)
    assert [index.num_terms(q) for q in ("the apples", "apple apples zebra", "", "the ?!")] == [1, 2, 0, 0]


def test_rare_words_come_rarest_first(build: Build) -> None:
    index = build(TEXTS)
    # "zebra" is in no text, "blue" and "plum" are in one, "apple" and "pear" are in two.
    text = "Apples and a pear, a plum, 7, a blue zebra, x, apple"
    assert index.rare_words(text, 9) == ["zebra", "blue", "plum", "apples", "pear"]
    assert index.rare_words(text, 2) == ["zebra", "blue"]
    assert index.rare_words("the ?! 42", 3) == index.rare_words("", 3) == []
