"""The chunking data set, on the data itself."""

import hashlib

import pytest

from benchmarks.chunking.corpora import CORPORA, ExcerptQuestion, load, published
from benchmarks.parts import of_part
from benchmarks.rows import data_root

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (data_root() and data_root().joinpath("chunking", "questions.csv").exists()),  # type: ignore[union-attr]
        reason="no chunking data; name its folder in CONTEXTSVC_DATA",
    ),
]


def test_every_question_of_the_three_corpora_is_there() -> None:
    collection = load()
    assert sorted(collection.texts) == list(CORPORA)
    counts = {corpus: sum(q.corpus == corpus for q in collection.questions) for corpus in CORPORA}
    assert counts == {"pubmed": 99, "state_of_the_union": 76, "wikitexts": 144}
    assert collection.data.startswith("chunking@")


def test_the_parts_are_disjoint_whole_and_near_halves() -> None:
    collection = load()
    tune, report = set(of_part(collection.questions, "tune")), set(of_part(collection.questions, "report"))
    assert not tune & report
    assert tune | report == set(collection.questions)
    assert 0.4 < len(tune) / len(collection.questions) < 0.6


def test_a_questions_part_follows_from_its_text_alone() -> None:
    first_byte = hashlib.sha256(b"who?").digest()[0]
    expected = "report" if first_byte % 2 else "tune"
    assert ExcerptQuestion("who?", "a", ((0, 1),)).part == expected
    assert ExcerptQuestion("who?", "b", ((5, 9),)).part == expected


def test_published_rows_are_read_by_chunker_size_and_overlap() -> None:
    rows = {row["corpus"]: row for row in published("Recursive", 200, 0)}
    pubmed = [float(rows["pubmed"][name]) for name in ("recall", "recall_sd", "precision_omega", "iou_sd")]
    assert pubmed == [61.0, 45.7, 38.1, 7.9]
    assert {"all", "chatlogs", *CORPORA} <= set(rows)
    assert published("Recursive", 201, 0) == []
