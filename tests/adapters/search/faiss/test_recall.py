"""Recall is measured again when it may have changed; else the manifest says where it was measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.search.faiss import recall
from contextsvc.adapters.search.faiss.build import PreviousVectors
from contextsvc.adapters.search.faiss.recall import Measurement, RecallTuner, TunedEffort
from contextsvc.records.arrays import Int64Array
from tests.adapters.search.faiss.test_lists import BEFORE, PLAN, following, told


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Efforts with which a measurement began."""
    found: list[int] = []
    tuned = RecallTuner.tune

    def noted(tuner: RecallTuner, index: object, first: int, last: int | None = None) -> TunedEffort:
        found.append(first)
        return tuned(tuner, index, first, last)

    monkeypatch.setattr(recall.RecallTuner, "tune", noted)
    return found


def with_new(num_new: int, num_rows: int = 400) -> Int64Array:
    """The first rows kept, the last so many replaced."""
    return np.concatenate([np.arange(num_rows - num_new), np.full(num_new, -1)])


def test_recall_stands_until_more_than_a_hundredth_changed(tmp_path: Path, times: list[int]) -> None:
    first = told(tmp_path / "first", BEFORE)
    assert first["recall_measured_in"] == "this generation"
    # 2 replaced are 2 gone and 2 new; of 400, 4 may.
    second = told(
        tmp_path / "second", following(with_new(2)), previous=PreviousVectors(tmp_path / "first", with_new(2))
    )
    assert second["recall_measured_in"] == "first, 4 chunks came or went since"
    assert (second["recall_at_10"], second["recall_at_100"]) == (
        first["recall_at_10"],
        first["recall_at_100"],
    )
    assert (second["vector_index"], times) == (first["vector_index"], [8])
    vectors = np.concatenate([following(with_new(2)), BEFORE[:1]])
    rows = np.append(np.arange(400), -1)
    third = told(tmp_path / "third", vectors, previous=PreviousVectors(tmp_path / "second", rows))
    assert third["recall_measured_in"] == "this generation"
    assert (third["vector_index_learned_in"], times) == ("first, from 400 chunks", [8, 8])


def test_changes_add_up_over_generations(tmp_path: Path, times: list[int]) -> None:
    told(tmp_path / "0", BEFORE)
    vectors, said = BEFORE, []
    for number in range(1, 6):
        vectors = np.concatenate([vectors, following(np.array([-1]), seed=number)])
        rows = np.append(np.arange(len(vectors) - 1), -1)
        previous = PreviousVectors(tmp_path / str(number - 1), rows)
        said.append(told(tmp_path / str(number), vectors, previous=previous)["recall_measured_in"])
    assert said == [*(f"0, {number} chunks came or went since" for number in range(1, 5)), "this generation"]
    assert len(times) == 2


def rewritten(folder: Path, **measured: object) -> None:
    """Say another measurement of an index; none where nothing is said."""
    about = json.loads((folder / "vectors.json").read_text())
    del about["measured"]
    (folder / "vectors.json").write_text(json.dumps({**about, **measured}))


@pytest.mark.parametrize(
    "measured", [{}, {"measured": {"recalls": {"recall_at_10": 0.9, "recall_at_100": 1.0}}}]
)
def test_what_was_not_measured_or_does_not_reach_what_is_asked_for_is_measured(
    tmp_path: Path, times: list[int], measured: dict[str, object]
) -> None:
    told(tmp_path / "first", BEFORE)
    rewritten(tmp_path / "first", **measured)
    previous = PreviousVectors(tmp_path / "first", np.arange(400))
    said = told(tmp_path / "next", BEFORE, replace(PLAN, recall=0.95), previous)
    assert (said["recall_measured_in"], said["recall_at_10"]) == ("this generation", 1.0)
    assert (said["vector_index_learned_in"], len(times)) == ("first, from 400 chunks", 2)


@given(num_new=st.integers(0, 30), num_gone=st.integers(0, 30), before=st.integers(0, 30))
def test_what_came_and_what_went_are_both_counted(num_new: int, num_gone: int, before: int) -> None:
    rows = np.concatenate([np.arange(num_gone, 50), np.full(num_new, -1)])
    measured = Measurement({"recall_at_10": 0.99}, "a", before).after("b", 50, rows)
    assert measured == Measurement({"recall_at_10": 0.99}, "a", before + num_new + num_gone)
    assert Measurement().after("b", 50, rows).generation == "b"
    assert measured.still_holds(1000, 0.99) == (before + num_new + num_gone <= 10)
    assert not measured.still_holds(1000, 0.991)
