"""Passages: how units join, and which beginning of their order fits a budget."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import BudgetTooSmall
from contextsvc.packing.ordering import ORDERINGS, by_relevance
from contextsvc.packing.passages import Maker, longest_that_fits
from contextsvc.packing.units import Unit
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate
from contextsvc.records.spans import OMISSION
from tests.fakes.token_counter import FakeTokenCounter

COUNT = FakeTokenCounter().count
PER_DOCUMENT = 4


def text_of(sentence: int) -> str:
    return f"Sentence {sentence}" + " and more" * (sentence % 3) + "."


def excerpt(_: Chunk | None, sentences: Sequence[int]) -> Chunk:
    """The sentences one after another, each at 100 times its number."""
    runs: list[list[int]] = []
    for number in sentences:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = ["".join(text_of(number).ljust(100) for number in run).rstrip() for run in runs]
    spans = [(100 * run[0], 100 * run[0] + len(text)) for run, text in zip(runs, texts, strict=True)]
    return Chunk(
        doc_id=f"d{sentences[0] // PER_DOCUMENT}",
        start=spans[0][0],
        end=spans[-1][1],
        text=OMISSION.join(texts),
        num_tokens=0,
        title="Manual",
        spans=tuple(spans),
    )


def unit(*sentences: int, rank: int = 1) -> Unit:
    chunk = excerpt(None, sentences)
    return Unit(
        candidate=Candidate(number=rank, chunk=chunk, score=1 / rank, rank=rank),
        sentences=sentences,
        gain=1.0,
        lift=0.0,
        num_tokens=sum(COUNT([text_of(number)])[0] for number in sentences),
    )


MAKER = Maker(excerpt, by_relevance, COUNT)


def test_units_of_a_document_are_one_passage_in_the_order_of_the_text() -> None:
    units = [unit(3, rank=2), unit(6, rank=3), unit(0, rank=4), unit(1, rank=4)]
    passages = MAKER.passages(units)
    assert [c.rank for c in passages.candidates] == [2, 3]
    first = passages.candidates[0].chunk.text.split(OMISSION)
    assert [" ".join(part.split()) for part in first] == [
        "Sentence 0. Sentence 1 and more.",
        "Sentence 3.",
    ]
    assert passages.text.startswith("[1] Manual\nSentence 0.")
    assert "\n\n[2] Manual\nSentence 6." in passages.text
    assert passages.units == ((units[0], units[2], units[3]), (units[1],))
    assert passages.num_tokens == COUNT([passages.text])[0]


def test_sections_of_a_document_are_passages_of_their_own() -> None:
    chunk = replace(excerpt(None, [0]), section=("Start",))
    start = replace(unit(0), candidate=Candidate(number=1, chunk=chunk, score=1.0, rank=1))
    passages = MAKER.passages([start, unit(1, rank=2), unit(2, rank=3)])
    assert [[u.sentences for u in units] for units in passages.units] == [[(0,)], [(1,), (2,)]]
    assert passages.text.count("] Manual\n") == 2


def test_the_longest_beginning_that_fits_is_taken() -> None:
    units = [unit(0), unit(4, rank=2), unit(2), unit(6, rank=2)]
    sizes = [MAKER.passages(units[:end]).num_tokens for end in range(1, 5)]
    assert sizes == sorted(sizes)
    for budget in range(sizes[0], sizes[-1] + 5):
        passages, end = longest_that_fits(units, budget, MAKER)
        assert end == sum(size <= budget for size in sizes)
        assert passages == MAKER.passages(units[:end])


def test_a_unit_that_does_not_fit_ends_the_pack() -> None:
    # The last unit would fit, but then a larger budget could lose it again.
    units = [unit(0), unit(4, 5, 6, 7, rank=2), unit(3)]
    first = MAKER.passages(units[:1]).num_tokens
    assert longest_that_fits(units, first + 8, MAKER)[1] == 1
    assert MAKER.passages([units[0], units[2]]).num_tokens <= first + 8


def test_a_budget_too_small_for_the_best_unit_names_one_that_holds_it() -> None:
    units = [unit(1, 2), unit(4)]
    with pytest.raises(BudgetTooSmall) as caught:
        longest_that_fits(units, 3, MAKER)
    passages, end = longest_that_fits(units, caught.value.smallest_tokens, MAKER)
    assert (end, passages.num_tokens) == (1, caught.value.smallest_tokens)


def test_no_units_make_an_empty_pack() -> None:
    passages, end = longest_that_fits([], 9, MAKER)
    assert (passages.text, passages.num_tokens, end) == ("", 0, 0)


orders = st.permutations(range(3 * PER_DOCUMENT))


@given(
    orders, st.integers(1, 24), st.sampled_from(sorted(ORDERINGS)), st.lists(st.integers(1, 400), min_size=2)
)
def test_a_larger_budget_keeps_all_that_a_smaller_one_kept(
    order: list[int], num_units: int, ordering: str, budgets: list[int]
) -> None:
    units = [unit(number, rank=place + 1) for place, number in enumerate(order[:num_units])]
    maker = Maker(excerpt, ORDERINGS[ordering], COUNT)
    kept: set[int] = set()
    for budget in sorted(budgets):
        try:
            passages, end = longest_that_fits(units, budget, maker)
        except BudgetTooSmall:
            assert not kept
            continue
        assert passages.num_tokens <= budget
        held = {number for one in units[:end] for number in one.sentences}
        assert all(f"Sentence {number}" in passages.text for number in held)
        assert kept <= held
        kept = held
