"""Filters and `exact` of a request reach the searches."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextsvc.errors import InvalidRequest
from contextsvc.indexing.recall_queries import held_out_sentences
from contextsvc.ports import VectorIndex
from contextsvc.records.arrays import BoolArray, Float32Array
from contextsvc.records.documents import Document
from contextsvc.records.packs import Ranking
from contextsvc.records.requests import PackRequest
from contextsvc.settings import Settings
from contextsvc.storage.generation import open_manifest
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search, write_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.predicate import holds
from tests.world import fake_assembler

ASK = PackRequest(
    index="pages",
    query="snapshot of the cluster",
    budget_tokens=900,
    max_chunks=40,
    tokenizer="fake",
    ordering="relevance",
)
NUM_PAGES = 200


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> LoadedIndex:
    """200 pages on one subject that differ in metadata."""
    from contextsvc.indexing.build import build_index
    from tests.world import fake_parts

    root = tmp_path_factory.mktemp("many")
    pages = [
        Document(
            f"page-{n}",
            f"Snapshot {n} of the cluster. Kept {n} days.",
            title=f"Page {n}",
            source=f"{n}.txt",
            metadata={"number": n, "lang": "de" if n % 5 == 0 else "en", "tags": [f"t{n % 7}"]},
        )
        for n in range(NUM_PAGES)
    ]
    build_index(root, "pages", pages, fake_parts())
    return Library(root, FakeEmbedder().fingerprint, open_search).get("pages")


def seen(index: LoadedIndex, spec: object) -> set[str]:
    """Documents of all candidates."""
    pack = fake_assembler(num_candidates=10_000, rerank_depth=10_000, near_duplicate_similarity=1.0).assemble(
        index, replace(ASK, filters=json.dumps(spec))
    )
    return {p.candidate.chunk.doc_id for p in pack.chunks} | {drop.doc_id for drop in pack.drops}


@pytest.mark.parametrize("number", [0, 57, 199])
def test_one_document_of_all_is_found_and_no_other(many: LoadedIndex, number: int) -> None:
    for spec in (
        {"field": "doc_id", "eq": f"page-{number}"},
        {"field": "doc_id", "in": [f"page-{number}", "page-900"]},
        {"field": "number", "eq": number},
        {"and": [{"field": "number", "gt": number - 1}, {"field": "number", "lt": number + 1}]},
        {"field": "source", "eq": f"{number}.txt"},
    ):
        assert seen(many, spec) == {f"page-{number}"}, spec


leaf = st.one_of(
    st.builds(lambda n: {"field": "number", "gt": n}, st.integers(-1, NUM_PAGES)),
    st.builds(lambda n: {"field": "number", "lt": n}, st.integers(-1, NUM_PAGES)),
    st.builds(lambda n: {"field": "tags", "eq": f"t{n}"}, st.integers(0, 8)),
    st.just({"field": "lang", "eq": "de"}),
    st.builds(lambda n: {"field": "doc_id", "in": [f"page-{m}" for m in n]}, st.lists(st.integers(0, 220))),
)
specs = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"and": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda parts: {"or": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(specs)
def test_filtered_candidates_equal_those_of_brute_force(many: LoadedIndex, spec: dict[str, object]) -> None:
    allowed = {str(fields["doc_id"]) for fields in many.corpus.document_fields() if holds(spec, fields)}
    assert seen(many, spec) == allowed


def test_a_malformed_filter_is_refused(many: LoadedIndex) -> None:
    with pytest.raises(InvalidRequest, match="one operator of eq, in, gt, lt, exists"):
        seen(many, {"field": "number", "between": [1, 2]})


@dataclass(frozen=True)
class NearSighted:
    """An approximate index that misses its best chunk."""

    whole: VectorIndex

    def search(
        self, queries: Float32Array, k: int, allowed: BoolArray | None = None, exact: bool = False
    ) -> list[Ranking]:
        """All chunks but the best one, unless `exact`."""
        found = self.whole.search(queries, k, allowed)
        return found if exact else [Ranking(ranking.ids[1:], ranking.scores[1:]) for ranking in found]


def test_exact_reaches_the_vector_search(many: LoadedIndex) -> None:
    index = replace(many, vectors=NearSighted(many.vectors))
    # Words that no page has: only the vectors can find it.
    assembler = fake_assembler(lexical_weight=0.0, num_candidates=1)
    ask = replace(ASK, query="of kept days", max_chunks=1)
    missed, found = (assembler.assemble(index, replace(ask, exact=exact)) for exact in (False, True))
    assert [p.candidate.rank for p in found.chunks] == [1]
    best = found.chunks[0].candidate.chunk.doc_id
    assert best not in [p.candidate.chunk.doc_id for p in missed.chunks]


def test_the_manifest_states_how_vectors_are_searched(build: Build, tmp_path: Path) -> None:
    build()
    folder, manifest = open_manifest(tmp_path, "pages")
    assert manifest.settings["vector_index"] == "exact"
    assert not (folder / "vectors.faiss").exists()


def test_an_approximate_index_states_its_recall(many: LoadedIndex, tmp_path: Path) -> None:
    said = write_search(tmp_path, many.corpus, settings=Settings(exact_up_to=NUM_PAGES - 1))
    assert str(said["vector_index"]).startswith("IVF28,SQ8 at effort ")
    assert said["recall_at_10"] == 1.0
    vectors, _ = open_search("pages", tmp_path, many.corpus)
    query = held_out_sentences(many.corpus, 1)
    assert vectors.search(query, 5)[0].ids.tolist() == many.vectors.search(query, 5)[0].ids.tolist()
