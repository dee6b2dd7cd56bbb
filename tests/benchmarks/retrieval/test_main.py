"""Rows of two sides on two queries, with figures that a person can work out."""

import math

import pytest

from benchmarks.retrieval.__main__ import SIDES, arguments, rows, scored
from benchmarks.retrieval.collections import Collection, Query


def test_ours_is_compared_with_every_other_side() -> None:
    queries = (Query("sorting", "1", {"a": 1}), Query("b", "2", {"b": 1}))
    collection = Collection("cacm", "cacm@1", (), queries)
    ours, bare = {"1": ["a"], "2": ["b"]}, {"1": ["a"], "2": ["x"]}
    made = {
        row.figure: row
        for row in rows(collection, {"ours": ours, "bare": bare}, arguments(["--sides", "ours", "bare"]))
    }
    assert made["cacm, ours: nDCG@10"].value == 1
    assert made["cacm, bare: recall of 50 passages"].value == 0.5
    apart = made["cacm, ours less bare: nDCG@10"]
    assert (apart.value, apart.n, apart.details) == (0.5, 2, {
        "p": 1.0, "ratio": 2.0, "ratio_interval": None,
    })  # fmt: skip
    assert apart.command == "python -m benchmarks.retrieval --collections cacm --sides ours bare"
    tuned = rows(collection, {"ours": ours}, arguments(["--part", "tune"]))
    assert [(row.n, row.value, row.details) for row in tuned] == [(1, 1.0, {"scores": [1.0]})] * 3
    assert {row.benchmark for row in tuned} == {"retrieval_cacm_tune"}


def test_the_command_of_all_sides_names_none() -> None:
    collection = Collection("cacm", "cacm@1", (), (Query("sorting", "1", {"a": 1}),))
    row, *_ = rows(collection, {side: {"1": ["a"]} for side in SIDES}, arguments([]))
    assert row.command == "python -m benchmarks.retrieval --collections cacm"


def test_figures_of_trec_eval_by_hand() -> None:
    queries = [
        Query("one", "1", {"a": 1, "b": 3}),
        Query("none", "2", {"a": 1}),
        Query("no answer", "3", {"a": 1}),
    ]
    found = scored(queries, {"1": ["a", "x", "b"], "2": ["x", "y"], "3": []})
    # found: 1 / log2(2) + 3 / log2(4) = 2.5; best: 3 / log2(2) + 1 / log2(3)
    assert found["nDCG@10"] == [pytest.approx(2.5 / (3 + 1 / math.log2(3))), 0.0, 0.0]
    assert found["recall of 50 passages"] == [1.0, 0.0, 0.0]
    assert found["reciprocal rank"] == [1.0, 0.0, 0.0]
    assert scored([Query("q", "1", {"a": 1})], {"1": ["x", "a"]})["reciprocal rank"] == [0.5]
