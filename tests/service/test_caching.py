"""Caching: hits, and all that must make a miss."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contextsvc.adapters.language_models.lasso import lasso_contributions
from contextsvc.errors import Fault, UnknownPack
from contextsvc.measuring.calibration import store_calibration
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.records import Target
from contextsvc.ports import NO_LIMITS, Limits, Prompt, Scores
from contextsvc.records.arrays import BoolArray
from contextsvc.records.documents import Document
from contextsvc.records.requests import PackRequest
from contextsvc.service.caching import CachedAssembler, CachedEmbedder, CachedMeasurer, cache_key
from contextsvc.service.slots import GaveWay
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reader import FakeReader
from tests.world import BACKUP_ONLY, calibrations, documents, fake_assembler, fake_measurer

ASK = PackRequest(
    index="pages",
    query="snapshot of the cluster",
    budget_tokens=200,
    max_chunks=2,
    tokenizer="fake",
    ordering="relevance",
)


def test_keys_do_not_collide() -> None:
    assert cache_key("a", "b", "c") != cache_key("a", "bc")
    assert cache_key("a", "b") != cache_key("b", "b")


def test_a_query_is_embedded_once() -> None:
    embedder = FakeEmbedder()
    cached = CachedEmbedder(embedder, MemoryCache())
    first = cached.embed_queries(["x", "y"])
    np.testing.assert_array_equal(cached.embed_queries(["y", "x"]), first[::-1])
    assert embedder.calls == [1, 1]


def test_another_embedder_does_not_see_the_vector() -> None:
    cache, other = MemoryCache(), FakeEmbedder(fingerprint="other")
    CachedEmbedder(FakeEmbedder(), cache).embed_queries(["x"])
    CachedEmbedder(other, cache).embed_queries(["x"])
    assert other.calls == [1]


def test_a_damaged_vector_is_a_miss() -> None:
    cache, embedder = MemoryCache(), FakeEmbedder()
    cache.put(cache_key("query-vector", str(embedder.fingerprint), "x"), b"short")
    vector = CachedEmbedder(embedder, cache).embed_queries(["x"])
    np.testing.assert_array_equal(vector, FakeEmbedder().embed_queries(["x"]))


def test_a_pack_is_found_again_by_request_and_by_id(index: LoadedIndex) -> None:
    cached = CachedAssembler(fake_assembler(), MemoryCache())
    (first, miss), (second, hit) = cached.assemble(index, ASK), cached.assemble(index, ASK)
    assert (miss, hit) == ("miss", "hit")
    assert first == second == cached.pack(first.pack_id)


def test_a_changed_request_setting_or_generation_is_a_miss(
    index: LoadedIndex, build: Build, tmp_path: Path
) -> None:
    cache = MemoryCache()
    CachedAssembler(fake_assembler(), cache).assemble(index, ASK)
    assert CachedAssembler(fake_assembler(), cache).assemble(index, replace(ASK, trim=True))[1] == "miss"
    wider = CachedAssembler(fake_assembler(diversity_weight=0.5), cache)
    assert wider.assemble(index, ASK)[1] == "miss"
    assert (
        CachedAssembler(fake_assembler(), cache).assemble(index, replace(ASK, budget_tokens=201))[1] == "miss"
    )
    build([*documents(), Document("new", "A snapshot of another cluster.")])
    grown = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    pack, state = CachedAssembler(fake_assembler(), cache).assemble(grown, ASK)
    assert (state, pack.generation) == ("miss", grown.generation)


def test_an_unknown_pack_says_how_to_get_one() -> None:
    for cache in (MemoryCache(), None):
        with pytest.raises(UnknownPack, match="POST /v1/context"):
            CachedAssembler(fake_assembler(), cache).pack("nope")


def test_without_a_cache_the_answer_says_off(index: LoadedIndex) -> None:
    assert CachedAssembler(fake_assembler(), None).assemble(index, ASK)[1] == "off"


def test_a_damaged_pack_is_made_again(index: LoadedIndex) -> None:
    cache = MemoryCache()
    cached = CachedAssembler(fake_assembler(), cache)
    pack, _ = cached.assemble(index, ASK)
    for key in list(cache._values):
        cache.put(key, b'{"query": 1}')
    assert cached.assemble(index, ASK) == (pack, "miss")


def test_a_measurement_is_made_once_and_its_model_loaded_when_needed(index: LoadedIndex) -> None:
    built: list[str] = []

    def build_measurer() -> Measurer:
        built.append("measurer")
        return fake_measurer()

    cached = CachedMeasurer(build_measurer, MemoryCache())
    pack = fake_assembler().assemble(index, ASK)
    assert (cached.last(pack.pack_id), built) == (None, [])
    assert cached.known(index, pack, BACKUP_ONLY) is None
    first, miss = cached.measure(index, pack, BACKUP_ONLY)
    second, hit = cached.measure(index, pack, BACKUP_ONLY)
    assert (miss, hit, built) == ("miss", "hit", ["measurer"])
    assert first == second == cached.last(pack.pack_id) == cached.known(index, pack, BACKUP_ONLY)


def test_sentences_another_response_or_its_kind_are_measured_anew(index: LoadedIndex) -> None:
    cached = CachedMeasurer(fake_measurer, MemoryCache())
    pack = fake_assembler().assemble(index, ASK)
    cached.measure(index, pack, BACKUP_ONLY)
    assert cached.measure(index, pack, BACKUP_ONLY, sentences=True)[1] == "miss"
    assert cached.measure(index, pack, Target("every nigh", "response"))[1] == "miss"
    assert cached.measure(index, pack, Target("every night", "answer"))[1] == "miss"
    assert cached.measure(index, pack, None)[1] == "miss"


@pytest.mark.parametrize(
    "other",
    [
        lambda: fake_measurer(FakeReader(name="other")),
        lambda: fake_measurer(FakeReader(effects={"Backup": 0.1})),
        lambda: fake_measurer(fit=lasso_contributions),
        lambda: fake_measurer(num_subsets=9),
        lambda: fake_measurer(packaged=()),
        lambda: fake_measurer(seed=1),
    ],
    ids=["reader", "prompt", "fit", "subsets", "calibration", "seed"],
)
def test_another_measurer_never_uses_the_measurement(
    index: LoadedIndex, other: Callable[[], Measurer]
) -> None:
    # A reader's prompt is part of its fingerprint, as the fake's effects are.
    cache = MemoryCache()
    pack = fake_assembler().assemble(index, ASK)
    CachedMeasurer(fake_measurer, cache).measure(index, pack, BACKUP_ONLY)
    changed = CachedMeasurer(other, cache)
    assert changed.measurer
    assert changed.known(index, pack, BACKUP_ONLY) is None
    assert changed.measure(index, pack, BACKUP_ONLY)[1] == "miss"


def test_a_calibration_makes_every_measurement_of_its_generation_stale(index: LoadedIndex) -> None:
    cached = CachedMeasurer(fake_measurer, MemoryCache())
    pack = fake_assembler().assemble(index, ASK)
    before, _ = cached.measure(index, pack, BACKUP_ONLY)
    for eps in (0.2, 0.3):
        store_calibration(index.folder, index.generation, calibrations(fake_measurer(), [eps] * 20)[0])
        after, state = cached.measure(index, pack, BACKUP_ONLY)
        assert (state, after.threshold.eps) == ("miss", eps)
    assert before.threshold.eps == 0.1


def test_another_generation_of_the_same_documents_is_measured_anew(
    index: LoadedIndex, build: Build, tmp_path: Path
) -> None:
    cached = CachedMeasurer(fake_measurer, MemoryCache())
    build([*documents(), Document("new", "Tides follow the moon.")])
    grown = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    old, new = (fake_assembler().assemble(each, ASK) for each in (index, grown))
    assert old.text == new.text
    cached.measure(index, old, BACKUP_ONLY)
    assert cached.measure(grown, new, BACKUP_ONLY)[1] == "miss"


def test_a_partial_measurement_is_shown_but_not_used_again(index: LoadedIndex) -> None:
    limited = fake_measurer(limits=Limits(calls=3))
    cached = CachedMeasurer(lambda: limited, MemoryCache())
    pack = fake_assembler().assemble(index, ASK)
    first, _ = cached.measure(index, pack, BACKUP_ONLY)
    assert first.score is None
    assert cached.known(index, pack, BACKUP_ONLY) is None
    assert cached.measure(index, pack, BACKUP_ONLY)[1] == "miss"
    shown = cached.last(pack.pack_id)
    assert shown is not None
    assert shown.note == first.note


def test_a_measurement_without_a_cache(index: LoadedIndex) -> None:
    cached = CachedMeasurer(fake_measurer, None)
    pack = fake_assembler().assemble(index, ASK)
    assert cached.measure(index, pack, BACKUP_ONLY)[1] == "off"
    assert (cached.known(index, pack, BACKUP_ONLY), cached.last(pack.pack_id)) == (None, None)


def test_a_damaged_measurement_is_made_again(index: LoadedIndex) -> None:
    cache = MemoryCache()
    cached = CachedMeasurer(fake_measurer, cache)
    pack = fake_assembler().assemble(index, ASK)
    first, _ = cached.measure(index, pack, BACKUP_ONLY)
    for key in list(cache._values):
        cache.put(key, b'{"score": 0.9}')
    again, state = cached.measure(index, pack, BACKUP_ONLY)
    assert (state, again.score) == ("miss", first.score)


class Meanwhile(FakeReader):
    """A reader that does something else while it scores for the first time."""

    def __init__(self, event: Callable[[], object]) -> None:
        super().__init__()
        self._event: Callable[[], object] | None = event

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """As the fake, after the event."""
        if self._event is not None:
            self._event()
            self._event = None
        return super().score(prompt, masks, target, limits)


def test_a_calibration_stored_during_a_measurement_belongs_to_the_next(index: LoadedIndex) -> None:
    def calibrate() -> None:
        store_calibration(index.folder, index.generation, calibrations(fake_measurer(), [0.3] * 20)[0])

    measurer = fake_measurer(Meanwhile(calibrate))
    cached = CachedMeasurer(lambda: measurer, MemoryCache())
    pack = fake_assembler().assemble(index, ASK)
    first, _ = cached.measure(index, pack, BACKUP_ONLY)
    assert first.threshold.eps == 0.1
    assert cached.known(index, pack, BACKUP_ONLY) is None
    second, state = cached.measure(index, pack, BACKUP_ONLY)
    assert (state, second.threshold.eps) == ("miss", 0.3)


def test_a_measurement_that_gives_way_leaves_nothing(index: LoadedIndex) -> None:
    cache = MemoryCache()
    cached = CachedMeasurer(fake_measurer, cache)
    pack = fake_assembler().assemble(index, ASK)
    with pytest.raises(GaveWay):
        cached.measure(index, pack, BACKUP_ONLY, stop=lambda: True)
    assert (cached.last(pack.pack_id), cache._values) == (None, {})
    assert cached.measure(index, pack, BACKUP_ONLY, stop=lambda: False)[1] == "miss"


def test_a_dropped_pack_takes_its_measurements_along(index: LoadedIndex) -> None:
    cache = MemoryCache()
    packs, measurements = CachedAssembler(fake_assembler(), cache), CachedMeasurer(fake_measurer, cache)
    (one, _), (other, _) = (packs.assemble(index, replace(ASK, budget_tokens=n)) for n in (200, 100))
    for pack in (one, other):
        for target in (BACKUP_ONLY, None):
            measurements.measure(index, pack, target)
    packs.drop(one.pack_id)
    with pytest.raises(UnknownPack):
        packs.pack(one.pack_id)
    assert measurements.last(one.pack_id) is None
    assert measurements.known(index, one, BACKUP_ONLY) is measurements.known(index, one, None) is None
    assert set(cache._tags.values()) == {other.pack_id}
    assert packs.assemble(index, ASK)[1] == "miss"
    assert packs.pack(other.pack_id) == other
    assert measurements.known(index, other, None) == measurements.last(other.pack_id)


class Stuck(MemoryCache):
    """A cache that drops nothing."""

    def drop(self, tag: str) -> bool:
        """Never."""
        del tag
        return False


def test_a_pack_that_may_still_be_there_is_not_said_to_be_gone(index: LoadedIndex) -> None:
    cached = CachedAssembler(fake_assembler(), Stuck())
    pack, _ = cached.assemble(index, ASK)
    with pytest.raises(Fault, match="could not be removed"):
        cached.drop(pack.pack_id)
