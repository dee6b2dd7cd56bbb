"""Measuring, with a reader whose numbers can be worked out: -1 with the target in a kept chunk, else -3."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from contextsvc.errors import InvalidRequest
from contextsvc.library import Library, LoadedIndex
from contextsvc.measuring import INDEPENDENT, Measurer, _with_placebos, summarise
from contextsvc.records import ContextPack, Document
from contextsvc.requests import PackRequest
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reader import FakeReader
from tests.world import fake_assembler, fake_measurer

ASK = PackRequest("pages", "snapshot of the cluster", 200, 2, "fake", "relevance")
BACKUP_ONLY = "every night"  # stands in "backup" and "copy" alone, and copies are left out of packs
NOWHERE = "zebras"


@pytest.fixture
def pack(index: LoadedIndex) -> ContextPack:
    return fake_assembler().assemble(index, ASK)


def test_the_chunk_that_holds_the_response_is_live(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer().measure(index, pack, BACKUP_ONLY)
    first, second = pack.chunks
    assert [(v.verdict, v.effect) for v in found.verdicts] == [("live", 2.0), ("dead", 0.0)]
    assert found.score == first.num_tokens / (first.num_tokens + second.num_tokens)
    assert (found.target, found.target_kind, found.note) == (BACKUP_ONLY, "response", "")


def test_the_controls_by_hand(index: LoadedIndex, pack: ContextPack) -> None:
    controls = fake_measurer().measure(index, pack, BACKUP_ONLY).controls
    assert (controls.full, controls.no_context, controls.live_only) == (-1.0, -3.0, -1.0)
    assert controls.depends_on_context
    assert controls.sufficient
    assert (controls.placebo_effects, controls.num_placebos_live) == ((0.0, 0.0), 0)


def test_an_answer_that_needs_no_context_uses_none(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer().measure(index, pack, NOWHERE)
    assert (found.score, found.interval, found.note) == (0.0, (0.0, 0.0), INDEPENDENT)
    assert found.controls.live_only is None


def test_a_chunk_that_lowers_the_likelihood_is_harmful(index: LoadedIndex, pack: ContextPack) -> None:
    measurer = fake_measurer(FakeReader(effects={"new token": -0.5}))
    found = measurer.measure(index, pack, BACKUP_ONLY)
    assert [(v.verdict, v.effect) for v in found.verdicts] == [("live", 2.0), ("harmful", -0.5)]
    assert found.controls.sufficient  # without the harmful chunk the answer only gets likelier


def test_a_placebo_that_helps_is_counted(index: LoadedIndex, pack: ContextPack) -> None:
    reader = FakeReader(effects=dict.fromkeys(("Apples", "Pears", "Stars", "Rivers", "Bread"), 0.4))
    controls = fake_measurer(reader).measure(index, pack, BACKUP_ONLY).controls
    assert controls.num_placebos_live == 2


def test_without_a_response_the_reader_writes_one(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer().measure(index, pack, None)
    # the first unit's first sentence, its heading line included
    assert found.target == "[1] Backup\nTake a snapshot of the cluster every night"
    assert found.target_kind == "answer"
    assert found.verdicts[0].verdict == "live"


def test_the_cost_is_what_the_reader_did(index: LoadedIndex, pack: ContextPack) -> None:
    # all, none, two left out, two placebos, and the live chunk alone, which is a mask tried before
    # but in a call of its own
    assert fake_measurer().measure(index, pack, BACKUP_ONLY).cost.reader_calls == 7
    assert fake_measurer().measure(index, pack, None).cost.reader_calls == 8


def test_an_uncalibrated_reader_draws_its_threshold_in_the_pack(
    index: LoadedIndex, pack: ContextPack
) -> None:
    found = Measurer(FakeReader(), {}, num_placebos=2, seed=0).measure(index, pack, BACKUP_ONLY)
    # 8 chunks less the 2 of the pack: 6 strangers, some drawn more than once
    assert "not calibrated" in found.threshold.origin
    assert 1 <= found.threshold.num_placebos <= 6
    assert len(found.controls.placebo_effects) == 2


def test_an_index_without_strangers_has_no_placebo(build: Build, tmp_path: Path) -> None:
    build([Document("only", "Take a snapshot of the cluster every night.")])
    alone = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    found = Measurer(FakeReader(), {}, 2, 0).measure(
        alone, fake_assembler().assemble(alone, ASK), BACKUP_ONLY
    )
    assert found.threshold.num_placebos == 0
    assert found.score == 1.0


def test_the_same_seed_draws_the_same_placebos(index: LoadedIndex, pack: ContextPack) -> None:
    reader = FakeReader(effects={"Apples": 0.3, "Pears": -0.3, "Stars": 0.2, "Rivers": 0.1})

    def effects(seed: int) -> tuple[float, ...]:
        return fake_measurer(reader, seed=seed).measure(index, pack, BACKUP_ONLY).controls.placebo_effects

    assert effects(1) == effects(1)
    assert len({effects(seed) for seed in range(8)}) > 1


def test_a_filtered_pack_in_a_tiny_index_is_measured(build: Build, tmp_path: Path) -> None:
    build([Document("a", "Red apple grows."), Document("b", "Blue sky shines."), Document("c", "Red sky.")])
    tiny = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    both = json.dumps({"field": "doc_id", "in": ["a", "b"]})
    pack = fake_assembler().assemble(tiny, replace(ASK, query="red apple blue sky", filters=both))
    found = fake_measurer().measure(tiny, pack, "Red apple")
    assert len(found.controls.placebo_effects) == 2


def test_placebos_lie_at_other_places_in_other_packs() -> None:
    gaps = {_with_placebos(["a", "b", "c"], ["x", "y"], [0, pack]).units.index("x") for pack in range(20)}
    assert len(gaps) > 2


def test_an_empty_response_is_refused(index: LoadedIndex, pack: ContextPack) -> None:
    with pytest.raises(InvalidRequest, match="target is empty"):
        fake_measurer().measure(index, pack, " ")


def test_an_empty_pack_has_nothing_to_use(index: LoadedIndex) -> None:
    nowhere = replace(ASK, filters='{"field": "doc_id", "eq": "nowhere"}')
    found = fake_measurer().measure(index, fake_assembler().assemble(index, nowhere), "Anything.")
    assert (found.score, found.verdicts) == (0.0, ())


def test_a_summary_by_hand(index: LoadedIndex, pack: ContextPack) -> None:
    measurer = fake_measurer()
    both = [measurer.measure(index, pack, text) for text in (BACKUP_ONLY, NOWHERE)]
    summary = summarise(index.generation, both, seed=0)
    assert summary.score == both[0].score / 2
    assert (summary.num_queries, summary.share_dependent, summary.share_sufficient) == (2, 0.5, 1.0)
    assert (summary.num_placebos, summary.placebo_rate) == (4, 0.0)
    assert summary.cost.reader_calls == 7 + 6


def test_a_summary_of_uncalibrated_packs_says_so(index: LoadedIndex, pack: ContextPack) -> None:
    other = fake_assembler().assemble(index, replace(ASK, query="ripe apples and pears"))
    # any word that a placebo can bring moves the score, so that the thresholds differ
    reader = FakeReader(effects={"Apples": 0.3, "Pears": 0.2, "Stars": 0.1, "Rivers": 0.4, "Restore": 0.5})
    measurer = Measurer(reader, {}, num_placebos=0, seed=0)
    both = [measurer.measure(index, each, "every night") for each in (pack, other)]
    (threshold,) = summarise(index.generation, both, seed=0).thresholds.values()
    assert threshold.eps == (both[0].threshold.eps + both[1].threshold.eps) / 2
    assert threshold.origin.startswith("mean of 2 thresholds")


def test_what_changes_a_measurement_changes_its_configuration() -> None:
    base = fake_measurer().configuration
    other = [
        fake_measurer(FakeReader(name="other")),
        fake_measurer(num_placebos=3),
        fake_measurer(seed=1),
        replace(fake_measurer(), thresholds={}),
    ]
    assert base == fake_measurer().configuration
    assert base not in {measurer.configuration for measurer in other}
