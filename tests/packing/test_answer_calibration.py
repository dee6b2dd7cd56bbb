"""The threshold of an index, chosen on questions made from its own chunks."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from contextsvc.indexing.build import IndexParts, Update, build_index, update_index
from contextsvc.packing.answer_calibration import (
    FACTOR,
    MIN_QUESTIONS,
    QUANTILE,
    calibrate_answers,
    calibration_of,
)
from contextsvc.packing.assembler import Assembler
from contextsvc.records.documents import Document
from contextsvc.records.packs import AnswerCalibration
from contextsvc.records.requests import PackRequest
from contextsvc.settings import Settings
from contextsvc.storage.library import Library, LoadedIndex, SearchableCorpus
from contextsvc.wiring import build_embedder, build_index_parts, open_search
from contextsvc.wiring.engine import build_assembler
from tests.fakes.embedder import FakeEmbedder
from tests.world import RETRIEVAL, fake_assembler, fake_parts

NAMES = [f"{first}{second}" for first in "bdfghk" for second in ("ado", "emi", "iru", "opa", "uxe")]
"""30 words that have nothing in common."""


def pages(number: int) -> list[Document]:
    """Pages of one sentence of four words, of which no other page has any."""
    return [
        Document(name, f"{name}one {name}two {name}three {name}four.", title=name) for name in NAMES[:number]
    ]


def calibrated(root: Path, made: list[Document]) -> AnswerCalibration:
    parts = fake_parts()
    build_index(root, "pages", made, parts)
    index = Library(root, FakeEmbedder().fingerprint, open_search).get("pages")
    return calibrate_answers(index, FakeEmbedder(), RETRIEVAL)


def test_questions_that_repeat_the_whole_text_find_it_and_nothing_else(tmp_path: Path) -> None:
    found = calibrated(tmp_path, pages(30))
    # Each question holds all words of its page: coverage 1 of 4 terms, .45 * 4/5 = .36 of the score. The fake
    # embedder adds at most .55; without the page no word is found, and unrelated texts have low cosines.
    assert found.num_questions == 30
    assert found.threshold is not None
    assert FACTOR * 0.36 <= found.threshold <= FACTOR * 0.91
    assert (found.flagged, found.passed) == (0.0, 0.0)


def test_the_threshold_is_a_share_of_a_low_score_rounded_down() -> None:
    # Scores .50, .51, .. .79 with the page and .30, .31, .. without it.
    steps = np.arange(30) / 100
    assert (QUANTILE, FACTOR) == (0.1, 0.9)
    # A tenth of the way through 30 scores lies 2.9 steps above the first: .529; .9 of it is .4761.
    assert calibration_of(steps + 0.5, steps + 0.3) == AnswerCalibration(
        threshold=0.47, num_questions=30, flagged=0.0, passed=13 / 30
    )


def test_too_few_questions_choose_no_threshold(tmp_path: Path) -> None:
    assert calibrated(tmp_path, pages(MIN_QUESTIONS - 1)) == AnswerCalibration(num_questions=19)
    assert calibrated(tmp_path, pages(MIN_QUESTIONS)).threshold is not None


def test_a_chunk_of_few_words_makes_no_question(tmp_path: Path) -> None:
    short = [Document(f"s{n}", f"{name} 12 34 56 {name}.", title="s") for n, name in enumerate(NAMES)]
    assert calibrated(tmp_path, short) == AnswerCalibration(num_questions=0)


def test_the_subject_is_left_out_with_its_copies(tmp_path: Path) -> None:
    # Each page twice: without the copy the question would still be answered.
    twice = [Document(f"{page.doc_id}/{n}", page.text) for page in pages(30) for n in range(2)]
    found = calibrated(tmp_path, twice)
    assert (found.num_questions, found.passed) == (60, 0.0)


def test_a_build_and_an_update_store_the_threshold_of_what_they_publish(tmp_path: Path) -> None:
    parts = replace(fake_parts(), calibrate=lambda index: calibrate_answers(index, FakeEmbedder(), RETRIEVAL))
    few = build_index(tmp_path, "pages", pages(5), parts).manifest
    assert AnswerCalibration.of(few.settings) == AnswerCalibration(num_questions=5)
    more = update_index(tmp_path, "pages", lambda _: Update(pages(30)), parts).manifest
    again = build_index(tmp_path, "other", pages(30), parts).manifest
    index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    expected = calibrate_answers(index, FakeEmbedder(), RETRIEVAL)
    assert expected.threshold is not None
    assert index.answer_calibration == AnswerCalibration.of(more.settings) == expected
    assert again.settings["answerable"] == more.settings["answerable"]
    assert json.loads(json.dumps(asdict(expected))) == more.settings["answerable"]


def test_small_updates_keep_the_threshold_until_one_chunk_in_a_hundred_changed(tmp_path: Path) -> None:
    made: list[int] = []

    def calibrate(index: SearchableCorpus) -> AnswerCalibration:
        made.append(index.corpus.num_chunks)
        return AnswerCalibration(threshold=0.4, num_questions=100)

    parts = replace(fake_parts(), calibrate=calibrate)
    many = [Document(f"d{n}", f"page number {n}", title=f"d{n}") for n in range(250)]
    build_index(tmp_path, "pages", many, parts)
    # One chunk goes and another comes: 2 of 250, then 4 of 250, which is more than 2.5.
    found = [replaced(tmp_path, f"d{n}", parts).num_changed for n in range(3)]
    assert (found, made) == ([2, 0, 2], [250, 250])


def replaced(root: Path, doc_id: str, parts: IndexParts) -> AnswerCalibration:
    """Calibration after an update that replaces one document."""
    update = Update([Document(doc_id, f"another page {doc_id}", title=doc_id)])
    return AnswerCalibration.of(update_index(root, "pages", lambda _: update, parts).manifest.settings)


def test_an_empty_index_can_be_published(tmp_path: Path) -> None:
    parts = replace(fake_parts(), calibrate=lambda index: calibrate_answers(index, FakeEmbedder(), RETRIEVAL))
    build_index(tmp_path, "pages", pages(1), parts)
    empty = update_index(tmp_path, "pages", lambda _: Update(delete=[NAMES[0]]), parts).manifest
    assert AnswerCalibration.of(empty.settings) == AnswerCalibration(num_questions=0)


def test_an_index_of_an_earlier_version_has_no_calibration(index: LoadedIndex) -> None:
    settings = {key: value for key, value in index.manifest.settings.items() if key != "answerable"}
    old = replace(index, manifest=replace(index.manifest, settings=settings))
    assert old.answer_calibration == AnswerCalibration()
    assert fake_assembler(answerable=None).assemble(old, request("snapshot")).answer.threshold == 0.45


HANDBOOK = {
    "Refunds": "| Item | Value |\n|---|---|\n| Max refund | 500 EUR |\n| Refund period | 14 days |",
    "Config": "The server reads its config from `server.yml`. Reload the config with SIGHUP.",
    "Auth": "Clients need an auth token. A token expires after 30 minutes.",
    "Backup": "The admin takes a full copy of the repo every night and keeps seven of them.",
    "Limits": "| Setting | Default | Max |\n|---|---|---|\n| temp | 60 C | 85 C |\n| mem | 2 GB | 16 GB |",
    "Delivery": "Parcels reach you within three working days. Express parcels arrive the next morning.",
    "Staff": "| Name | Dept | Tel |\n|---|---|---|\n| Ada Novak | Sales | 4711 |\n| Ben Ortiz | IT | 4712 |",
    "Installation": "Run the installer as administrator. It needs at least 4 GB of free memory.",
    "Documentation": "The documentation is built with mkdocs and published on every release.",
}


def request(query: str) -> PackRequest:
    return PackRequest(
        index="pages", query=query, budget_tokens=300, max_chunks=1, tokenizer="fake", ordering="relevance"
    )


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> tuple[Assembler, LoadedIndex]:
    """Nine short pages with the real model."""
    settings = replace(Settings.from_env(), root=tmp_path_factory.mktemp("handbook"))
    embedder = build_embedder(settings)
    made = [
        Document(title, f"# {title}\n\n{text}\n", title=title, format="markdown")
        for title, text in HANDBOOK.items()
    ]
    build_index(settings.root, "pages", made, build_index_parts(settings, embedder))
    index = Library(settings.root, embedder.fingerprint, open_search).get("pages")
    return build_assembler(settings, embedder), index


@pytest.mark.model
@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("What is the maximum refund?", "Refunds"),
        ("maximum refund", "Refunds"),
        ("max refund", "Refunds"),
        ("Where is the configuration of the server?", "Config"),
        ("How do I reload the configuration?", "Config"),
        ("configuration file", "Config"),
        ("How long is an authentication token valid?", "Auth"),
        ("What do clients need for authentication?", "Auth"),
        ("How often does the administrator back up the repository?", None),
        ("How many copies of the repository are kept?", "Backup"),
        ("What is the maximum temperature?", "Limits"),
        ("default memory", None),
        ("When does my package arrive?", "Delivery"),
        ("How fast is express shipping?", "Delivery"),
        ("In which department is Ada Novak?", "Staff"),
        ("What is the telephone number of Ben Ortiz?", "Staff"),
        ("install as admin", "Installation"),
        ("How much mem does the installer need?", "Installation"),
        ("docs release", "Documentation"),
    ],
)
def test_abbreviations_other_words_and_short_tables_answer(
    handbook: tuple[Assembler, LoadedIndex], query: str, title: str | None
) -> None:
    assembler, index = handbook
    pack = assembler.assemble(index, replace(request(query), tokenizer="o200k_base"))
    assert pack.answer.answerable, pack.answer
    assert title in (None, pack.chunks[0].candidate.chunk.title)


@pytest.mark.model
@pytest.mark.parametrize(
    "query",
    [
        "What is the maximum speed of a cheetah?",
        "maximum altitude",
        "minimum wage in France",
        "Who painted the ceiling of the chapel?",
        "How do I train a puppy?",
        "What is the capital of Mongolia?",
    ],
)
def test_other_subjects_do_not(handbook: tuple[Assembler, LoadedIndex], query: str) -> None:
    assembler, index = handbook
    assert not assembler.assemble(index, replace(request(query), tokenizer="o200k_base")).answer.answerable
