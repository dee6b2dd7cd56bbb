"""Measuring, with a reader whose numbers can be worked out: -1 with the target in a kept chunk, else -3."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.adapters.language_models.lasso import lasso_contributions
from contextsvc.errors import InvalidRequest
from contextsvc.measuring.calibration import store_calibration
from contextsvc.measuring.measurer import INDEPENDENT, used_chunks
from contextsvc.measuring.records import FEWEST_PLACEBOS, Target, Utilization
from contextsvc.ports import Limits
from contextsvc.ports.reading import Cost
from contextsvc.records.documents import Document
from contextsvc.records.packs import ContextPack
from contextsvc.records.requests import PackRequest
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reader import FakeReader
from tests.world import (
    BACKUP_ONLY,
    NOWHERE,
    QUERY,
    calibrations,
    fake_assembler,
    fake_measurer,
    fake_pack,
    open_pages,
)

ASK = PackRequest(
    index="pages", query=QUERY, budget_tokens=200, max_chunks=2, tokenizer="fake", ordering="relevance"
)
NEW_TOKEN = Target("new token", "response")
STRANGERS = ("Apples", "Pears", "Stars", "Rivers", "Bread")
TITLES = ("Backup", "Restore", *STRANGERS)


@pytest.fixture(scope="module")
def pages_index(tmp_path_factory: pytest.TempPathFactory) -> LoadedIndex:
    return open_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def pack(index: LoadedIndex) -> ContextPack:
    """`backup` and `restore`, 19 tokens each."""
    return fake_assembler().assemble(index, ASK)


@pytest.fixture
def twins(index: LoadedIndex) -> ContextPack:
    """The chunk that holds the answer twice, and another: 19 tokens each."""
    return fake_pack(index, "backup", "restore", "copy")


def verdicts(found: Utilization) -> list[tuple[str, float | None]]:
    return [(v.verdict, v.effect) for v in found.verdicts]


def test_the_chunk_that_holds_the_response_is_live(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer().measure(index, pack, BACKUP_ONLY)
    assert verdicts(found) == [("live", 2.0), ("dead", 0.0)]
    assert [(v.necessity, v.num_tokens, v.group) for v in found.verdicts] == [
        (2.0, 19, None),
        (0.0, 19, None),
    ]
    assert (found.score, found.strict_score, found.interval) == (0.5, 0.5, (0.5, 0.5))
    assert (found.target, found.target_kind, found.note) == ("every night", "response", "")
    assert (found.outcome, found.sentences) == ("log-probability", ())
    assert found.method == "least squares of one removed, one alone, 4 subsets, 2 placebos"


def test_the_controls_by_hand(index: LoadedIndex, pack: ContextPack) -> None:
    controls = fake_measurer().measure(index, pack, BACKUP_ONLY).controls
    assert (controls.full, controls.no_context, controls.live_only) == (-1.0, -3.0, -1.0)
    assert controls.depends_on_context is controls.sufficient is True
    assert (controls.placebo_effects, controls.num_placebos_live) == ((0.0, 0.0), 0)


def test_two_copies_of_the_answer_are_redundant_where_leave_one_out_calls_both_useless(
    index: LoadedIndex, twins: ContextPack
) -> None:
    found = fake_measurer().measure(index, twins, BACKUP_ONLY)
    assert verdicts(found) == [("redundant", 2.0), ("dead", 0.0), ("redundant", 2.0)]
    assert [v.group for v in found.verdicts] == [0, None, 0]
    assert (found.score, found.strict_score) == (19 / 57, 0.0)
    assert used_chunks(found.verdicts) == [True, False, False]
    assert (found.controls.live_only, found.controls.sufficient) == (-1.0, True)
    assert [(v.necessity or 0.0) > found.threshold.eps for v in found.verdicts] == [False] * 3


def test_a_copy_that_is_necessary_is_live_and_represents_the_other(
    index: LoadedIndex, twins: ContextPack
) -> None:
    # The title of one copy adds 3.0 that no other chunk has: together the copies add 5.0, and the half
    # of that is what another copy may be missed by.
    found = fake_measurer(FakeReader({"Copy": 3.0})).measure(index, twins, BACKUP_ONLY)
    assert verdicts(found) == [("redundant", 5.0), ("dead", 0.0), ("live", 5.0)]
    assert [v.necessity for v in found.verdicts] == [0.0, 0.0, 3.0]
    assert used_chunks(found.verdicts) == [False, False, True]
    assert found.score == found.strict_score == 19 / 57


def test_live_chunks_that_do_not_hold_the_quality_are_not_sufficient(index: LoadedIndex) -> None:
    # 0.08 and 0.06 are below the threshold of 0.1, each by itself; without both 0.14 is lost.
    reader = FakeReader({"Restore": 0.08, "Stars": 0.06})
    found = fake_measurer(reader).measure(index, fake_pack(index, "backup", "restore", "stars"), BACKUP_ONLY)
    assert [v.verdict for v in found.verdicts] == ["live", "dead", "dead"]
    assert (found.controls.live_only, found.controls.sufficient) == (-1.0, False)


def test_a_chunk_that_lowers_the_likelihood_is_harmful(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer(FakeReader({"new token": -0.5})).measure(index, pack, BACKUP_ONLY)
    assert verdicts(found) == [("live", 2.0), ("harmful", -0.5)]
    assert (found.score, found.controls.full, found.controls.live_only) == (0.5, -1.5, -1.0)
    assert found.controls.sufficient


def test_an_answer_that_needs_no_context_uses_none(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer().measure(index, pack, NOWHERE)
    assert (found.score, found.strict_score, found.interval) == (0.0, 0.0, (0.0, 0.0))
    assert (found.note, found.controls.depends_on_context) == (INDEPENDENT, False)
    assert (found.controls.live_only, found.controls.sufficient) == (None, None)


def test_live_chunks_do_not_count_if_others_cancel_them(index: LoadedIndex, pack: ContextPack) -> None:
    # 2 from one chunk, -2 from the other: the pack as a whole gains nothing.
    found = fake_measurer(FakeReader({"new token": -2.0})).measure(index, pack, BACKUP_ONLY)
    assert verdicts(found) == [("live", 2.0), ("harmful", -2.0)]
    assert (found.score, found.note) == (0.0, INDEPENDENT)


def test_the_interval_is_the_score_at_both_ends_of_the_threshold(
    index: LoadedIndex, pack: ContextPack
) -> None:
    # 10 of 200 placebos at 0.5, and the 196th is the threshold. The 95th percentile of resamples with
    # fewer than 10 is 0.
    measurer = fake_measurer(FakeReader({"Restore": 0.3}))
    spread = replace(measurer, packaged=calibrations(measurer, [0.0] * 190 + [0.5] * 10))
    found = spread.measure(index, pack, BACKUP_ONLY)
    assert (found.threshold.low, found.threshold.high) == (0.0, 0.5)
    assert found.threshold.eps == 0.5
    assert verdicts(found) == [("live", 2.0), ("dead", 0.3)]
    assert (found.score, found.interval) == (0.5, (0.5, 1.0))


def test_a_placebo_that_helps_is_counted(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer(FakeReader(dict.fromkeys(STRANGERS, 0.4))).measure(index, pack, BACKUP_ONLY)
    assert (found.controls.placebo_effects, found.controls.num_placebos_live) == ((0.4, 0.4), 2)
    assert verdicts(found) == [("live", 2.0), ("dead", 0.0)]


def test_the_lasso_of_the_service_gives_the_same_verdicts(index: LoadedIndex, twins: ContextPack) -> None:
    found = fake_measurer(fit=lasso_contributions).measure(index, twins, BACKUP_ONLY)
    assert [v.verdict for v in found.verdicts] == ["redundant", "dead", "redundant"]
    # The penalty takes 0.01 over the variance of the column, which is 1/4 at most.
    assert 1.8 < (found.verdicts[0].effect or 0.0) <= 1.96
    assert found.verdicts[1].effect == 0.0
    assert found.score == 19 / 57


def test_without_a_response_the_reader_writes_one(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer().measure(index, pack, None)
    # the first unit's first sentence, its heading line included
    assert found.target == "Backup\nTake a snapshot of the cluster every night"
    assert found.target_kind == "answer"
    assert [v.verdict for v in found.verdicts] == ["live", "dead"]


def test_the_cost_is_what_the_reader_did(index: LoadedIndex, pack: ContextPack) -> None:
    measurer = fake_measurer(num_subsets=0)
    # all, none, each of two without the other; two placebos, in the pack and alone; then the live chunk,
    # which is a mask tried before but in a call of its own
    assert measurer.measure(index, pack, BACKUP_ONLY).cost.reader_calls == 4 + 4 + 1
    assert measurer.measure(index, pack, None).cost.reader_calls == 1 + 4 + 4 + 1
    # Each unit has 14 words, its title's included, query and target 6: 34 + 6 + 20 + 20, and 20 alone.
    assert (
        fake_measurer(num_placebos=0, num_subsets=0).measure(index, pack, BACKUP_ONLY).cost.reader_tokens
        == 100
    )


def test_the_same_seed_gives_the_same_measurement_but_for_the_clock(
    index: LoadedIndex, pack: ContextPack
) -> None:
    reader = FakeReader({"Apples": 0.3, "Pears": -0.3, "Stars": 0.2, "Rivers": 0.1})

    def measured(seed: int) -> Utilization:
        found = fake_measurer(reader, seed=seed).measure(index, pack, BACKUP_ONLY, sentences=True)
        return replace(found, cost=replace(found.cost, seconds=0.0))

    assert measured(1) == measured(1)
    assert len({measured(seed).controls.placebo_effects for seed in range(8)}) > 1


def test_sentences_are_measured_on_request(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer().measure(index, pack, BACKUP_ONLY, sentences=True)
    assert [(s.start, s.end, s.verdict) for s in found.sentences] == [(0, 43, "live"), (44, 70, "dead")]
    plain = fake_measurer().measure(index, pack, BACKUP_ONLY)
    assert found.cost.reader_calls > plain.cost.reader_calls
    cleared = {"sentences": (), "cost": Cost()}
    assert replace(found, **cleared) == replace(plain, **cleared)  # type: ignore[arg-type]


def test_a_filtered_pack_in_a_tiny_index_is_measured(build: Build, tmp_path: Path) -> None:
    build([Document("a", "Red apple grows."), Document("b", "Blue sky shines."), Document("c", "Red sky.")])
    tiny = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    both = json.dumps({"field": "doc_id", "in": ["a", "b"]})
    pack = fake_assembler().assemble(tiny, replace(ASK, query="red apple blue sky", filters=both))
    found = fake_measurer().measure(tiny, pack, Target("Red apple", "response"))
    assert len(found.controls.placebo_effects) == 2


def test_an_empty_response_is_refused(index: LoadedIndex, pack: ContextPack) -> None:
    with pytest.raises(InvalidRequest, match="target is empty"):
        fake_measurer().measure(index, pack, Target(" ", "response"))


def test_an_empty_pack_has_nothing_to_use(index: LoadedIndex) -> None:
    nowhere = replace(ASK, filters='{"field": "doc_id", "eq": "nowhere"}')
    found = fake_measurer().measure(index, fake_assembler().assemble(index, nowhere), NOWHERE)
    assert (found.score, found.verdicts) == (0.0, ())


def test_placebo_effects_for_a_calibration(index: LoadedIndex, pack: ContextPack) -> None:
    reader = FakeReader(dict.fromkeys((*STRANGERS, "Copy"), 0.4))
    assert fake_measurer(reader).placebo_effects(index, pack, NEW_TOKEN) == ((0.4, 0.4), "response")
    effects, kind = fake_measurer(reader, num_placebos=FEWEST_PLACEBOS).placebo_effects(index, pack, None)
    assert (len(effects), kind) == (20, "answer")


@given(
    effects=st.dictionaries(st.sampled_from(TITLES), st.integers(-300, 300), max_size=5),
    pages=st.lists(st.sampled_from(["backup", "restore", *map(str.lower, STRANGERS)]), unique=True),
)
@settings(max_examples=60, deadline=None)
def test_additive_effects_are_found_and_scores_are_shares(
    pages_index: LoadedIndex, effects: dict[str, int], pages: list[str]
) -> None:
    measurer = fake_measurer(FakeReader({title: effect / 100 for title, effect in effects.items()}))
    found = measurer.measure(pages_index, fake_pack(pages_index, *pages), NEW_TOKEN)
    added = {page: effects.get(page.title(), 0) / 100 + 2.0 * (page == "restore") for page in pages}
    assert [v.effect for v in found.verdicts] == pytest.approx(list(added.values()), abs=1e-5)
    assert found.score is not None
    assert found.strict_score == found.score  # no page has a near-duplicate here
    assert 0 <= found.interval[0] <= found.score <= found.interval[1] <= 1
    # Beyond nothing and beyond a page from elsewhere; away from the threshold, where rounding decides.
    gain = sum(added.values()) - max([0.0, *found.controls.placebo_effects])
    if abs(gain - 0.1) > 1e-5:
        assert found.controls.depends_on_context == (gain > 0.1)


def test_a_target_that_an_unrelated_chunk_helps_as_much_is_independent(
    index: LoadedIndex, pack: ContextPack
) -> None:
    # Any chunk at all makes the target likelier by 1; the pack does no more than that.
    reader = FakeReader(dict.fromkeys((*STRANGERS, "Copy", "Backup"), 1.0))
    found = fake_measurer(reader).measure(index, pack, NOWHERE)
    assert (found.controls.full, found.controls.no_context, found.controls.unrelated) == (-2.0, -3.0, -2.0)
    assert (found.score, found.controls.depends_on_context, found.note) == (0.0, False, INDEPENDENT)


def test_each_setting_of_a_measurer_changes_its_configuration(index: LoadedIndex) -> None:
    base = fake_measurer().configuration(index)
    assert base == fake_measurer().configuration(index)
    changes: list[Callable[[], str]] = [
        lambda: fake_measurer(FakeReader(name="other")).configuration(index),
        lambda: fake_measurer(num_placebos=3).configuration(index),
        lambda: fake_measurer(num_subsets=5).configuration(index),
        lambda: fake_measurer(seed=1).configuration(index),
        lambda: fake_measurer(fit=lasso_contributions).configuration(index),
        lambda: fake_measurer(near_duplicate_similarity=0.9).configuration(index),
        lambda: fake_measurer(limits=Limits(calls=9)).configuration(index),
        lambda: fake_measurer(packaged=()).configuration(index),
    ]
    found = {change() for change in changes}
    assert len(found) == len(changes)
    assert base not in found
    store_calibration(index.folder, index.generation, calibrations(fake_measurer(), [0.2] * 20)[0])
    assert fake_measurer().configuration(index) not in found | {base}
