"""Halves of articles, filters and commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchmarks.answerable import __main__ as benchmark
from benchmarks.answerable.__main__ import (
    Given,
    by_article,
    held_out_rows,
    other_rows,
    squad_rows,
    without,
)
from benchmarks.answerable.asking import Asking
from benchmarks.parts import part_of
from benchmarks.rows import Sheet
from benchmarks.squad import Question
from contextsvc.packing.answerability import THRESHOLD
from contextsvc.records.documents import Document
from contextsvc.settings import Settings
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.packing.test_answerable_packs import KnownEmbedder
from tests.world import fake_assembler

SHEET = Sheet("answerable", "d@1", 43, "c")
TEXTS = {"Tea_time/0": "Tea is drunk hot.", "Tea_time/1": "Milk goes in first.", "Rain/0": "Rain falls."}
DOCUMENTS = [
    Document(doc_id, text, title=doc_id.partition("/")[0].replace("_", " ")) for doc_id, text in TEXTS.items()
]


@pytest.fixture
def small(build: Build, tmp_path: Path) -> Asking:
    build(DOCUMENTS)
    index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    return Asking(Settings(tokenizer="fake"), fake_assembler(KnownEmbedder()), index)


def test_articles_are_halved_whole() -> None:
    names = ("Tea_time", "Rain", "Sorting", "Bees")
    questions = [Question(f"what {n}", "a", f"{name}/{n}") for name in names for n in range(4)]
    halves = {part: by_article(questions, part, 3) for part in ("tune", "report")}
    assert {*halves["tune"], *halves["report"]} == set(names)
    for part, found in halves.items():
        assert all(part_of(name) == part and len(found[name]) == 3 for name in found)
        assert all(q.doc_id.startswith(f"{name}/") for name, of_it in found.items() for q in of_it)
    assert by_article(questions, "tune", 3) == halves["tune"]


def test_a_filter_shuts_out_the_article_or_the_paragraph_alone(small: Asking) -> None:
    there = small.evidence("tea drunk hot")
    near, absent = (small.evidence("tea drunk hot", f)
                    for f in (without("doc_id", "Tea_time/0"), without("title", "Tea time")))  # fmt: skip
    assert [len(found.own) for found in (there, near, absent)] == [3, 2, 1]
    # The other paragraph has "tea" in its title.
    assert there.coverage.max() == 1.0 > near.coverage.max() > absent.coverage.max() == 0.0
    assert there.score > near.score
    assert there.bm25 > near.bm25 > absent.bm25 == 0.0


def test_rows_of_a_half_have_what_was_there_and_what_was_not(small: Asking) -> None:
    rows = {row.figure: row for row in squad_rows(
        small, {"Tea_time": [Question("tea drunk hot", "tea", "Tea_time/0")],
                "Rain": [Question("what falls as rain", "rain", "Rain/0")]}, SHEET)}  # fmt: skip
    assert (rows["answerable, flagged"].value, rows["answerable, flagged"].n) == (0.0, 2)
    assert rows["without its article, found"].value == 1.0
    assert rows["as shipped: area under ROC"].value == 1.0
    assert rows["what it adds to a query, ms, median"].value > 0


def test_an_index_that_never_held_them_is_asked_beside_one_that_shuts_them_out(
    small: Asking, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    @contextmanager
    def asking(_: str, documents: list[Document]) -> Iterator[Asking]:
        seen.extend(document.doc_id for document in documents)
        build(documents)
        index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
        yield Asking(small.settings, small.assembler, index)

    monkeypatch.setattr(benchmark, "asking", asking)
    groups = {"Tea_time": [Question("tea or rain", "tea", "Tea_time/0")]}
    rows = {row.figure: row for row in held_out_rows(small, DOCUMENTS, groups, SHEET)}
    assert seen == ["Rain/0"]
    # Where "tea" is known it weighs log1p(1.5 / 2.5), "rain" log1p(2.5 / 1.5); of one chunk that has no
    # "tea" they weigh log1p(1.5 / .5) and log1p(.5 / 1.5).
    tea, rain, tea_after, rain_after = np.log1p([1.5 / 2.5, 2.5 / 1.5, 1.5 / 0.5, 0.5 / 1.5])
    apart = 0.45 * 2 / 3 * (rain / (rain + tea) - rain_after / (rain_after + tea_after))
    row = rows["articles shut out by a filter less never indexed: score"]
    assert row.n == 1
    assert row.value == pytest.approx(apart, abs=1e-5)
    rain = Given("r@1", tuple(DOCUMENTS[2:]), (("rain falls", ("Rain/0",)),))
    made = {one.figure: one.value for one in other_rows("rain", rain, ["tea"], SHEET)}
    assert made == {
        "rain: own questions, flagged": 0.0,
        "rain: questions of the other collections, found": 1.0,
        "rain: own questions, flagged by the default": 0.0,
        "rain: questions of the other collections, found by the default": 1.0,
        "rain: own questions and those of the others: area under ROC": 1.0,
        "rain: own questions without the documents that answer, found": 1.0,
        "rain: threshold of the index": THRESHOLD,
    }
