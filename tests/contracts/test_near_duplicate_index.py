"""The contract of every NearDuplicateIndex."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.adapters.text.minhash import MinHashIndex
from contextsvc.ports import NearDuplicateIndex
from tests.fakes.near_duplicate_index import PlainNearDuplicateIndex

Build = Callable[[float], NearDuplicateIndex]
pytestmark = pytest.mark.parametrize("build", [PlainNearDuplicateIndex, MinHashIndex])


def words(first: int, end: int) -> str:
    return " ".join(f"w{n}" for n in range(first, end))


def test_new_texts_are_added_and_numbered(build: Build) -> None:
    index = build(0.9)
    assert index.match(words(0, 100)) is None
    assert index.match(words(200, 300)) is None
    assert index.match(words(200, 300)) == (1, 1.0)
    assert index.match(words(0, 100)) == (0, 1.0)


def test_a_match_is_not_added_so_similarity_is_not_passed_on(build: Build) -> None:
    index = build(0.7)
    # 196 runs, of which 176 are shared with the next: 176 / (196 + 196 - 176) = .81; with the last .5.
    assert index.match(words(0, 200)) is None
    near = index.match(words(20, 220))
    assert near is not None
    assert near[0] == 0
    assert near[1] == pytest.approx(176 / 216, abs=0.1)
    assert index.match(words(65, 265)) is None
    assert index.match(words(65, 265)) == (1, 1.0)


def test_a_few_changed_words_are_near_and_other_texts_are_not(build: Build) -> None:
    index = build(0.9)
    text = words(0, 1000)
    assert index.match(text) is None
    # One word of 1,000: 5 runs of 996 go, 5 others come: 991 / 1,001.
    near = index.match(text.replace(" w500 ", " other "))
    assert near is not None
    assert near[0] == 0
    assert near[1] == pytest.approx(0.99, abs=0.03)
    assert index.match(words(500, 1500)) is None


def test_order_of_words_matters_and_case_does_not(build: Build) -> None:
    index = build(0.9)
    assert index.match(words(0, 50)) is None
    assert index.match(words(0, 50).upper()) == (0, 1.0)
    assert index.match(" ".join(reversed(words(0, 50).split()))) is None


def test_texts_without_words_have_no_near_duplicates(build: Build) -> None:
    index = build(0.5)
    assert [index.match(text) for text in ("", " ", "", "one", "one", "one two", "\ud800")] == [
        None,
        None,
        None,
        None,
        (3, 1.0),
        None,
        None,
    ]


@settings(max_examples=20, deadline=None)  # making a banding takes the library a tenth of a second
@given(st.lists(st.text(st.sampled_from("ab "), max_size=30), max_size=12))
def test_an_equal_text_is_always_found(build: Build, texts: list[str]) -> None:
    index = build(1.0)
    for text in texts:
        index.match(text)
    for text in texts:
        found = index.match(text)
        assert (found is not None and found[1] == 1.0) or not text.strip()
