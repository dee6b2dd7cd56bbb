"""Packs that say whether anything in the index answers their query."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contextsvc.errors import ShapeError
from contextsvc.packing.answerability import EMBEDDER, LEXICAL
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import Answerability
from contextsvc.records.requests import PackRequest
from contextsvc.storage.library import LoadedIndex
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reranker import FakeReranker
from tests.world import fake_assembler, fake_engine

ASK = PackRequest("pages", "snapshot of the cluster", 200, 3, "fake", "relevance")
HALF_ASKED = replace(ASK, query="snapshot zebras")


class KnownEmbedder(FakeEmbedder):
    """The fake under the fingerprint of the weights whose cosines are known."""

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(name="fake", weights=EMBEDDER, precision="float32")


@pytest.mark.parametrize(("score", "threshold"), [(-0.1, 0.5), (1.1, 0.5), (0.5, -0.1), (0.5, 1.1)])
def test_shares_alone_make_an_answerability(score: float, threshold: float) -> None:
    with pytest.raises(ShapeError, match="expected 0 to 1"):
        Answerability(score, threshold)


def test_a_pack_says_how_much_of_the_query_its_best_chunk_has(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, ASK)
    # "of" and "the" are stop words, and "backup" holds the other two.
    assert (pack.answer, pack.answer.answerable) == (Answerability(1.0, 0.5), True)
    # "zebras" is nowhere, which weighs more than "snapshot", which is in three of eight.
    nowhere, in_three = np.log1p(8.5 / 0.5), np.log1p(5.5 / 3.5)
    pack = fake_assembler().assemble(index, HALF_ASKED)
    assert pack.answer.score == pytest.approx(in_three / (in_three + nowhere), abs=1e-6)
    assert not pack.answer.answerable
    assert pack.chunks  # flagged, not emptied


def test_where_cosines_are_known_they_count(index: LoadedIndex) -> None:
    assembler = fake_assembler(KnownEmbedder())
    pack = assembler.assemble(index, ASK)
    best = pack.chunks[0].candidate
    assert best.chunk.doc_id == "backup"
    expected = LEXICAL + (1 - LEXICAL) * best.signals["semantic"]
    assert pack.answer.score == pytest.approx(expected, abs=2e-6)
    # A cross-encoder ranks the chunks; whether they answer is measured as before.
    other = replace(assembler, reranker=FakeReranker())
    assert other.assemble(index, ASK).answer == pack.answer


def test_each_chunk_has_its_own_sentences_whatever_its_rank(index: LoadedIndex) -> None:
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
        best = float((LEXICAL * coverage + (1 - LEXICAL) * similarity).max())
        assert pack.answer.score == pytest.approx(best, abs=2e-6), query
    assert not all(ranks)


def test_neither_budget_nor_number_of_chunks_changes_it(index: LoadedIndex) -> None:
    packs = [fake_assembler().assemble(index, replace(HALF_ASKED, **changed))
             for changed in ({}, {"budget_tokens": 20}, {"max_chunks": 1}, {"trim": True})]  # fmt: skip
    assert len({pack.answer for pack in packs}) == 1


def test_nothing_rather_than_what_does_not_answer(index: LoadedIndex) -> None:
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


def test_no_candidate_is_no_answer_whatever_is_asked(index: LoadedIndex) -> None:
    nothing = json.dumps({"field": "doc_id", "eq": "nowhere"})
    for request in (replace(ASK, filters=nothing), replace(ASK, query="zzz qqq")):
        for assembler in (fake_assembler(), fake_assembler(answerable=0.0)):
            pack = assembler.assemble(index, request)
            assert (pack.answer.score, pack.answer.answerable) == (0.0, False)


def test_zero_turns_it_off(index: LoadedIndex) -> None:
    pack = fake_assembler(answerable=0.0).assemble(index, replace(HALF_ASKED, answerable_only=True))
    assert pack.answer.answerable
    assert pack.chunks


def test_another_threshold_is_another_configuration() -> None:
    assert fake_assembler(answerable=0.4).configuration(ASK) != fake_assembler().configuration(ASK)


def test_packs_with_other_scores_have_other_ids(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, ASK)
    assert replace(pack, answer=Answerability(0.9, 0.5)).pack_id != pack.pack_id


def test_kept_packs_keep_it(build: Build, tmp_path: Path) -> None:
    build()
    engine = fake_engine(tmp_path, MemoryCache())
    index = engine.library.get("pages")
    made, known = (engine.assembler.assemble(index, HALF_ASKED) for _ in range(2))
    assert (made[1], known[1]) == ("miss", "hit")
    assert known[0] == made[0]
    assert not engine.assembler.pack(made[0].pack_id).answer.answerable
    emptied, state = engine.assembler.assemble(index, replace(HALF_ASKED, answerable_only=True))
    assert (state, emptied.chunks) == ("miss", ())


def test_an_assembler_of_another_model_knows_no_cosines(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, HALF_ASKED)
    assert pack.answer.score == index.lexical.coverage(HALF_ASKED.query, np.array([0]))[0]
