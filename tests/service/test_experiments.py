"""Experiments with many queries, with numbers that can be worked out."""

from dataclasses import replace
from pathlib import Path

import pytest

from contextsvc.errors import InvalidRequest, SettingError, UserError
from contextsvc.measuring.comparison import Configuration
from contextsvc.measuring.records import Target
from contextsvc.ports import Limits
from contextsvc.records.json import Json
from contextsvc.service.engine import Engine
from contextsvc.service.experiments import (
    Question,
    calibrate,
    compare_configurations,
    drawn_questions,
    serves,
)
from contextsvc.service.views import index_utilization
from contextsvc.settings import Settings
from contextsvc.storage.library import LoadedIndex
from tests.fakes.cache import MemoryCache
from tests.fakes.reader import FakeReader
from tests.world import PAGES, QUERY, fake_engine, fake_measurer

STRANGERS = dict.fromkeys(("Apples", "Pears", "Stars", "Rivers", "Bread", "Copy"), 0.4)
ASKED = Question(QUERY, "every night")
IN_SECOND = Question(QUERY, "new token")
WIDE = Configuration("wide", 2, 200, "relevance")
NARROW = Configuration("narrow", 1, 200, "relevance")
"""`backup` and `restore`, 19 tokens each; and `backup` alone."""


@pytest.fixture
def engine(index: LoadedIndex, tmp_path: Path) -> Engine:
    """Packs of two chunks; placebos add 0.4; what stays the same is measured once."""
    del index  # built, nothing more
    measurer = fake_measurer(FakeReader(STRANGERS), packaged=(), num_placebos=4)
    return fake_engine(tmp_path, MemoryCache(), measurer=measurer, max_chunks=2)


@pytest.fixture
def plain(index: LoadedIndex, tmp_path: Path) -> Engine:
    """Packs of two chunks, the packaged threshold of 0.1."""
    del index
    return fake_engine(tmp_path, MemoryCache(), max_chunks=2)


class Told:
    """Records the rows that an experiment reports."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Json]] = []

    def __call__(self, name: str, row: Json) -> None:
        self.rows.append((name, row))

    @property
    def skipped(self) -> list[tuple[str, str]]:
        return [(name, row["skipped"]) for name, row in self.rows if "skipped" in row]


def test_a_calibration_is_used_from_then_on(engine: Engine) -> None:
    told: list[Json] = []
    (stored,) = calibrate(engine, "pages", [IN_SECOND] * 5, told.append)
    # 4 placebos a pack
    assert [row["num_placebos"] for row in told] == [4, 8, 12, 16, 20]
    assert stored.placebo_effects == (0.4,) * 20
    assert (stored.target_kind, stored.origin) == ("response", "index pages, packs of at most 2 chunks")
    index = engine.library.get("pages")
    pack, _ = engine.assembler.assemble(index, engine.request("pages", QUERY, 200))
    threshold = engine.measured(index, pack, Target("new token", "response"))[0].threshold
    assert (threshold.eps, threshold.calibrated, threshold.num_placebos) == (0.4, True, 20)
    assert not engine.measured(index, pack, None)[0].threshold.calibrated


def test_each_kind_of_target_is_calibrated(engine: Engine) -> None:
    questions = [IN_SECOND, Question(QUERY)] * 5
    assert [c.target_kind for c in calibrate(engine, "pages", questions)] == ["answer", "response"]


def test_200_placebos_are_enough_unless_said_otherwise(engine: Engine) -> None:
    told: list[Json] = []
    (stored,) = calibrate(engine, "pages", [IN_SECOND] * 53, told.append)
    assert (len(stored.placebo_effects), len(told)) == (200, 50)
    (stored,) = calibrate(engine, "pages", [IN_SECOND] * 53, enough=208)
    assert len(stored.placebo_effects) == 208


@pytest.mark.parametrize("questions", [[IN_SECOND] * 4, [Question(QUERY)] * 5 + [IN_SECOND] * 4])
def test_fewer_than_20_are_refused_and_nothing_is_stored(engine: Engine, questions: list[Question]) -> None:
    with pytest.raises(UserError, match="16 placebos of kind 'response' were drawn; at least 20 are needed"):
        calibrate(engine, "pages", questions)
    assert not (engine.library.root / "pages" / "calibrations").exists()


def test_a_question_without_a_pack_is_reported(engine: Engine) -> None:
    told: list[Json] = []
    calibrate(engine, "pages", [Question(" "), *[IN_SECOND] * 5], told.append)
    assert told[0]["skipped"].startswith("the query is empty")


def test_a_question_that_cannot_be_measured_is_reported(engine: Engine) -> None:
    told: list[Json] = []
    calibrate(engine, "pages", [Question(QUERY, " "), *[IN_SECOND] * 5], told.append)
    assert "target is empty" in told[0]["skipped"]


def test_drawn_questions_ask_with_a_sentence_and_answer_with_the_next(index: LoadedIndex) -> None:
    questions = drawn_questions(index.corpus, 100, seed=0)
    assert sorted(f"{q.query} {q.response}" for q in questions) == sorted(PAGES.values())
    assert drawn_questions(index.corpus, 3, seed=0) == questions[:3]
    assert drawn_questions(index.corpus, 0, seed=0) == []
    assert {tuple(drawn_questions(index.corpus, 3, seed)) for seed in range(5)} != {tuple(questions[:3])}


def test_the_narrow_configuration_is_recommended_if_it_loses_nothing(plain: Engine) -> None:
    # 59 queries without a loss: with 95 % confidence fewer than 5 % lose.
    found = compare_configurations(plain, "pages", [ASKED] * 59, [WIDE, NARROW])
    assert (found.widest, found.recommended) == ("wide", "narrow")
    wide, narrow = found.results
    assert (wide.tokens, narrow.tokens) == (38, 19)
    assert (wide.quality, narrow.quality) == (-1.0, -1.0)
    assert (wide.score, narrow.score) == (0.5, 1.0)
    assert narrow.against_widest.num_losses == 0
    assert found.margin == pytest.approx(0.1)
    assert "50 % fewer than 'wide'" in found.reason


def test_the_narrow_configuration_loses_if_it_lacks_the_answer(plain: Engine) -> None:
    # "new token" stands in the second chunk: -3 instead of -1. All of 59 lose.
    found = compare_configurations(plain, "pages", [IN_SECOND] * 59, [WIDE, NARROW])
    assert (found.recommended, found.reason[:42]) == (None, "every cheaper configuration loses quality,")
    narrow = found.result("narrow")
    assert (narrow.quality, narrow.against_widest.num_losses) == (-3.0, 59)
    assert narrow.share_dependent == 0.0


def test_one_query_is_not_enough_evidence(plain: Engine) -> None:
    found = compare_configurations(plain, "pages", [ASKED], [WIDE, NARROW])
    assert found.recommended is None
    assert found.reason.startswith("not enough evidence: 1 queries, 59 are needed")
    assert found.result("narrow").against_widest.num_needed == 59


def test_the_margin_is_the_threshold(index: LoadedIndex, tmp_path: Path) -> None:
    # The second chunk adds 0.1: as much as the threshold, which is no loss. At 0.2 every query loses.
    for effect, num_losses in ((0.1, 0), (0.2, 2)):
        engine = fake_engine(tmp_path, measurer=fake_measurer(FakeReader({"Restore": effect})))
        found = compare_configurations(engine, index.name, [ASKED] * 2, [WIDE, NARROW])
        assert found.result("narrow").against_widest.num_losses == num_losses


def test_the_readers_answer_under_the_first_configuration_is_the_target_of_all(plain: Engine) -> None:
    # In order of documents "apples" leads the wide pack; the best match, "restore", is the narrow one.
    first, told = replace(WIDE, ordering="document"), Told()
    asked = [Question("restore new token apples")]
    found = compare_configurations(plain, "pages", asked, [first, NARROW], told)
    assert [(name, row["utilization"]["target"]) for name, row in told.rows] == [
        ("wide", "Apples\nApples ripen in autumn"),
        ("narrow", "Apples\nApples ripen in autumn"),
    ]
    assert [row["pack"]["chunks"][0]["doc_id"] for _, row in told.rows] == ["apples", "restore"]
    assert [result.quality for result in found.results] == [-1.0, -3.0]
    assert {t.target_kind for t in found.thresholds} == {"answer"}


def test_a_query_that_one_configuration_refuses_is_left_out_of_all(plain: Engine) -> None:
    # One chunk takes 19 tokens: none fits 10.
    tight, told = replace(NARROW, name="tight", budget_tokens=10), Told()
    with pytest.raises(UserError, match="no query gave a pack to measure under every configuration"):
        compare_configurations(plain, "pages", [ASKED], [WIDE, tight], told)
    ((name, reason),) = told.skipped
    assert name == "tight"
    assert "10" in reason


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(NARROW, budget_tokens=0), "budget_tokens is 0; expected 1 to"),
        (replace(NARROW, max_chunks=65), "max_chunks is 65; expected 1 to 64"),
    ],
)
def test_a_configuration_out_of_range_is_refused_before_a_query_is_packed(
    plain: Engine, wrong: Configuration, why: str
) -> None:
    told = Told()
    with pytest.raises(InvalidRequest, match=why):
        compare_configurations(plain, "pages", [ASKED], [WIDE, wrong], told)
    assert told.skipped == []


def test_queries_stay_paired_if_some_are_skipped(plain: Engine) -> None:
    told = Told()
    questions = [ASKED, Question(" "), Question(QUERY, " "), Question("bread crust", "turns brown")]
    found = compare_configurations(plain, "pages", questions, [WIDE, NARROW], told)
    assert [result.num_queries for result in found.results] == [2, 2]
    assert [name for name, _ in told.skipped] == ["wide", "wide"]


def test_a_partial_measurement_counts_with_its_quality_but_has_no_score(
    index: LoadedIndex, tmp_path: Path
) -> None:
    engine = fake_engine(tmp_path, measurer=fake_measurer(limits=Limits(calls=3)))
    found = compare_configurations(engine, index.name, [ASKED], [WIDE])
    assert (found.results[0].quality, found.results[0].score, found.results[0].num_unscored) == (
        -1.0,
        None,
        1,
    )


def test_the_summary_of_the_services_configuration_is_stored(plain: Engine) -> None:
    index = plain.library.get("pages")
    compare_configurations(plain, "pages", [ASKED], [NARROW])
    assert index_utilization(index.name, index.folder, index.generation)["score"] is None
    compare_configurations(plain, "pages", [ASKED, Question(QUERY, "zebras")], [WIDE, NARROW])
    stored = index_utilization(index.name, index.folder, index.generation)
    # half of the pack for the first; the second does not depend on it
    assert (stored["score"], stored["strict_score"], stored["num_queries"]) == (0.25, 0.25, 2)
    assert (stored["share_dependent"], stored["share_sufficient"]) == (0.5, 1.0)
    assert (stored["num_placebos"], stored["placebo_rate"]) == (4, 0.0)


def test_which_configuration_is_that_of_the_service() -> None:
    settings = Settings(max_chunks=2, ordering="edges")
    edges = replace(WIDE, ordering="edges")
    assert [serves(settings, c) for c in (edges, WIDE, replace(edges, max_chunks=3))] == [True, False, False]


def test_no_calibration_without_placebos(index: LoadedIndex, tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, measurer=fake_measurer(num_placebos=0))
    with pytest.raises(SettingError, match="CONTEXTSVC_NUM_PLACEBOS is 0; expected 1 or more"):
        calibrate(engine, index.name, [ASKED])
