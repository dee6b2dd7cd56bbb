"""Answer scores of packs, and empty packs if nothing answers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contextsvc.errors import ShapeError
from contextsvc.packing.answerability import EMBEDDER, THRESHOLD
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import Answerability
from contextsvc.records.requests import PackRequest
from contextsvc.storage.library import LoadedIndex
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reranker import FakeReranker
from tests.world import fake_assembler, fake_engine

ASK = PackRequest(
    index="pages",
    query="snapshot of the cluster",
    budget_tokens=200,
    max_chunks=3,
    tokenizer="fake",
    ordering="relevance",
)
HALF_ASKED = replace(ASK, query="snapshot zebras")


class KnownEmbedder(FakeEmbedder):
    """The fake embedder under the fingerprint of the model whose cosines are calibrated."""

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(name="fake", weights=EMBEDDER, precision="float32")


@pytest.mark.parametrize(("score", "threshold"), [(-0.1, 0.5), (1.1, 0.5), (0.5, -0.1), (0.5, 1.1)])
def test_scores_and_thresholds_outside_0_to_1_are_refused(score: float, threshold: float) -> None:
    with pytest.raises(ShapeError, match="expected 0 to 1"):
        Answerability(score, threshold)


def test_the_answer_score_is_the_coverage_of_the_best_chunk(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, ASK)
    # "of" and "the" are stop words, and "backup" holds the other two. Two terms count 2/3.
    assert (pack.answer, pack.answer.answerable) == (Answerability(0.666667, 0.5), True)
    # "zebras" is nowhere, which weighs more than "snapshot", which is in three of eight.
    nowhere, in_three = np.log1p(8.5 / 0.5), np.log1p(5.5 / 3.5)
    pack = fake_assembler().assemble(index, HALF_ASKED)
    assert pack.answer.score == pytest.approx(2 / 3 * in_three / (in_three + nowhere), abs=1e-6)
    assert not pack.answer.answerable
    assert pack.chunks  # flagged, not emptied


def test_cosines_of_a_known_model_count(index: LoadedIndex) -> None:
    assembler = fake_assembler(KnownEmbedder())
    pack = assembler.assemble(index, ASK)
    best = pack.chunks[0].candidate
    assert best.chunk.doc_id == "backup"
    expected = 0.45 * 2 / 3 + 0.55 * best.signals["semantic"]
    assert pack.answer.score == pytest.approx(expected, abs=2e-6)
    # A cross-encoder ranks the chunks; whether they answer is measured as before.
    other = replace(assembler, reranker=FakeReranker())
    assert other.assemble(index, ASK).answer == pack.answer


def test_each_chunk_is_scored_by_its_own_sentences(index: LoadedIndex) -> None:
    assembler = fake_assembler(KnownEmbedder())
    ranks = []
    for query in ("night stars", "restore token file", "apples pears cellar", "bread crust rivers", "keys"):
        pack = assembler.assemble(index, replace(ASK, query=query, max_chunks=64, budget_tokens=4000))
        found = sorted((p.candidate for p in pack.chunks), key=lambda candidate: candidate.rank)
        # The copies that are left out are no better than what they are copies of.
        ids = np.array([candidate.number for candidate in found])
        ranks.append(ids.tolist() == sorted(ids.tolist()))
        coverage = index.lexical.coverage(query, ids)
        similarity = np.array([candidate.signals["semantic"] for candidate in found])
        num_terms = index.lexical.num_terms(query)
        best = float((0.45 * coverage * num_terms / (num_terms + 1) + 0.55 * similarity).max())
        assert pack.answer.score == pytest.approx(best, abs=2e-6), query
    assert not all(ranks)


def test_budget_and_number_of_chunks_do_not_change_the_answer_score(index: LoadedIndex) -> None:
    packs = [
        fake_assembler().assemble(index, replace(HALF_ASKED, **changed))
        for changed in ({}, {"budget_tokens": 20}, {"max_chunks": 1}, {"trim": True})
    ]
    assert len({pack.answer for pack in packs}) == 1


def test_an_empty_pack_is_returned_if_nothing_answers(index: LoadedIndex) -> None:
    flagged = fake_assembler().assemble(index, HALF_ASKED)
    empty = fake_assembler().assemble(index, replace(HALF_ASKED, answerable_only=True))
    assert (empty.chunks, empty.text, empty.num_tokens) == ((), "", 0)
    assert empty.answer == flagged.answer
    said = f"answer score {flagged.answer.score:.3f}, 0.5 asked"
    reasons = {drop.doc_id: (drop.reason, drop.detail) for drop in empty.drops}
    assert reasons["backup"] == ("not_answerable", said)
    assert len(empty.drops) == len(flagged.drops) + len(flagged.chunks)
    assert [drop.rank for drop in empty.drops] == list(range(1, len(empty.drops) + 1))
    assert empty.pack_id != flagged.pack_id
    # What answers is the same pack either way, and a budget that holds nothing is no matter without chunks.
    assert fake_assembler().assemble(index, replace(ASK, answerable_only=True)) == (
        fake_assembler().assemble(index, ASK)
    )
    tight = replace(HALF_ASKED, answerable_only=True, budget_tokens=1)
    assert fake_assembler().assemble(index, tight).chunks == ()


def test_a_query_without_candidates_is_never_answerable(index: LoadedIndex) -> None:
    nothing = json.dumps({"field": "doc_id", "eq": "nowhere"})
    for request in (replace(ASK, filters=nothing), replace(ASK, query="zzz qqq")):
        for assembler in (fake_assembler(), fake_assembler(answerable=0.0)):
            pack = assembler.assemble(index, request)
            assert (pack.answer.score, pack.answer.answerable) == (0.0, False)


def test_a_threshold_of_zero_accepts_any_candidate(index: LoadedIndex) -> None:
    pack = fake_assembler(answerable=0.0).assemble(index, replace(HALF_ASKED, answerable_only=True))
    assert pack.answer.answerable
    assert pack.chunks


def test_another_threshold_is_another_configuration() -> None:
    assert fake_assembler(answerable=0.4).configuration(ASK) != fake_assembler().configuration(ASK)


def test_packs_with_other_scores_have_other_ids(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, ASK)
    assert replace(pack, answer=Answerability(0.9, 0.5)).pack_id != pack.pack_id


def test_cached_packs_keep_their_answer_score(build: Build, tmp_path: Path) -> None:
    build()
    engine = fake_engine(tmp_path, MemoryCache())
    index = engine.library.get("pages")
    made, known = (engine.assembler.assemble(index, HALF_ASKED) for _ in range(2))
    assert (made[1], known[1]) == ("miss", "hit")
    assert known[0] == made[0]
    assert not engine.assembler.pack(made[0].pack_id).answer.answerable
    emptied, state = engine.assembler.assemble(index, replace(HALF_ASKED, answerable_only=True))
    assert (state, emptied.chunks) == ("miss", ())


def test_cosines_of_an_unknown_model_do_not_count(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, HALF_ASKED)
    (coverage,) = index.lexical.coverage(HALF_ASKED.query, np.array([0]))
    assert pack.answer.score == round(coverage * 2 / 3, 6)


def calibrated(index: LoadedIndex, threshold: float) -> LoadedIndex:
    """The index as if its chunks had given this threshold."""
    settings = {**index.manifest.settings, "answerable": {"threshold": threshold, "num_questions": 20}}
    return replace(index, manifest=replace(index.manifest, settings=settings))


def test_the_index_decides_unless_the_setting_does(index: LoadedIndex) -> None:
    own = calibrated(index, 0.3)
    automatic, chosen = fake_assembler(answerable=None), fake_assembler(answerable=0.7)
    assert automatic.assemble(own, ASK).answer.threshold == 0.3
    assert automatic.assemble(index, ASK).answer.threshold == THRESHOLD
    assert chosen.assemble(own, ASK).answer.threshold == 0.7


def test_cosines_of_an_unknown_model_count_in_an_index_with_its_own_threshold(index: LoadedIndex) -> None:
    own = fake_assembler().assemble(calibrated(index, 0.3), ASK)
    assert own.answer.score == fake_assembler(KnownEmbedder()).assemble(index, ASK).answer.score
