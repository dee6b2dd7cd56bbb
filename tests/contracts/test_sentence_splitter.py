"""The contract of every SentenceSplitter."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.assets import locate
from contextsvc.ports import SentenceSplitter
from contextsvc.settings import Settings
from tests.fakes.sentence_splitter import FakeSentenceSplitter

SPLITTERS: dict[str, Callable[[], SentenceSplitter]] = {
    "fake": FakeSentenceSplitter,
    "punkt": lambda: PunktSentenceSplitter(locate(Settings.from_env().home, "punkt_tab")),
}


@pytest.fixture(scope="module", params=list(SPLITTERS))
def splitter(request: pytest.FixtureRequest) -> SentenceSplitter:
    return SPLITTERS[request.param]()


def test_two_sentences_are_two_spans(splitter: SentenceSplitter) -> None:
    assert splitter.split("  One here. Two there!\n") == [(2, 11), (12, 22)]


def test_text_that_does_not_end_is_a_sentence(splitter: SentenceSplitter) -> None:
    assert splitter.split("no end") == [(0, 6)]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000\x1f "])
def test_a_text_of_spaces_has_no_sentence(splitter: SentenceSplitter, text: str) -> None:
    assert splitter.split(text) == []


def test_a_long_text_without_punctuation_is_one_sentence(splitter: SentenceSplitter) -> None:
    assert splitter.split("a" * 200_000) == [(0, 200_000)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(text=st.text() | st.text(alphabet=" \n\x1c\u3000.!?)\"'-]aA1"))
@example(text='("A.") ("B.")')
@example(text=". \n.)")
def test_spans_cover_every_non_space_character(splitter: SentenceSplitter, text: str) -> None:
    spans = splitter.split(text)
    covered = {position for start, end in spans for position in range(start, end)}
    assert all(position in covered for position, char in enumerate(text) if not char.isspace())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(start < end for start, end in spans)
    assert not any(text[start].isspace() or text[end - 1].isspace() for start, end in spans)
