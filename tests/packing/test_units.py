"""Units: which sentences form them, their gains and their order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.packing.units import Sentences, Unit, ordered_units, whole_chunks
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate

WEIGHTS = np.array([0.75, 0.25])
"""Two terms of a query; the first is the rarer one."""


@dataclass(frozen=True)
class Given:
    """A chunk of a few sentences, each of them a unit unless `units` says otherwise. `#` makes a heading."""

    texts: Sequence[str]
    similarity: Sequence[float]
    terms: Sequence[tuple[int, int]] = ()
    units: Sequence[int] = ()
    first: int = 0
    rank: int = 1
    score: float = 0.8
    doc_id: str = ""
    section: tuple[str, ...] = ()

    @property
    def candidate(self) -> Candidate:
        doc_id = self.doc_id or f"d{self.rank}"
        chunk = Chunk(doc_id=doc_id, start=0, end=9, text="some text", num_tokens=2, section=self.section)
        return Candidate(number=self.rank, chunk=chunk, score=self.score, rank=self.rank)


def together(chunks: Sequence[Given]) -> Sentences:
    """The sentences of some chunks as arrays. Equal texts share a row."""
    texts = [text for chunk in chunks for text in chunk.texts]
    sizes = np.array([len(chunk.texts) for chunk in chunks], dtype=np.int64)
    terms = [pair for chunk in chunks for pair in chunk.terms or [(0, 0)] * len(chunk.texts)]
    units = [unit for chunk in chunks for unit in chunk.units or range(len(chunk.texts))]
    return Sentences(
        chunks=np.array([chunk.rank for chunk in chunks]),
        firsts=np.cumsum(sizes) - sizes,
        numbers=np.array([chunk.first + place for chunk in chunks for place in range(len(chunk.texts))]),
        units=np.array(units),
        headings=np.array([text.startswith("#") for text in texts]),
        num_tokens=np.array([len(text.split()) for text in texts]),
        rows=np.array([texts.index(text) for text in texts]),
        similarity=np.array([value for chunk in chunks for value in chunk.similarity]),
        terms=np.array(terms, dtype=np.bool_).reshape(-1, 2),
        weights=WEIGHTS,
    )


def order(*chunks: Given, max_passages: int = 9, enough: float = float("inf")) -> list[Unit]:
    candidates = [chunk.candidate for chunk in chunks]
    return ordered_units(candidates, together(chunks), max_passages, enough)


def taken(units: Sequence[Unit]) -> list[tuple[int, ...]]:
    return [unit.sentences for unit in units]


def test_the_gain_is_of_the_chunk_the_similarity_and_the_terms() -> None:
    chunk = Given(["One two.", "Three."], similarity=[0.2, 0.6], terms=[(1, 0), (0, 1)])
    first, second = order(chunk)
    # 2 for the best chunk; .2 + .8 * .75 = .8 and .6 + .8 * .25 = .8, less half of the chunk's best: equal,
    # so the text's order decides.
    assert (first.sentences, first.gain, first.num_tokens) == ((0,), 2.4, 2)
    assert (second.sentences, second.gain, second.num_tokens) == ((1,), 2.4, 1)


def test_half_of_a_chunks_best_evidence_is_deducted_from_all_its_units() -> None:
    best = Given(["One.", "Two."], similarity=[0.8, 0.4])
    terms = Given(["Three."], similarity=[0.2], first=5, rank=2)
    # 2 + .8 - .4 and 2 + .4 - .4; 2 + .2 - .1
    assert [(u.sentences, u.gain) for u in order(best, terms)] == [((0,), 2.4), ((5,), 2.1), ((1,), 2.08)]


def test_a_term_that_was_taken_counts_half() -> None:
    chunk = Given(
        ["Both.", "The rare one.", "The other."],
        similarity=[0.5, 0.1, 0.1],
        terms=[(1, 1), (1, 0), (0, 1)],
    )
    # Of themselves they have 2.65, 2.05 and 1.65. The second is lifted by a fifth of .6, the third by one of
    # .4. The first takes both terms, of which the second loses .8 * .75 / 2, the third .8 * .25 / 2.
    assert [(u.sentences, u.gain) for u in order(chunk)] == [((0,), 2.65), ((1,), 1.87), ((2,), 1.63)]


def test_new_terms_come_before_repeated_ones() -> None:
    first = Given(["One."], similarity=[0.9], terms=[(1, 0)])
    again = Given(["One again."], similarity=[0.8], terms=[(1, 0)], first=5, rank=2)
    other = Given(["Two."], similarity=[0.6], terms=[(0, 1)], first=9, rank=3)
    # 2.75; then 2.7 less .3 for the second, and 2.4 for the third
    assert [(u.sentences, u.gain) for u in order(first, again, other)] == [
        ((0,), 2.75),
        ((5,), 2.4),
        ((9,), 2.4),
    ]
    poorer = replace(again, similarity=[0.7])
    assert taken(order(first, poorer, other)) == [(0,), (9,), (5,)]


def test_a_worse_chunk_counts_by_its_share_of_the_best_score() -> None:
    best = Given(["Good."], similarity=[0.1])
    worse = Given(["Better."], similarity=[0.9], first=1, rank=2, score=0.4)
    assert [(u.sentences, u.gain) for u in order(best, worse)] == [
        ((0,), 2.05),
        ((1,), 1.45),
    ]


def test_sentences_of_a_unit_stay_together() -> None:
    chunk = Given(
        ["Run:", "`stop`", "Then go home."],
        similarity=[0.1, 0.2, 0.3],
        terms=[(1, 0), (0, 1), (0, 0)],
        units=[4, 4, 5],
    )
    first, second = order(chunk)
    # The unit has the greatest similarity of its sentences, .2, and both terms.
    assert (first.sentences, first.gain) == ((0, 1), 2.5)
    assert second.sentences == (2,)


def test_a_heading_that_matches_better_than_the_text_below_it_stays_above_it() -> None:
    texts = ["## When is it closed?", "From one to four.", "On Sundays, too."]
    chunk = Given(texts, similarity=[0.9, 0.2, 0.1], terms=[(1, 0), (0, 0), (0, 0)])
    first, second = order(chunk)
    assert (first.sentences, first.gain) == ((0, 1), 2.75)
    # 2 + .1 - .75 of its own, and a fifth of the way to 2.75
    assert (second.sentences, second.gain) == ((2,), 1.63)


def test_a_heading_that_matches_less_comes_last() -> None:
    chunk = Given(["## Hours", "From one to four.", "Sunday."], similarity=[0.1, 0.6, 0.5])
    assert taken(order(chunk)) == [(1,), (2,), (0,)]


def test_headings_above_each_other_stay_together() -> None:
    chunk = Given(["# Visits", "## Hours", "From one."], similarity=[0.2, 0.6, 0.5])
    assert taken(order(chunk)) == [(0, 1, 2)]


def test_a_heading_without_text_below_it_is_left_out_unless_there_is_nothing_else() -> None:
    chunk = Given(["From one.", "## Hours"], similarity=[0.2, 0.6])
    assert taken(order(chunk)) == [(0,)]
    bare = Given(["# Visits", "## Hours"], similarity=[0.2, 0.6])
    assert [(u.sentences, u.gain) for u in order(bare)] == [((1,), 2.3), ((0,), 1.98)]


def test_a_heading_stays_only_above_text_that_was_taken() -> None:
    texts = ["# Visits", "From one.", "## Shop", "It sells cards."]
    chunk = Given(texts, similarity=[0.0, 0.9, 0.0, 0.0])
    # 2.45, and 1.55 for the cards: .63 of it.
    assert taken(order(chunk)) == [(1,), (3,), (0,), (2,)]
    # 2.85, and 1.15: .40 of it.
    better = replace(chunk, terms=[(0, 0), (1, 1), (0, 0), (0, 0)])
    assert taken(order(better)) == [(1,), (0,)]


def test_the_order_ends_where_the_gain_is_small() -> None:
    best = Given(["a."], similarity=[1.0])
    # 2.5 of the first; 1 + .5 - .25 are half of it.
    for similarity, kept in ((0.5, [(0,), (5,)]), (0.49, [(0,)])):
        assert taken(order(best, Given(["b."], [similarity], first=5, rank=2, score=0.4))) == kept


def test_equal_texts_are_taken_once() -> None:
    here = Given(["The same text."], similarity=[0.5])
    there = Given(["The same text."], similarity=[0.9], first=1, rank=2, score=0.4)
    assert taken(order(here, there)) == [(0,)]


def test_equal_gains_are_taken_by_rank_and_then_in_the_order_of_the_text() -> None:
    one = Given(["a.", "b."], similarity=[0.5, 0.5], first=10, rank=2)
    other = Given(["c."], similarity=[0.5], first=20, rank=1)
    assert taken(order(one, other)) == [(20,), (10,), (11,)]


def test_a_unit_beside_a_better_one_is_lifted_also_across_the_bounds_of_chunks() -> None:
    best = Given(["a.", "b."], similarity=[0.0, 1.0], doc_id="same")
    after = Given(["c.", "d."], similarity=[0.5, 0.5], first=2, rank=2, score=0.4, doc_id="same")
    gains = {unit.sentences[0]: unit.gain for unit in order(best, after)}
    # Of themselves they have 1.5, 2.5, 1.25 and 1.25.
    assert gains == {0: 1.7, 1: 2.5, 2: 1.5, 3: 1.25}
    assert [(u.sentences[0], u.lift) for u in order(best, after)] == [(1, 0.0), (0, 0.2), (2, 0.25), (3, 0.0)]


def test_a_unit_above_a_heading_is_not_lifted_by_the_unit_below_it() -> None:
    texts = ["Children need a seat.", "## When is it closed?", "From one to four."]
    chunk = Given(texts, similarity=[0.5, 1.0, 0.2])
    assert [(u.sentences, u.gain, u.lift) for u in order(chunk)] == [((1, 2), 2.5, 0.0), ((0,), 2.0, 0.0)]


def test_a_unit_beside_one_of_another_document_is_not_lifted() -> None:
    best = Given(["a."], similarity=[1.0])
    other = Given(["b."], similarity=[0.5], first=1, rank=2, score=0.4)
    assert [unit.gain for unit in order(best, other)] == [2.5, 1.25]


def test_whole_chunks_are_units_in_the_order_given() -> None:
    chunks = [
        Given(["# a", "b c."], similarity=[0.5, 0.1], first=3, rank=2, score=0.2),
        Given(["d."], similarity=[0.9], first=0),
    ]
    candidates, sentences = [chunk.candidate for chunk in chunks], together(chunks)
    assert [(u.sentences, u.num_tokens, u.gain) for u in whole_chunks(candidates, sentences, 9)] == [
        ((3, 4), 4, 0.2),
        ((0,), 1, 0.8),
    ]
    assert taken(whole_chunks(candidates, sentences, 1)) == [(3, 4)]


def test_units_of_so_many_passages_are_taken() -> None:
    one = Given(["a.", "b."], similarity=[0.9, 0.1])
    two = Given(["c."], similarity=[0.6], first=10, rank=2)
    three = Given(["d."], similarity=[0.5], first=20, rank=3)
    assert taken(order(one, two, three)) == [(0,), (10,), (20,), (1,)]
    assert taken(order(one, two, three, max_passages=2)) == [(0,), (10,), (1,)]
    assert taken(order(one, two, three, max_passages=1)) == [(0,), (1,)]


def test_sections_of_a_document_are_passages_of_their_own() -> None:
    one = Given(["a."], similarity=[0.9], doc_id="same", section=("Stop",))
    same = Given(["b."], similarity=[0.4], first=1, rank=2, doc_id="same", section=("Stop",))
    other = Given(["c."], similarity=[0.6], first=2, rank=3, doc_id="same", section=("Start",))
    assert taken(order(one, same, other, max_passages=1)) == [(0,), (1,)]
    # The two of a section stand beside each other: the second has 2.2 and a fifth of .25. The third has 2.3.
    assert [(u.sentences, u.gain) for u in order(one, same, other)] == [
        ((0,), 2.45),
        ((2,), 2.3),
        ((1,), 2.25),
    ]


def test_enough_tokens_end_the_order_and_do_not_change_it() -> None:
    chunk = Given(["# a", "b c d.", "e f.", "g."], similarity=[0.1, 0.9, 0.8, 0.7])
    every = order(chunk)
    assert taken(every) == [(1,), (2,), (3,), (0,)]
    assert [len(order(chunk, enough=enough)) for enough in (0, 2, 3, 4, 5, 6)] == [1, 1, 2, 2, 3, 4]
    assert all(
        order(chunk, enough=enough) == every[: len(order(chunk, enough=enough))] for enough in range(9)
    )


def test_a_query_without_terms_or_chunks() -> None:
    chunk = Given(["a."], similarity=[0.5])
    bare = replace(together([chunk]), terms=np.zeros((1, 0), dtype=np.bool_), weights=np.zeros(0))
    assert [unit.gain for unit in ordered_units([chunk.candidate], bare, 9)] == [2.25]
    assert order() == []


def test_values_must_match_the_sentences() -> None:
    sound = together([Given(["a.", "b."], similarity=[0.5, 0.5])])
    with pytest.raises(ShapeError, match="values of sentences"):
        replace(sound, similarity=np.zeros(1))
    with pytest.raises(ShapeError, match="values of sentences"):
        replace(sound, weights=np.zeros(3))
    with pytest.raises(ShapeError, match="1 chunks, 2 first sentences"):
        replace(sound, firsts=np.array([0, 1]))


parts = st.tuples(st.sampled_from(["# h", "a.", "b c.", "d."]), st.floats(0, 1), st.booleans())


@given(st.lists(parts, min_size=1, max_size=8))
def test_no_sentence_is_in_two_units(made: list[tuple[str, float, bool]]) -> None:
    starts = np.cumsum([new for _, _, new in made]).tolist()
    chunk = Given(
        [f"{text} {place}" for place, (text, _, _) in enumerate(made)],
        similarity=[similarity for _, similarity, _ in made],
        units=starts,
    )
    units = order(chunk)
    numbers = [number for unit in units for number in unit.sentences]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(len(made)))
    assert all(0 <= unit.gain <= 2.5 for unit in units)
