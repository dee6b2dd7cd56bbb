"""Exact search against brute force; approximate search with every filter; files of other kinds refused."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from contextsvc.adapters.search.faiss.build import VectorPlan, open_vector_index, write_vector_index
from contextsvc.adapters.search.faiss.index import (
    BATCH_QUERIES,
    ApproximateSearch,
    FaissVectorIndex,
    read_approximate,
)
from contextsvc.adapters.search.faiss.recall import recall
from contextsvc.errors import CorruptIndex, SettingError, ShapeError
from contextsvc.records.arrays import BoolArray, Float32Array
from contextsvc.records.packs import Ranking
from tests.fakes.vector_index import ExactVectorIndex

Vectors = NDArray[np.float16]
NOBODY = np.zeros((0, 4), dtype=np.float32)
EXACT = VectorPlan(exact_up_to=10**9, factory="", recall=1.0)
LISTS = VectorPlan(exact_up_to=0, factory="IVF{lists},SQ8", recall=0.95)
GRAPH = VectorPlan(exact_up_to=0, factory="HNSW16,SQ8", recall=0.95)


def unit_rows(num_rows: int, dim: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(num_rows, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


def exact_index(vectors: Vectors) -> FaissVectorIndex:
    return FaissVectorIndex(vectors, 1.01)


def best_scores(vectors: Vectors, query: Float32Array, k: int, allowed: BoolArray) -> list[float]:
    products = vectors[allowed].astype(np.float64) @ query.astype(np.float64)
    return sorted(np.round(products, 6).tolist(), reverse=True)[:k]


@given(
    num_distinct=st.integers(1, 30), num_rows=st.integers(1, 250), k=st.integers(1, 20),
    share_allowed=st.sampled_from([None, 0.02, 0.5, 1.0]), num_queries=st.sampled_from([2, BATCH_QUERIES]),
    seed=st.integers(0, 2**16),
)  # fmt: skip
def test_it_equals_brute_force_however_many_duplicates(
    num_distinct: int, num_rows: int, k: int, share_allowed: float | None, num_queries: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    vectors = unit_rows(num_distinct, 5, seed)[random.integers(0, num_distinct, num_rows)]
    queries = unit_rows(num_queries, 5, seed + 1).astype(np.float32)
    allowed = None if share_allowed is None else random.random(num_rows) < share_allowed
    found = exact_index(vectors).search(queries, k, allowed)
    expected = ExactVectorIndex(vectors).search(queries, k, allowed)
    assert [ranking.ids.tolist() for ranking in found] == [ranking.ids.tolist() for ranking in expected]
    assert [r.scores.tolist() for r in found] == [r.scores.tolist() for r in expected]


def test_ties_across_the_border_of_what_is_fetched_are_by_id() -> None:
    # 400 equal vectors: FAISS fetches max(4 k, k + 32) = 42 of them, any of them.
    vectors = np.repeat(np.array([[0.6, 0.8], [1, 0]], dtype=np.float16), [400, 5], axis=0)
    (found,) = exact_index(vectors).search(np.array([[0, 1]], dtype=np.float32), k=10)
    assert found.ids.tolist() == list(range(10))
    allowed = np.arange(405) % 3 == 2
    (found,) = exact_index(vectors).search(np.array([[0, 1]], dtype=np.float32), k=3, allowed=allowed)
    assert found.ids.tolist() == [2, 5, 8]
    many = exact_index(vectors).search(np.array([[0, 1]] * BATCH_QUERIES, dtype=np.float32), k=10)
    assert [found.ids.tolist() for found in many] == [list(range(10))] * BATCH_QUERIES


@pytest.fixture(scope="module", params=[LISTS, GRAPH], ids=["lists", "graph"])
def approximate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FaissVectorIndex:
    """3,000 vectors around 60 centres, opened from disk; `max_exact` so small that filters reach FAISS."""
    folder = tmp_path_factory.mktemp("approximate")
    write_vector_index(folder, CLUSTERED, QUERIES, request.param)
    opened = open_vector_index(folder, CLUSTERED)
    assert opened._approximate is not None
    return FaissVectorIndex(CLUSTERED, 1.01, opened._approximate, max_exact=20)


def _clustered() -> Vectors:
    random = np.random.default_rng(7)
    rows = random.normal(size=(60, 16))[random.integers(0, 60, 3000)] + 0.4 * random.normal(size=(3000, 16))
    units: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    return units


CLUSTERED = _clustered()
QUERIES = CLUSTERED[::100].astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    which=st.sampled_from(["one", "some", "half", "far", "near", "all but one"]), k=st.integers(1, 20),
    query=st.integers(0, len(QUERIES) - 1), seed=st.integers(0, 2**16),
)  # fmt: skip
def test_a_filter_holds_at_any_selectivity(
    approximate: FaissVectorIndex, which: str, k: int, query: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    wanted = QUERIES[query]
    products = CLUSTERED.astype(np.float32) @ wanted
    allowed = {
        "one": np.arange(3000) == random.integers(3000),
        "some": random.random(3000) < 0.02,
        "half": random.random(3000) < 0.5,
        "far": products < np.quantile(products, 0.1),
        "near": products > np.quantile(products, 0.97),
        "all but one": np.arange(3000) != int(products.argmax()),
    }[which]
    (found,) = approximate.search(wanted[np.newaxis], k, allowed)
    expected = best_scores(CLUSTERED, wanted, k, allowed)
    assert len(found.ids) == len(expected)
    assert allowed[found.ids].all()
    assert len(set(found.ids.tolist())) == len(found.ids)
    # True scores in order, whatever the quantiser held.
    scores = np.round(CLUSTERED[found.ids].astype(np.float64) @ wanted.astype(np.float64), 6)
    np.testing.assert_allclose(found.scores, scores, atol=2e-6)
    assert list(zip((-found.scores).tolist(), found.ids.tolist(), strict=True)) == sorted(
        zip((-found.scores).tolist(), found.ids.tolist(), strict=True)
    )
    if allowed.sum() <= 20:
        np.testing.assert_allclose(found.scores, expected, atol=2e-6)
    else:
        assert (found.scores >= expected[-1] - 2e-6).mean() >= 0.7
    (exact,) = approximate.search(wanted[np.newaxis], k, allowed, exact=True)
    np.testing.assert_allclose(exact.scores, expected, atol=2e-6)


def test_filtered_recall_is_as_good_as_unfiltered(approximate: FaissVectorIndex) -> None:
    for step in (1, 2, 5, 20):
        allowed = np.arange(3000) % step == 0
        found = approximate.search(QUERIES, 10, allowed)
        assert recall(found, approximate.search(QUERIES, 10, allowed, exact=True)) >= 0.95


def test_a_graph_that_a_filter_empties_is_searched_exactly() -> None:
    vectors = unit_rows(300, 4, 0)
    graph = faiss.IndexHNSWFlat(4, 4, faiss.METRIC_INNER_PRODUCT)
    graph.add(vectors[:1].astype(np.float32))
    index = FaissVectorIndex(vectors, 1.01, ApproximateSearch(graph, 8), max_exact=0)
    (found,) = index.search(vectors[:1].astype(np.float32), 5)
    assert (
        found.ids.tolist() == exact_index(vectors).search(vectors[:1].astype(np.float32), 5)[0].ids.tolist()
    )


def test_effort_is_raised_until_recall_suffices_and_both_are_told(tmp_path: Path) -> None:
    vectors, queries = unit_rows(4000, 32, 0), unit_rows(50, 32, 1).astype(np.float32)
    plan = VectorPlan(100, "IVF{lists},SQ8", 1.0)
    careful = write_vector_index(tmp_path, vectors, queries, plan)
    careless = write_vector_index(tmp_path, vectors, queries, replace(plan, recall=0.0))
    # 2 sqrt(4000) = 126 lists. Unrelated vectors are the worst case: they lie in no lists.
    assert careless["vector_index"] == "IVF126,SQ8 at effort 8"
    assert careful["vector_index"] in ("IVF126,SQ8 at effort 64", "IVF126,SQ8 at effort 126")
    assert 0.1 < float(str(careless["recall_at_10"])) < 0.9 < float(str(careful["recall_at_10"])) <= 1.0
    exact = exact_index(vectors).search(queries, 10)
    opened = open_vector_index(tmp_path, vectors)._approximate
    found = FaissVectorIndex(vectors, 1.01, opened, max_exact=0).search(queries, 10)
    assert round(recall(found, exact), 4) == careless["recall_at_10"]


def test_up_to_its_size_an_index_is_exact_and_writes_no_copy(tmp_path: Path) -> None:
    vectors = unit_rows(100, 4, 0)
    assert write_vector_index(tmp_path, vectors, NOBODY, VectorPlan(100, "nonsense", 1.0)) == {
        "vector_index": "exact"
    }
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.json"]
    said = write_vector_index(tmp_path, vectors, NOBODY, VectorPlan(99, "IVF4,SQ8", 0.9))
    train_index = {"vector_index_learned_in": "this generation, from 100 chunks"}
    assert said == {"vector_index": "IVF4,SQ8 at effort 4", **train_index}


def test_what_is_far_from_the_query_is_found_when_a_filter_allows_nothing_else(
    approximate: FaissVectorIndex,
) -> None:
    # Lists are read in the order of their nearness; the best of the far half lie in none of the first.
    for query in QUERIES:
        products = CLUSTERED.astype(np.float32) @ query
        allowed = products < np.median(products)
        found, exact = (approximate.search(query[np.newaxis], 10, allowed, e) for e in (False, True))
        assert found[0].ids.tolist() == exact[0].ids.tolist()


def test_few_allowed_chunks_are_scored_exactly_without_touching_the_lists(tmp_path: Path) -> None:
    vectors = unit_rows(500, 8, 0)
    write_vector_index(tmp_path, vectors, NOBODY, LISTS)
    index = open_vector_index(tmp_path, vectors)
    # 500 are fewer than MAX_EXACT, so that all is exact here, and equal to brute force.
    query = vectors[3:4].astype(np.float32)
    assert index.search(query, 9)[0].ids.tolist() == exact_index(vectors).search(query, 9)[0].ids.tolist()


def test_one_look_at_the_lists_gives_what_a_search_at_each_depth_gives(approximate: FaissVectorIndex) -> None:
    ten, hundred = approximate.search_at_depths(QUERIES, (10, 100))
    for found, k in ((ten, 10), (hundred, 100)):
        expected = approximate.search(QUERIES, k)
        assert [one.scores.tolist() for one in found] == [one.scores.tolist() for one in expected]
    with pytest.raises(ShapeError, match="approximate search"):
        exact_index(CLUSTERED).search_at_depths(QUERIES, (10,))


def test_recall_counts_what_is_equally_near() -> None:
    def ranking(*scores: float) -> Ranking:
        return Ranking(np.arange(len(scores)), np.array(scores, dtype=np.float32))

    assert recall([ranking(0.9, 0.5)], [ranking(0.9, 0.8)]) == 0.5
    assert recall([ranking(0.9, 0.8)], [ranking(0.9, 0.8)]) == 1.0
    assert recall([ranking(0.9), ranking(0.1)], [ranking(0.9, 0.8), ranking(0.1)]) == 0.75
    assert recall([], []) == 1.0


def test_it_takes_only_files_about_these_vectors(tmp_path: Path) -> None:
    vectors = unit_rows(30, 4, 0)
    write_vector_index(tmp_path, vectors, NOBODY, LISTS)
    lists = tmp_path / "vectors.faiss"
    whole, about = lists.read_bytes(), (tmp_path / "vectors.json").read_text()
    euclid, flat, fewer = faiss.IndexHNSWFlat(4, 8), faiss.IndexFlatIP(4), faiss.IndexHNSWFlat(4, 8, 0)
    for index in (euclid, flat):
        index.add(vectors.astype(np.float32))
    fewer.add(vectors[:9].astype(np.float32))
    others = [faiss.serialize_index(index).tobytes() for index in (euclid, flat, fewer)]
    for content in [b"", whole[:-1], whole[: len(whole) // 2], b"x" * len(whole), *others]:
        lists.write_bytes(content)
        with pytest.raises(CorruptIndex, match="'docs'"):
            open_vector_index(tmp_path, vectors, "docs")
        if content and content != whole[:-1]:
            with pytest.raises(CorruptIndex, match=r"cannot read|expected inverted lists"):
                read_approximate(lists, (30, 4), 8, "docs")
    lists.unlink()
    with pytest.raises(CorruptIndex, match="No such file"):
        open_vector_index(tmp_path, vectors)
    lists.write_bytes(whole)
    open_vector_index(tmp_path, vectors)
    with pytest.raises(CorruptIndex, match="describes vectors of"):
        open_vector_index(tmp_path, vectors[:2])
    for damaged in ("", "[]", "{}", about.replace("4", '"x"'), about.replace("shape", "form")):
        (tmp_path / "vectors.json").write_text(damaged)
        with pytest.raises(CorruptIndex, match=r"vectors\.json"):
            open_vector_index(tmp_path, vectors)


def test_it_stays_readable_when_the_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    write_vector_index(folder, CLUSTERED, QUERIES, LISTS)
    opened = open_vector_index(folder, CLUSTERED)
    before = FaissVectorIndex(CLUSTERED, 1.01, opened._approximate, max_exact=0).search(QUERIES, 10)
    shutil.rmtree(folder)
    after = FaissVectorIndex(CLUSTERED, 1.01, opened._approximate, max_exact=0).search(QUERIES, 10)
    assert [ranking.ids.tolist() for ranking in after] == [ranking.ids.tolist() for ranking in before]


@pytest.mark.parametrize("factory", ["IVF32,PQ8x6", "IVF4,PQ2x4fs", "IVF4,SQ8", "HNSW8,SQ8"])
def test_what_was_written_can_be_opened_whatever_the_factory(factory: str, tmp_path: Path) -> None:
    write_vector_index(tmp_path, CLUSTERED, QUERIES, VectorPlan(0, factory, 0.5))
    found = open_vector_index(tmp_path, CLUSTERED).search(QUERIES[:1], 5)[0]
    assert len(found.ids) == 5


@pytest.mark.parametrize("plan", [EXACT, LISTS, GRAPH])
def test_the_same_vectors_make_the_same_bytes(plan: VectorPlan, tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write_vector_index(tmp_path / name, CLUSTERED[:900], QUERIES, plan)
    for path in (tmp_path / "x").iterdir():
        assert path.read_bytes() == (tmp_path / "y" / path.name).read_bytes()


@pytest.mark.parametrize("factory", ["nonsense", "Flat", "PCA2,IVF4,SQ8", "IVF5000,SQ8"])
def test_a_factory_string_that_does_not_do_names_the_setting(factory: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="CONTEXTSVC_APPROXIMATE_INDEX"):
        write_vector_index(tmp_path, unit_rows(30, 4, 0), NOBODY, VectorPlan(0, factory, 0.9))


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="finite"):
        write_vector_index(tmp_path, np.array([[np.nan, 0]], dtype=np.float16), NOBODY[:, :2], EXACT)
    with pytest.raises(ShapeError, match="finite"):
        exact_index(unit_rows(3, 2, 0)).search(np.array([[np.inf, 0]], dtype=np.float32), 1)
    with pytest.raises(ShapeError, match=r"expected \(n, dim\)"):
        write_vector_index(tmp_path, np.zeros(3, np.float16), NOBODY, EXACT)


@pytest.mark.parametrize("with_lists", [False, True])
def test_threads_find_what_one_finds(with_lists: bool, tmp_path: Path) -> None:
    write_vector_index(tmp_path, CLUSTERED, QUERIES, LISTS)
    search = open_vector_index(tmp_path, CLUSTERED)._approximate if with_lists else None
    index = FaissVectorIndex(CLUSTERED, 1.01, search, max_exact=0)
    queries = unit_rows(64, 16, 1).astype(np.float32)
    masks = [None if row % 2 else np.arange(3000) % 7 != row % 7 for row in range(64)]

    def ask(row: int) -> list[int]:
        found: list[int] = index.search(queries[row : row + 1], 5, masks[row])[0].ids.tolist()
        return found

    alone = [ask(row) for row in range(64)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(64))) == alone
