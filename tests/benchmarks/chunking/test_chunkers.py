"""Where a peer's chunks lie, vectors that are kept, and how chunks are found and scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.chunking.chunkers import Chunked, KeptPassages, by_sentences, by_vectors
from benchmarks.chunking.corpora import ExcerptQuestion
from benchmarks.chunking.figures import beside_published, compared, rows, scored
from benchmarks.chunking.metrics import Place
from benchmarks.chunking.peer_splitters import located
from benchmarks.peers.vectors import Store
from benchmarks.rows import Sheet
from contextsvc.indexing.build import build_index
from contextsvc.records.documents import Document
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import open_manifest
from tests.fakes.embedder import FakeEmbedder
from tests.world import fake_parts

SHEET = Sheet("chunking", "d@1", 7, "c", {"part": "all"})


def test_a_peers_chunks_are_found_in_order_and_broken_characters_left_out() -> None:
    text = "ab 日本 ab"
    assert located(text, ["ab", " \N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}本", " ab"]) == [
        (0, 2, "ab"),
        (2, 3, " \N{REPLACEMENT CHARACTER}"),
        (4, 5, "\N{REPLACEMENT CHARACTER}本"),
        (5, 8, " ab"),
    ]
    with pytest.raises(SystemExit, match="not in its text from 2 on: 'no'"):
        located(text, ["ab", "no"])


def test_a_passage_is_embedded_once_and_queries_as_ever(tmp_path: Path) -> None:
    inner, store = FakeEmbedder(), Store(tmp_path / "kept")
    embedder = KeptPassages(inner, store)
    first = embedder.embed_passages(["a cat", "one dog there"])
    embedder.embed_queries(["a cat"])
    again = KeptPassages(inner, store).embed_passages(["one dog there", "a bird", "a cat"])
    np.testing.assert_array_equal(again[[2, 0]], first)
    np.testing.assert_array_equal(again[1], inner.embed_passages(["a bird"])[0])
    assert inner.calls == [2, 1, 1, 1]


PASSAGES = [Place("a", 0, 10), Place("a", 11, 30), Place("b", 0, 10)]
QUESTIONS = [ExcerptQuestion("cat", "a", ((0, 10),)), ExcerptQuestion("dog", "b", ((5, 10),))]


def chunked(texts: list[str], name: str = "x") -> Chunked:
    embedder = FakeEmbedder()
    return Chunked(name, PASSAGES, by_vectors(embedder, embedder.embed_passages(texts)), {"size": 3})


def test_the_nearest_chunks_are_found_and_ties_go_to_the_first() -> None:
    assert chunked(["cat", "dog", "dog"]).search(["dog", "cat"], 2) == [[1, 2], [0, 1]]


def test_a_chunk_is_as_near_as_its_best_sentence_in_context(tmp_path: Path) -> None:
    pages = [
        Document("dogs", "The dog sleeps well. Its kennel is warm."),
        Document("cats", "The cat sleeps well."),
    ]
    build_index(tmp_path, "pages", pages, replace(fake_parts(), max_tokens=6))
    corpus = Corpus.open(open_manifest(tmp_path, "pages")[0])
    texts = [corpus.chunk(number).text for number in range(corpus.num_chunks)]
    assert texts == ["The dog sleeps well.", "Its kennel is warm.", "The cat sleeps well."]
    search = by_sentences(FakeEmbedder(), corpus)
    # "kennel": its own sentence, then the one beside it, then the one of another document.
    assert search(["kennel", "cat"], 3) == [[1, 0, 2], [2, 0, 1]]
    assert search(["kennel"], 1) == [[1]]


def test_scores_are_percents_of_each_question() -> None:
    # "cat" finds its excerpt alone; "dog" finds one chunk of the wrong corpus.
    found = scored(chunked(["cat", "dog", "bird"]), QUESTIONS, 1)
    assert found == {
        "recall": [100.0, 0.0], "precision": [100.0, 0.0], "precision omega": [100.0, 50.0],
        "IoU": [100.0, 0.0],
    }  # fmt: skip


def test_rows_are_over_all_and_each_corpus_that_is_asked() -> None:
    one = chunked(["cat", "dog", "bird"])
    made = rows(one, scored(one, QUESTIONS, 1), QUESTIONS, SHEET)
    assert [(row.figure, row.value, row.n) for row in made] == [
        ("x, all three corpora: recall, %", 50.0, 2), ("x, all three corpora: precision, %", 50.0, 2),
        ("x, all three corpora: precision omega, %", 75.0, 2), ("x, all three corpora: IoU, %", 50.0, 2),
    ]  # fmt: skip
    assert made[0].details == {"mean_chars": 13.0, "scores": [100.0, 0.0]}
    assert made[0].settings == {"part": "all", "size": 3}


def test_a_published_row_is_subtracted_where_its_corpus_is_here() -> None:
    one = Chunked("x", [Place("pubmed", 0, 10)], lambda questions, _: [[0]] * len(questions), {})
    asked = [ExcerptQuestion(text, "pubmed", ((0, 5),)) for text in ("a", "b", "c", "d")]
    columns = ("recall", "precision", "precision_omega", "iou")
    others = dict.fromkeys([*columns, *(f"{column}_sd" for column in columns)], "50.0")
    table = [
        {**others, "corpus": "pubmed", "recall": "90.0", "recall_sd": "40.0"},
        {**others, "corpus": "finance"},
    ]
    made = beside_published(one, scored(one, asked, 1), asked, table, SHEET)
    assert [(row.figure, row.value) for row in made[:2]] == [
        ("x, pubmed: recall minus published, points", 10.0),
        ("x, pubmed: precision minus published, points", 0.0),
    ]
    assert len(made) == 4
    assert made[0].details == {"published": 90.0, "published_standard_error": 20.0}


def test_two_chunkers_are_compared_question_by_question() -> None:
    first, second = chunked(["cat", "bird", "dog"], "x"), chunked(["dog", "bird", "cat"], "y")
    tables = [(one, scored(one, QUESTIONS, 1)) for one in (first, second)]
    made = compared(tables[0], tables[1], SHEET)
    # Both questions right against both wrong: 100 points; of 4 ways to sign them 2 are as far.
    assert (made[0].figure, made[0].value) == ("x minus y: recall, points", 100.0)
    assert made[0].details == {"p": 0.5, "ratio": None, "ratio_interval": None}
