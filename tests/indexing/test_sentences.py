"""Sentences: structure first, limits always."""

import re
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from contextsvc.indexing.sentences import Fits, cut_sentences, cut_to_fit, heading_title
from contextsvc.records.documents import Block


def split(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S[^.]*\.?", text)]


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def fits_words(limit: int) -> Fits:
    def fits(texts: Sequence[str]) -> list[bool]:
        return [len(text.split()) <= limit and len(text) <= 8 * limit for text in texts]

    return fits


def test_a_paragraph_is_split_and_a_list_item_is_not() -> None:
    text = "One. Two.\n\n- a. b."
    blocks = [Block("paragraph", 0, 9), Block("list_item", 11, 18)]
    found = cut_sentences(text, blocks, split, fits_words(9), words)
    assert [text[s.start : s.end] for s in found] == ["One.", "Two.", "- a. b."]


def test_sections_nest_and_end() -> None:
    text = "# A\n## B\nx\n# C\ny"
    blocks = [
        Block("heading", 0, 3, 1),
        Block("heading", 4, 8, 2),
        Block("paragraph", 9, 10),
        Block("heading", 11, 14, 1),
        Block("paragraph", 15, 16),
    ]
    found = cut_sentences(text, blocks, split, fits_words(9), words)
    assert [s.section for s in found] == [("A",), ("A", "B"), ("A", "B"), ("C",), ("C",)]
    assert [s.starts_section for s in found] == [True, True, False, True, False]


def test_a_sentence_counts_the_gap_after_it() -> None:
    text = "a b.   c"
    found = cut_sentences(
        text, [Block("paragraph", 0, 8)], split, fits_words(9), lambda t: [len(x) for x in t]
    )
    assert [s.num_tokens for s in found] == [7, 1]


def test_code_is_cut_at_a_line_end() -> None:
    text = "one two\nthree four"
    assert cut_to_fit(text, (0, len(text)), fits_words(3)) == [(0, 7), (8, 18)]


def test_an_endless_word_is_cut_between_characters() -> None:
    assert cut_to_fit("x" * 32, (0, 32), fits_words(1)) == [(0, 8), (8, 16), (16, 24), (24, 32)]


def test_a_heading_of_marks_only_has_no_title() -> None:
    assert heading_title("###") == ""


@given(st.text(alphabet="ab. \n\té", max_size=300), st.integers(1, 5))
def test_sentences_cover_every_letter_and_fit(text: str, limit: int) -> None:
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    blocks = [Block("paragraph", start, end)] if start < end else []
    found = cut_sentences(text, blocks, split, fits_words(limit), words)
    assert "".join("".join(text[s.start : s.end].split()) for s in found) == "".join(text.split())
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(fits_words(limit)([text[s.start : s.end]])[0] for s in found)
