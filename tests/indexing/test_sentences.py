"""Sentences: structure first, limits always. One word is one token here."""

import re
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from contextsvc.indexing.sentences import cut_sentences, heading_title
from contextsvc.records.documents import Block, Sentence


def split(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S[^.]*\.?", text)]


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def read(texts: Sequence[str]) -> list[bool]:
    return [len(text) <= 1000 for text in texts]


def cut(text: str, blocks: Sequence[Block], max_tokens: int = 9) -> list[Sentence]:
    return cut_sentences(text, blocks, split, read, words, max_tokens)


def texts(text: str, found: Sequence[Sentence]) -> list[str]:
    return [text[sentence.start : sentence.end] for sentence in found]


def units(found: Sequence[Sentence]) -> list[int]:
    return [sentence.unit for sentence in found]


def test_a_paragraph_is_split_and_a_list_item_is_not() -> None:
    text = "One. Two.\n\n- a. b."
    found = cut(text, [Block("paragraph", 0, 9), Block("list_item", 11, 18)])
    assert texts(text, found) == ["One.", "Two.", "- a. b."]
    assert [sentence.kind for sentence in found] == ["paragraph", "paragraph", "list_item"]
    assert units(found) == [0, 1, 2]


def test_sections_nest_and_end() -> None:
    text = "# A\n## B\nx\n# C\ny"
    blocks = [
        Block("heading", 0, 3, 1),
        Block("heading", 4, 8, 2),
        Block("paragraph", 9, 10),
        Block("heading", 11, 14, 1),
        Block("paragraph", 15, 16),
    ]
    found = cut(text, blocks)
    assert [s.section for s in found] == [("A",), ("A", "B"), ("A", "B"), ("C",), ("C",)]
    assert [s.starts_section for s in found] == [True, True, False, True, False]


def test_what_introduces_a_heading_belongs_to_its_section() -> None:
    text = "to a:\n\nA\n=\n\nx"
    found = cut(text, [Block("paragraph", 0, 5), Block("heading", 7, 10, 1), Block("paragraph", 12, 13)])
    assert [s.section for s in found] == [("A",)] * 3
    assert [s.starts_section for s in found] == [True, False, False]
    assert units(found) == [0, 0, 1]


def test_a_sentence_counts_the_gap_after_it() -> None:
    text = "a b.   c"
    found = cut_sentences(
        text, [Block("paragraph", 0, 8)], split, read, lambda told: [len(x) for x in told], 20
    )
    assert [s.num_tokens for s in found] == [7, 1]


def test_a_text_that_the_embedder_does_not_read_to_its_end_is_cut() -> None:
    text = "one two three four"
    found = cut_sentences(
        text, [Block("paragraph", 0, 18)], split, lambda told: [len(x) <= 9 for x in told], words, 9
    )
    assert texts(text, found) == ["one two", "three", "four"]


def test_a_heading_of_marks_only_has_no_title() -> None:
    assert heading_title("###") == ""


@given(st.text(alphabet="ab. \n\té:*", max_size=300), st.integers(2, 6))
def test_sentences_cover_every_letter_and_fit(text: str, limit: int) -> None:
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    blocks = [Block("paragraph", start, end)] if start < end else []
    found = cut(text, blocks, limit)
    assert "".join("".join(text[s.start : s.end].split()) for s in found) == "".join(text.split())
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(size <= limit for size in words(texts(text, found)))
    assert all(b.unit - a.unit in (0, 1) for a, b in pairwise(found))
