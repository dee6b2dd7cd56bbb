"""Rows of two sides on two queries."""

from benchmarks.retrieval.__main__ import SIDES, rows
from benchmarks.retrieval.collections import Collection, Query


def test_ours_is_compared_with_every_other_side() -> None:
    queries = (Query("1", "sorting", {"a": 1}), Query("2", "b", {"b": 1}))
    collection = Collection("cacm", "cacm@1", (), queries)
    ours, bare = {"1": ["a"], "2": ["b"]}, {"1": ["a"], "2": ["x"]}
    made = {row.figure: row for row in rows(collection, {"ours": ours, "bare": bare}, "all")}
    assert made["cacm, ours: nDCG@10"].value == 1
    assert made["cacm, bare: recall of 50 passages"].value == 0.5
    apart = made["cacm, ours less bare: nDCG@10"]
    assert (apart.value, apart.n, apart.details) == (0.5, 2, {
        "p": 1.0, "ratio": 2.0, "ratio_interval": None,
    })  # fmt: skip
    assert apart.command == "python -m benchmarks.retrieval --collections cacm --sides ours bare"
    tuned = rows(collection, {"ours": ours}, "tune")
    assert [(row.n, row.value, row.details) for row in tuned] == [(1, 1.0, {"scores": [1.0]})] * 3
    assert {row.benchmark for row in tuned} == {"retrieval_cacm_tune"}


def test_the_command_of_all_sides_names_none() -> None:
    collection = Collection("cacm", "cacm@1", (), (Query("1", "sorting", {"a": 1}),))
    row, *_ = rows(collection, {side: {"1": ["a"]} for side in SIDES}, "all")
    assert row.command == "python -m benchmarks.retrieval --collections cacm"
