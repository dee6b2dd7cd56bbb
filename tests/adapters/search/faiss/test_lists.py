"""What one generation's index train_index, taken over by the next: the same codes, as long as it suffices."""

import json
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from contextsvc.adapters.search.faiss.build import (
    PreviousVectors,
    VectorPlan,
    open_vector_index,
    write_vector_index,
)
from contextsvc.adapters.search.faiss.lists import can_replace_vectors, replace_vectors, train_index
from contextsvc.records.arrays import Int64Array

Vectors = NDArray[np.float16]
PLAN = VectorPlan(exact_up_to=0, factory="IVF{lists},SQ8", recall=0.95)
CENTRES = np.random.default_rng(0).normal(size=(20, 8))
HERE = "this generation, from 400 chunks"


def around_centres(num_rows: int, seed: int) -> Vectors:
    random = np.random.default_rng(seed)
    rows = CENTRES[random.integers(0, len(CENTRES), num_rows)] + 0.4 * random.normal(size=(num_rows, 8))
    units: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    return units


BEFORE = around_centres(400, 1)


def following(rows: Int64Array, seed: int = 2) -> Vectors:
    """Vectors of which those that name a row of `BEFORE` are that one, the others new."""
    return np.where((rows >= 0)[:, np.newaxis], BEFORE[rows], around_centres(len(rows), seed))


def written(
    folder: Path, vectors: Vectors, plan: VectorPlan = PLAN, previous: PreviousVectors | None = None
) -> str:
    """Where the lists of an index written into a folder were train_index."""
    return str(told(folder, vectors, plan, previous)["vector_index_learned_in"])


def told(
    folder: Path, vectors: Vectors, plan: VectorPlan = PLAN, previous: PreviousVectors | None = None
) -> dict[str, object]:
    """What is said of an index written into a folder."""
    folder.mkdir()
    return write_vector_index(folder, vectors, vectors[::7].astype(np.float32), plan, previous)


def edited(at: int = 100) -> Int64Array:
    """Two vectors replaced, one gone, one more at the end."""
    return np.concatenate([np.arange(at), [-1, -1], np.arange(at + 3, 400), [-1]])


@pytest.mark.parametrize("factory", ["IVF9,SQ8", "IVF9,Flat", "IVF9_HNSW8,SQ8", "IVF300,SQ8"])
@given(data=st.data())
def test_moving_codes_comes_to_adding_everything_again(factory: str, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.integers(0, 399), unique=True, max_size=60))
    new = data.draw(st.integers(1, 20))
    rows = np.array(data.draw(st.permutations([*kept, *[-1] * new])), dtype=np.int64)
    vectors = following(rows)
    index = train_index(factory, BEFORE)
    expected = faiss.clone_index(index)
    replace_vectors(index, vectors, rows)
    expected.reset()
    expected.add(vectors.astype(np.float32))
    assert faiss.serialize_index(index).tobytes() == faiss.serialize_index(expected).tobytes()


@pytest.mark.parametrize(("factory", "whether"), [("IVF9,SQ8", True), ("HNSW8,SQ8", False)])
def test_a_graph_cannot_be_taken_over(factory: str, whether: bool) -> None:
    assert can_replace_vectors(train_index(factory, BEFORE)) == whether


def test_an_update_keeps_the_lists_and_says_who_learned_them(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    assert written(first, BEFORE) == HERE
    vectors = following(edited())
    assert written(second, vectors, previous=PreviousVectors(first, edited())) == "first, from 400 chunks"
    same = np.arange(len(vectors))
    # Of the generation that train_index, not of the one between.
    assert written(third, vectors, previous=PreviousVectors(second, same)) == "first, from 400 chunks"
    assert (second / "vectors.faiss").read_bytes() == (third / "vectors.faiss").read_bytes()
    opened = open_vector_index(third, vectors)
    assert opened._approximate is not None
    # Reading every list, it finds each vector.
    found = opened._approximate.index.search(
        vectors.astype(np.float32), 3, params=_all_lists(opened._approximate.index)
    )
    assert (found[1] == same[:, np.newaxis]).any(axis=1).all()


def _all_lists(index: object) -> object:
    return faiss.SearchParametersIVF(nprobe=index.nlist)  # type: ignore[attr-defined,call-arg]


def test_the_same_update_makes_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path / "first", BEFORE)
    for name in ("one", "other"):
        written(tmp_path / name, following(edited()), previous=PreviousVectors(tmp_path / "first", edited()))
    for file in ("vectors.faiss", "vectors.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


@pytest.mark.parametrize(
    ("num_rows", "learned_in"),
    [(266, "this generation, from 266 chunks"), (267, "first, from 400 chunks"),
     (600, "first, from 400 chunks"), (601, "this generation, from 601 chunks")],
)  # fmt: skip
def test_lists_are_learned_anew_once_there_are_too_many_or_few(
    num_rows: int, learned_in: str, tmp_path: Path
) -> None:
    written(tmp_path / "first", BEFORE)
    rows = np.where(np.arange(num_rows) < 400, np.arange(num_rows), -1)
    assert (
        written(tmp_path / "next", following(rows), previous=PreviousVectors(tmp_path / "first", rows))
        == learned_in
    )


def test_growth_is_measured_from_when_they_were_learned(tmp_path: Path) -> None:
    written(tmp_path / "first", BEFORE)
    rows = np.concatenate([np.arange(400), np.full(100, -1)])
    vectors = following(rows)
    written(tmp_path / "second", vectors, previous=PreviousVectors(tmp_path / "first", rows))
    more = np.concatenate([np.arange(500), np.full(101, -1)])
    last = np.concatenate([vectors, around_centres(101, 3)])
    # 601 are 1.2 times 500, but more than 1.5 times 400.
    said = written(tmp_path / "third", last, previous=PreviousVectors(tmp_path / "second", more))
    assert said == "this generation, from 601 chunks"


def test_another_factory_string_is_learned(tmp_path: Path) -> None:
    written(tmp_path / "first", BEFORE)
    previous = PreviousVectors(tmp_path / "first", np.arange(400))
    assert written(tmp_path / "same", BEFORE, replace(PLAN, factory="IVF40,SQ8"), previous).startswith(
        "first"
    )
    assert written(tmp_path / "other", BEFORE, replace(PLAN, factory="IVF{lists},Flat"), previous) == HERE


def test_lists_that_take_too_much_effort_are_learned_anew(tmp_path: Path) -> None:
    # 40 lists of vectors around 20 centres suffice at effort 8; of vectors that lie anywhere they are the
    # nearest for nothing, and 16 lists of 40 do not hold nearly all that is near.
    written(tmp_path / "first", BEFORE)
    anywhere = np.random.default_rng(5).normal(size=(400, 8))
    vectors = (anywhere / np.linalg.norm(anywhere, axis=1, keepdims=True)).astype(np.float16)
    previous = PreviousVectors(tmp_path / "first", np.full(400, -1))
    assert written(tmp_path / "next", vectors, replace(PLAN, recall=1.0), previous) == HERE
    careless = replace(PLAN, recall=0.1)
    assert written(tmp_path / "careless", vectors, careless, previous) == "first, from 400 chunks"


def test_a_graph_is_built_anew(tmp_path: Path) -> None:
    plan = replace(PLAN, factory="HNSW8,SQ8")
    written(tmp_path / "first", BEFORE, plan)
    assert (
        written(tmp_path / "next", BEFORE, plan, PreviousVectors(tmp_path / "first", np.arange(400))) == HERE
    )
    assert (tmp_path / "first/vectors.faiss").read_bytes() == (tmp_path / "next/vectors.faiss").read_bytes()


def test_what_an_exact_or_older_index_left_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "exact").mkdir()
    write_vector_index(
        tmp_path / "exact", BEFORE, BEFORE[:1].astype(np.float32), replace(PLAN, exact_up_to=999)
    )
    assert (
        written(tmp_path / "next", BEFORE, previous=PreviousVectors(tmp_path / "exact", np.arange(400)))
        == HERE
    )
    about = json.loads((tmp_path / "next/vectors.json").read_text())
    del about["training"]
    (tmp_path / "next/vectors.json").write_text(json.dumps(about))
    assert (
        written(tmp_path / "after", BEFORE, previous=PreviousVectors(tmp_path / "next", np.arange(400)))
        == HERE
    )
    (tmp_path / "after/vectors.faiss").write_bytes(b"of another version")
    assert (
        written(tmp_path / "last", BEFORE, previous=PreviousVectors(tmp_path / "after", np.arange(400)))
        == HERE
    )
