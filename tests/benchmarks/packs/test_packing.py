"""Passages into a budget, in words that a person can count."""

from collections.abc import Sequence
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.packs.sides import MARGIN_TOKENS, SEPARATOR, packed
from contextsvc import assets
from contextsvc.adapters.text.tiktoken_counter import TiktokenCounter
from contextsvc.settings import Settings


def words(text: str) -> int:
    """A token a word."""
    return len(text.split())


def letters(text: str) -> int:
    """A token a character, so that separators cost two."""
    return len(text)


def test_what_does_not_fit_is_skipped_and_the_next_is_tried() -> None:
    texts = ["a b c", "d e f g", "h", "i j"]
    assert packed(texts, 5, words) == ([0, 2], 4)
    assert packed(texts, 6, words) == ([0, 2, 3], 6)
    assert packed(texts, 2, words) == ([2], 1)


def test_the_separator_is_paid_for() -> None:
    assert packed(["abc", "de"], 6, letters) == ([0], 3)
    assert packed(["abc", "de"], 7, letters) == ([0, 1], 7)


def test_spaces_at_the_edges_and_empty_passages_cost_nothing() -> None:
    assert packed(["  abc\n", " \n", "", "de "], 7, letters) == ([0, 3], 7)


def test_nothing_fits_or_nothing_is_there() -> None:
    assert packed(["abc"], 2, letters) == ([], 0)
    assert packed([], 2, letters) == ([], 0)


def by_the_book(texts: Sequence[str], budget: int, counter: TiktokenCounter) -> tuple[list[int], int]:
    """The same with every trial counted whole."""
    taken: list[int] = []
    for number in range(len(texts)):
        trial = SEPARATOR.join(texts[n] for n in [*taken, number])
        if texts[number] and counter.count([trial])[0] <= budget:
            taken.append(number)
    return taken, counter.count([SEPARATOR.join(texts[n] for n in taken)])[0]


@cache
def real() -> TiktokenCounter:
    """The encoding that packs are counted in."""
    return TiktokenCounter("o200k_base", assets.locate(Settings.from_env().home, "tiktoken"))


passages = st.lists(
    st.text(st.sampled_from("ab c.\n/'1é"), max_size=40).map(str.strip), min_size=1, max_size=20
)


@given(passages, st.integers(1, 60))
def test_what_is_not_counted_again_would_not_have_fitted(texts: list[str], budget: int) -> None:
    assert packed(texts, budget, lambda text: real().count([text])[0]) == by_the_book(texts, budget, real())


def test_a_part_may_count_more_alone_by_the_margin() -> None:
    def count(text: str) -> int:
        return words(text) + (MARGIN_TOKENS if text.endswith(SEPARATOR) else 0)

    assert packed(["a", "b"], 2, count) == ([0, 1], 2)
