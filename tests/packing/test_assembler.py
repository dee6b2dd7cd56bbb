"""Assembly of packs, with numbers that a person can work out."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contextsvc.errors import BudgetTooSmall, InvalidRequest, UnknownChoice
from contextsvc.packing.assembler import Query
from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import Candidate
from contextsvc.records.requests import PackRequest
from contextsvc.storage.corpus.smoothing import KERNEL, REACH
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reranker import FakeReranker
from tests.fakes.token_counter import FakeTokenCounter
from tests.world import fake_assembler

ASK = PackRequest(
    index="pages",
    query="snapshot of the cluster",
    budget_tokens=200,
    max_chunks=3,
    tokenizer="fake",
    ordering="relevance",
)


def candidates(index: LoadedIndex, query: str) -> Sequence[Candidate]:
    """All candidates of a query with their signals, before they become passages."""
    assembler = fake_assembler()
    asked = Query(query, assembler.embedder.embed_queries([query])[0])
    return assembler.retrieve(index, asked, None, exact=False).candidates


def test_the_best_chunks_come_first_and_copies_are_left_out(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, replace(ASK, max_chunks=2))
    assert [p.candidate.chunk.doc_id for p in pack.chunks] == ["backup", "restore"]
    drops = {d.doc_id: d.reason for d in pack.drops}
    assert drops["copy"] == "near_duplicate"


def test_signals_add_up_to_the_score(index: LoadedIndex) -> None:
    best = fake_assembler().assemble(index, ASK).chunks[0].candidate
    assert best.signals["lexical"] == 1.0
    # "snapshot of the cluster": 4 words; the sentence "Take a snapshot of the cluster every night."
    # has 8, 4 of them shared: 4 / sqrt(4 * 8). Its neighbour "A snapshot holds all keys." has 5, 1 of them
    # shared with the query, 2 with the sentence. Before the sentence there is only itself, so half of the
    # neighbours' weight is its own: .3 + .7 / 2 against .7 / 2.
    # .7 of that, .3 of the title "Backup", a word that nothing here shares.
    similarity = 0.7 * (0.65 * 4 / 32**0.5 + 0.35 * 1 / 20**0.5)
    around = 0.65**2 + 0.35**2 + 2 * 0.65 * 0.35 * 2 / 40**0.5
    norm = (0.49 * around + 0.09) ** 0.5
    assert best.signals["semantic"] == pytest.approx(similarity / norm, abs=1e-3)
    # No text names another's title.
    assert best.signals["links"] == 0.0
    expected = (0.35 * 1 + 0.65 * best.signals["semantic"]) / (0.35 + 0.65 + 0.2)
    assert best.score == pytest.approx(expected, abs=1e-6)


def test_a_document_lends_its_score_to_one_that_it_names(build: Build, tmp_path: Path) -> None:
    build(
        [
            Document("bridge", "Old Bridge was drawn by Ada Stone in spring.", title="Old Bridge"),
            Document("stone", "She kept bees near Leeds.", title="Ada Stone (architect)"),
            Document("bees", "Bees kept near Leeds make honey.", title="Bees"),
        ]
    )
    index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    pack = fake_assembler().assemble(index, replace(ASK, query="who drew old bridge", max_chunks=8))
    found = {p.candidate.chunk.doc_id: p.candidate for p in pack.chunks}
    assert list(found)[:2] == ["bridge", "stone"]
    signals = found["bridge"].signals
    # What "bridge" lends is its score without links.
    lent = 0.35 * signals["lexical"] + 0.65 * signals["semantic"]
    assert found["stone"].signals["links"] == pytest.approx(lent, abs=1e-6)
    assert "bees" not in found or found["bees"].signals["links"] == 0.0


def test_the_second_stage_is_the_best_of_the_sentences_vectors_in_context(
    build: Build, tmp_path: Path
) -> None:
    texts = [" ".join(f"Word{n * n % 23} and word{n % 7} of {name}." for n in range(40)) for name in "ab"]
    build([Document(name, text) for name, text in zip("ab", texts, strict=True)])
    index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    corpus, query = index.corpus, FakeEmbedder().embed_queries(["word3 and word6"])[0]
    found = candidates(index, "word3 and word6")
    assert len(found) >= 5
    for candidate in found:
        document = corpus.document_table[corpus.chunk_table[candidate.number]["doc"]]
        own = corpus.sentence_table[document["first_sentence"] : document["end_sentence"]]
        vectors = corpus.sentence_vectors[own["row"]].astype(np.float64)
        padded = np.concatenate([vectors[:1].repeat(REACH, 0), vectors, vectors[-1:].repeat(REACH, 0)])
        chunk = corpus.chunk_table[candidate.number]
        scores = []
        for number in range(
            *(chunk[f"{edge}_sentence"] - document["first_sentence"] for edge in ("first", "end"))
        ):
            combined = KERNEL @ padded[number : number + len(KERNEL)]
            scores.append(combined @ query / np.linalg.norm(combined))
        assert candidate.signals["semantic"] == pytest.approx(max(scores), abs=2e-6)


def test_a_chunk_counts_the_terms_of_its_neighbours(build: Build, tmp_path: Path) -> None:
    texts = [f"Filler{n} has filler{n * 7} beside filler{n * 11} always there." for n in range(24)]
    texts[8] = "Zebras graze where rivers bend around hills."
    build([Document("long", " ".join(texts)), Document("other", "Zebras sleep while standing up quietly.")])
    index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    signals = {c.number: c.signals["lexical"] for c in candidates(index, "zebras")}
    (within,) = [n for n in index.corpus.chunks_of(0) if "Zebras" in index.corpus.chunk(n).text]
    assert len(index.corpus.chunks_of(0)) >= 5
    # "other" has no neighbours, so it keeps its whole score; a chunk keeps .6 of its own and lends some.
    assert signals[index.corpus.chunks_of(1)[0]] == 1.0
    assert 0 < signals[within - 1] == signals[within + 1] < signals[within] < 1


def test_equal_chunks_in_equal_contexts_are_equally_good(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, ASK)
    (copy,) = [drop for drop in pack.drops if drop.doc_id == "copy"]
    assert copy.score == pack.chunks[0].candidate.score


def test_the_text_is_what_was_counted(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, ASK)
    assert pack.num_tokens == FakeTokenCounter().count([pack.text])[0]
    assert pack.text.startswith("[1] Backup\nTake a snapshot of the cluster every night.")


def test_another_encoding_counts_its_own_sizes(index: LoadedIndex) -> None:
    class Fewer(FakeTokenCounter):
        @property
        def fingerprint(self) -> Fingerprint:
            return Fingerprint(name="fewer")

        def count(self, texts: Sequence[str]) -> list[int]:
            return [-(-number // 3) for number in super().count(texts)]

    ask = replace(ASK, budget_tokens=20)
    assert len(fake_assembler().assemble(index, ask).chunks) == 1
    packed = replace(fake_assembler(), counters={"fake": Fewer()}).assemble(index, ask)
    assert len(packed.chunks) == 3
    assert packed.num_tokens <= 20


def test_the_same_request_gives_the_same_bytes(index: LoadedIndex) -> None:
    one, other = fake_assembler().assemble(index, ASK), fake_assembler().assemble(index, ASK)
    assert (one, one.pack_id) == (other, other.pack_id)


@pytest.mark.parametrize(
    "change",
    [
        {"query": "pears"},
        {"budget_tokens": 199},
        {"ordering": "document"},
        {"max_chunks": 1},
        {"exact": True},
        {"trim": True},
    ],
)
def test_another_request_has_another_id(index: LoadedIndex, change: dict[str, object]) -> None:
    pack = fake_assembler().assemble(index, ASK)
    assert fake_assembler().assemble(index, replace(ASK, **change)).pack_id != pack.pack_id  # type: ignore[arg-type]


def test_packs_of_equal_texts_of_two_documents_have_two_ids(build: Build, tmp_path: Path) -> None:
    build([Document(name, "Take a snapshot of the cluster.", title="Same") for name in ("a", "b")])
    twins = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    one, other = (
        fake_assembler().assemble(twins, replace(ASK, filters=json.dumps({"field": "doc_id", "eq": name})))
        for name in ("a", "b")
    )
    assert one.text == other.text
    assert one.pack_id != other.pack_id


# Whole, "[1] Backup" has 4 tokens and sentences of 9 and 6, "[2] Restore" 4, 8 and 7: 38 in all. The gains of
# these sentences are 2.38 and 1.73, 1.54 and 1.22.
TIGHT = replace(ASK, budget_tokens=26, max_chunks=2, trim=True)


@pytest.mark.parametrize(
    ("budget", "spans"),
    [
        (38, [((0, 70),), ((0, 72),)]),
        (37, [((0, 70),), ((0, 41),)]),
        (31, [((0, 70),), ((0, 41),)]),
        (30, [((0, 70),)]),
        (19, [((0, 70),)]),
        (18, [((0, 43),)]),
        (13, [((0, 43),)]),
    ],
)
def test_a_pack_holds_the_best_sentences_that_fit(
    index: LoadedIndex, budget: int, spans: list[tuple[tuple[int, int], ...]]
) -> None:
    pack = fake_assembler().assemble(index, replace(TIGHT, budget_tokens=budget))
    assert [p.candidate.chunk.spans for p in pack.chunks] == spans
    assert pack.num_tokens == FakeTokenCounter().count([pack.text])[0] <= budget


def test_trimmed_chunks_keep_their_ids_and_the_copies_their_receipts(index: LoadedIndex) -> None:
    whole = fake_assembler().assemble(index, replace(ASK, max_chunks=2))
    pack = fake_assembler().assemble(index, replace(TIGHT, budget_tokens=36))
    assert pack.text == (
        "[1] Backup\nTake a snapshot of the cluster every night. A snapshot holds all keys.\n\n"
        "[2] Restore\nRestore the cluster from a snapshot file."
    )
    named = [[(p.candidate.chunk.chunk_id, p.candidate.score) for p in one.chunks] for one in (whole, pack)]
    assert named[0] == named[1]
    drops = [[(d.chunk_id, d.start, d.end, d.reason) for d in one.drops] for one in (whole, pack)]
    assert drops[0] == drops[1]


def test_parts_say_what_was_taken_and_why(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, replace(TIGHT, budget_tokens=38))
    first, second = pack.chunks[0].parts
    assert pack.chunks[0].candidate.chunk.section == ()
    assert [(p.start, p.end, p.lift) for p in (first, second)] == [(0, 43, 0.0), (44, 70, second.lift)]
    # The second is lifted by a fifth of the way to the first, and then loses what the first took.
    assert 0 < second.lift < 0.2 * first.gain


def test_without_trimming_the_second_page_does_not_fit(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, replace(TIGHT, trim=False))
    assert [p.candidate.chunk.doc_id for p in pack.chunks] == ["backup"]
    assert pack.chunks[0].candidate.chunk.spans == ((0, 70),)
    assert ("restore", "over_budget") in [(drop.doc_id, drop.reason) for drop in pack.drops]


def test_what_fits_whole_is_not_trimmed(index: LoadedIndex) -> None:
    whole, roomy = (
        fake_assembler().assemble(index, replace(ASK, max_chunks=2, trim=t)) for t in (False, True)
    )
    assert (roomy.trim, whole.trim, roomy.text) == (True, False, whole.text)
    assert [c.candidate for c in roomy.chunks] == [c.candidate for c in whole.chunks]
    assert roomy.pack_id != whole.pack_id


def test_trimming_scores_sentences_if_a_cross_encoder_ranks_chunks(index: LoadedIndex) -> None:
    plain = fake_assembler()
    assembler = replace(plain, reranker=FakeReranker())
    pack = assembler.assemble(index, replace(TIGHT, max_chunks=1, budget_tokens=15))
    assert pack.chunks[0].candidate.chunk.text == "Take a snapshot of the cluster every night."
    nothing = json.dumps({"field": "doc_id", "eq": "nowhere"})
    assert assembler.assemble(index, replace(TIGHT, filters=nothing)).chunks == ()


def test_a_budget_that_does_not_hold_the_best_sentence_names_one_that_does(index: LoadedIndex) -> None:
    with pytest.raises(BudgetTooSmall) as caught:
        fake_assembler().assemble(index, replace(TIGHT, budget_tokens=5))
    # "[1] Backup" and the best sentence
    assert caught.value.smallest_tokens == 13
    enough = replace(TIGHT, budget_tokens=caught.value.smallest_tokens)
    assert fake_assembler().assemble(index, enough).num_tokens == enough.budget_tokens


def test_the_rule_of_units_is_in_the_configuration_of_trimmed_packs_only() -> None:
    assembler = fake_assembler()
    assert assembler.configuration(TIGHT) != assembler.configuration(ASK)
    assert assembler.configuration(replace(ASK, budget_tokens=1)) == assembler.configuration(ASK)


def test_a_query_that_shares_nothing_gives_an_empty_pack(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, replace(ASK, query="zzz qqq"))
    assert (pack.chunks, {drop.reason for drop in pack.drops}) == ((), {"low_score"})


def test_another_encoding_under_the_same_name_is_another_configuration() -> None:
    class Other(FakeTokenCounter):
        @property
        def fingerprint(self) -> Fingerprint:
            return Fingerprint(name="fake", weights="2")

    plain = fake_assembler()
    assert replace(plain, counters={"fake": Other()}).configuration(ASK) != plain.configuration(ASK)


def test_candidates_below_the_floor_are_left_out(index: LoadedIndex) -> None:
    pack = fake_assembler(score_floor=0.9).assemble(index, ASK)
    assert [p.candidate.chunk.doc_id for p in pack.chunks] == ["backup"]
    weak = {d.doc_id for d in pack.drops if d.reason == "low_score"}
    assert "stars" in weak


def test_filters_apply_before_the_search(index: LoadedIndex) -> None:
    drafts = json.dumps({"field": "draft", "eq": True})
    pack = fake_assembler().assemble(index, replace(ASK, filters=drafts, max_chunks=8))
    seen = [p.candidate.chunk.doc_id for p in pack.chunks] + [d.doc_id for d in pack.drops]
    assert set(seen) == {"restore", "apples", "stars", "bread"}
    assert pack.num_documents == 4
    assert fake_assembler().assemble(index, ASK).num_documents is None


def test_a_filter_that_nothing_passes_gives_an_empty_pack(index: LoadedIndex) -> None:
    none = json.dumps({"field": "doc_id", "eq": "nowhere"})
    pack = fake_assembler().assemble(index, replace(ASK, filters=none))
    assert (pack.text, pack.num_tokens, pack.chunks, pack.num_documents) == ("", 0, (), 0)


def test_packs_of_other_filters_with_equal_texts_are_one_pack(index: LoadedIndex) -> None:
    whole, part = (
        fake_assembler().assemble(index, replace(ASK, filters=json.dumps({"or": [spec, spec]}), max_chunks=1))
        for spec in ({"field": "title", "exists": True}, {"field": "draft", "eq": False})
    )
    assert (whole.num_documents, part.num_documents) == (8, 4)
    assert whole.pack_id == part.pack_id


def test_a_budget_too_small_names_the_one_that_would_do(index: LoadedIndex) -> None:
    with pytest.raises(BudgetTooSmall) as caught:
        fake_assembler().assemble(index, replace(ASK, budget_tokens=5))
    enough = replace(ASK, budget_tokens=caught.value.smallest_tokens)
    assert fake_assembler().assemble(index, enough).num_tokens == enough.budget_tokens


def test_a_cross_encoder_takes_the_second_stage(index: LoadedIndex) -> None:
    plain = fake_assembler()
    assembler = replace(plain, reranker=FakeReranker())
    best = assembler.assemble(index, replace(ASK, query="yeast")).chunks[0].candidate
    assert best.chunk.doc_id == "bread"
    assert best.signals["semantic"] == pytest.approx(1.0)
    assert assembler.configuration(ASK) != plain.configuration(ASK)


def test_unknown_names_are_refused(index: LoadedIndex) -> None:
    with pytest.raises(UnknownChoice, match="unknown tokenizer 'nope'; choose from fake"):
        fake_assembler().assemble(index, replace(ASK, tokenizer="nope"))
    with pytest.raises(UnknownChoice, match="unknown ordering"):
        fake_assembler().assemble(index, replace(ASK, ordering="nope"))


@pytest.mark.parametrize(
    "change",
    [
        {"query": " "},
        {"query": "x" * 8193},
        {"budget_tokens": 0},
        {"max_chunks": 0},
        {"max_chunks": 65},
    ],
)
def test_requests_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        replace(ASK, **change)  # type: ignore[arg-type]
