"""Passages found in their documents."""

import pytest

from benchmarks.chunking.metrics import Place
from benchmarks.packs.locating import Given, Locator
from benchmarks.peers.protocol import Passage, Text


def sentences(text: str) -> list[tuple[int, int]]:
    """A sentence ends at a full stop."""
    found, at = [], 0
    for part in text.split(". "):
        found.append((at, at + len(part)))
        at += len(part) + 2
    return found


#                0123456789 1234567890 123456789
DOCUMENT = Text("d", "One two.\nThree four. Five.\n\nOne two.")


@pytest.fixture
def locator() -> Locator:
    """One document as it is, and one with a title in front of a part of a document."""
    titled = Given(Text("e@100", "Title\n\nfirst second"), "e", start=100, num_lead=7)
    return Locator([Given(DOCUMENT, "d"), titled], sentences)


def passage(text: str, start: int | None = None, end: int | None = None) -> Passage:
    """Of the document."""
    return Passage("d", text, 1.0, start, end)


def test_a_span_that_is_right_is_believed(locator: Locator) -> None:
    assert locator.places(passage("One two.", 28, 36)) == ([Place("d", 28, 36)], 0)


def test_a_span_that_is_wrong_is_not(locator: Locator) -> None:
    assert locator.places(passage("Five.", 3, 8)) == ([Place("d", 21, 26)], 0)


def test_without_a_span_the_text_is_searched_and_the_first_place_counts(locator: Locator) -> None:
    assert locator.places(passage("Three four.")) == ([Place("d", 9, 20)], 0)
    assert locator.places(passage("One two.")) == ([Place("d", 0, 8)], 0)


def test_spaces_are_put_aside(locator: Locator) -> None:
    # A side that joins sentences by a space, and trims.
    assert locator.places(passage(" One two. Three four. Five. ")) == ([Place("d", 0, 26)], 0)


def test_half_a_character_at_an_edge_is_put_aside(locator: Locator) -> None:
    assert locator.places(passage("�Three four.�")) == ([Place("d", 9, 20)], 0)


def test_what_was_left_out_of_the_middle_splits_a_passage(locator: Locator) -> None:
    # "One two" and "Five." are found, "Six" has three characters that are nowhere.
    assert locator.places(passage("One two. Five. Six")) == ([Place("d", 0, 7), Place("d", 21, 25)], 3)


def test_what_lies_nowhere_is_counted_without_its_spaces(locator: Locator) -> None:
    assert locator.places(passage("no such words")) == ([], 11)
    assert locator.places(passage("")) == ([], 0)


def test_a_title_in_front_is_no_part_of_the_document(locator: Locator) -> None:
    both = Passage("e@100", "Title\n\nfirst second", 1.0, 0, 19)
    assert locator.places(both) == ([Place("e", 100, 112)], 0)
    assert locator.places(Passage("e@100", "second", 1.0)) == ([Place("e", 106, 112)], 0)
    assert locator.places(Passage("e@100", "Title", 1.0)) == ([], 0)


def test_a_passage_of_another_document_is_an_error(locator: Locator) -> None:
    with pytest.raises(KeyError, match="nobody"):
        locator.places(Passage("nobody", "One", 1.0))
