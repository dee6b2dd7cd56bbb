"""Shares, areas and thresholds that can be worked out by eye."""

import numpy as np
import pytest

from benchmarks.answerable.asking import Evidence
from benchmarks.answerable.figures import (
    WAYS,
    flagged,
    least_allowed,
    ranked,
    rows_of_thresholds,
    rows_of_ways,
)
from benchmarks.rows import Sheet

SHEET = Sheet("answerable", "d@1", 43, "c")


def evidence(score: float) -> Evidence:
    """Of two candidates."""
    both = np.array([score, score / 2])
    return Evidence(score, both, both, 3, both, bm25=10 * score, seconds=0.0)


THERE, ABSENT = [evidence(0.9), evidence(0.7), evidence(0.3)], [evidence(0.4), evidence(0.2)]
GROUPS = [(THERE, ABSENT), (THERE[:1], ABSENT[:1])]


def test_the_best_candidate_counts_whatever_the_weight() -> None:
    one = Evidence(0.5, np.array([1.0, 0.0]), np.array([0.0, 0.8]), 3, np.array([0.6, 0.5]), 1.0, 0.0)
    # Three terms count 3/4.
    assert [one.weighed(weight) for weight in (0.0, 0.25, 1.0)] == pytest.approx([0.8, 0.6, 0.75])
    assert one.alike == pytest.approx(0.65 * 0.8)
    assert one.gap == pytest.approx(0.1)
    none = np.zeros(0)
    nothing = Evidence(0.0, none, none, 0, none, 0.0, 0.0)
    assert [way(nothing) for way in WAYS.values()] == [0.0] * len(WAYS)


def test_shares_are_of_those_with_the_label() -> None:
    table = ranked(GROUPS, WAYS["as shipped"])
    # Answerable: .9 .7 .3 .9; not: .4 .2 .4.
    assert flagged(table, 0.5, answerable=True) == 0.25
    assert flagged(table, 0.4, answerable=False) == pytest.approx(1 / 3)
    assert least_allowed(table) == 0.3


def test_rows_of_thresholds_say_how_many_they_rest_on() -> None:
    rows = {row.figure: row for row in rows_of_thresholds(GROUPS, GROUPS, 0.42, SHEET)}
    answerable, found = rows["answerable, flagged"], rows["without its article, found"]
    assert (answerable.value, answerable.n, answerable.details) == (0.25, 4, {"num_groups": 2})
    # Of the first article 1 of 3, of the second 0 of 1: between 0 and 1 / 3, whichever are drawn.
    assert answerable.interval == pytest.approx((0, 1 / 3))
    assert (found.value, found.n, found.interval) == (1.0, 3, (1.0, 1.0))
    assert rows["threshold 0.35, answerable, flagged"].value == 0.25
    assert rows["threshold 0.40, without its article, found"].value == pytest.approx(1 / 3)
    # 12 pairs; .3 stands below both .4.
    assert rows["without its paragraph alone: area under ROC"].value == pytest.approx(10 / 12)


def test_every_way_has_an_area() -> None:
    rows = {row.figure.partition(": area")[0]: row for row in rows_of_ways(GROUPS, SHEET)}
    assert rows.keys() == set(WAYS)
    assert rows["BM25"].value == rows["as shipped"].value == pytest.approx(10 / 12)
    # A twentieth of the way from .3 to .7 lies .36, of four scores .3 .7 .9 .9; below it is .2 alone.
    assert rows["BM25"].details["found_where_as_many_are_flagged"] == pytest.approx(1 / 3)
