"""Excerpts: sentences of a document, joined across chunks, with marks and repeated lines."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.records.documents import Document
from contextsvc.records.spans import OMISSION
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.corpus.excerpts import Excerpts, chunks_in, sentence_spans_in
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder

TEXT = " ".join(f"Sentence {number} is about subject{number} and nothing else." for number in range(30))
OTHER = "Bread rises with yeast. Bake bread until its crust turns brown."


@pytest.fixture(name="corpus")
def corpus_of_two(build: Build, tmp_path: Path) -> Corpus:
    """A document of thirty sentences in several chunks, and a second document."""
    build([Document("long", TEXT, title="Long"), Document("other", OTHER)])
    return Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages").corpus


def sentence(number: int) -> str:
    return f"Sentence {number} is about subject{number} and nothing else."


def test_a_gap_becomes_a_mark_and_neighbours_join_across_chunks(corpus: Corpus) -> None:
    edge = int(corpus.chunk_table["first_sentence"][3])
    made = Excerpts(corpus).excerpt(corpus.chunk(0), [0, edge - 1, edge])
    assert made.text == f"{sentence(0)}{OMISSION}{sentence(edge - 1)} {sentence(edge)}"
    assert made.text == OMISSION.join(TEXT[start:end] for start, end in made.spans)
    assert (made.start, made.end) == (0, TEXT.index(sentence(edge)) + len(sentence(edge)))
    assert made.whole == (0, corpus.chunk(3).end)
    assert (made.doc_id, made.title, made.num_tokens) == ("long", "Long", 0)


def test_all_sentences_of_a_chunk_are_the_chunk(corpus: Corpus) -> None:
    for number in range(corpus.num_chunks):
        row, chunk = corpus.chunk_table[number], corpus.chunk(number)
        every = list(range(int(row["first_sentence"]), int(row["end_sentence"])))
        assert replace(Excerpts(corpus).excerpt(chunk, every), num_tokens=chunk.num_tokens) == chunk


def test_an_excerpt_has_a_sentence(corpus: Corpus) -> None:
    with pytest.raises(ShapeError, match="without sentences"):
        Excerpts(corpus).excerpt(corpus.chunk(0), [])


def test_sentences_of_a_part_are_those_wholly_inside(corpus: Corpus) -> None:
    first, second = len(sentence(0)), len(sentence(0)) + 1 + len(sentence(1))
    assert sentence_spans_in(corpus, 0, (0, second)) == [(0, first), (first + 1, second)]
    assert sentence_spans_in(corpus, 1, (1, second)) == [(first + 1, second)]
    assert sentence_spans_in(corpus, corpus.num_chunks - 1, (0, 23)) == [(0, 23)]


def test_chunks_of_a_part_are_those_wholly_inside(corpus: Corpus) -> None:
    last = corpus.num_chunks - 1
    assert corpus.chunk(last).doc_id == "other"
    assert chunks_in(corpus, 2, (0, len(TEXT))) == list(range(last))
    assert chunks_in(corpus, 0, (corpus.chunk(1).start, corpus.chunk(3).end - 1)) == [1, 2]
    assert chunks_in(corpus, last, (0, len(OTHER))) == [last]


@given(wanted=st.sets(st.integers(0, 29), min_size=1))
@settings(deadline=None)
def test_the_text_is_that_of_the_spans(tmp_path_factory: pytest.TempPathFactory, wanted: set[int]) -> None:
    corpus = _shared(tmp_path_factory)
    made = Excerpts(corpus).excerpt(corpus.chunk(0), sorted(wanted))
    assert made.text == OMISSION.join(TEXT[start:end] for start, end in made.spans)
    assert all(sentence(number) in made.text for number in wanted)
    assert made.text.count("Sentence") == len(wanted)


_CORPORA: list[Corpus] = []


def _shared(factory: pytest.TempPathFactory) -> Corpus:
    if not _CORPORA:
        from contextsvc.indexing.build import build_index
        from tests.world import fake_parts

        root = factory.mktemp("excerpts")
        build_index(root, "pages", [Document("long", TEXT, title="Long")], fake_parts())
        _CORPORA.append(Library(root, FakeEmbedder().fingerprint, open_search).get("pages").corpus)
    return _CORPORA[0]
