"""Summaries of many measurements: means and shares worked out by hand."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import UserError
from contextsvc.measuring.records import Controls, Threshold, Utilization, UtilizationSummary
from contextsvc.measuring.summary import store_summary, summarise, summary_path
from contextsvc.ports.reading import Cost
from contextsvc.records.json import decode
from tests.comparisons import THRESHOLD, utilization


def partial() -> Utilization:
    """A partial measurement: a cost, and no score."""
    controls = Controls(
        full=None,
        no_context=None,
        unrelated=None,
        depends_on_context=None,
        live_only=None,
        sufficient=None,
        placebo_effects=(),
        num_placebos_live=0,
    )
    return replace(utilization(score=None), strict_score=None, controls=controls, cost=Cost(1, 50, 0.25))


def test_a_summary_by_hand() -> None:
    found = [
        utilization(score=0.2),
        replace(utilization(score=0.6, depends=False, sufficient=False), strict_score=0.4),
        utilization(score=0.1, sufficient=None),
        partial(),
    ]
    line = summarise("g1", found, seed=0)
    assert line.generation == "g1"
    assert line.score == pytest.approx(0.3)
    assert line.strict_score == pytest.approx((0.2 + 0.4 + 0.1) / 3)
    assert line.num_queries == 3
    assert line.share_dependent == pytest.approx(2 / 3)
    assert line.share_sufficient == pytest.approx(1 / 2)
    assert line.num_placebos == 6
    assert line.placebo_rate == pytest.approx(1 / 2)
    assert line.thresholds == {"answer": THRESHOLD}
    assert (line.reader, line.method) == ("reader-1", "masked subsets")
    assert line.cost == Cost(10, 1250, 1.75)


def test_figures_without_a_measurement_are_none() -> None:
    controls = replace(utilization().controls, sufficient=None, placebo_effects=(), num_placebos_live=0)
    line = summarise("g1", [replace(utilization(), controls=controls)], seed=0)
    assert line.share_sufficient is None
    assert line.placebo_rate is None
    assert line.num_placebos == 0


@pytest.mark.parametrize("found", [[], [partial()], [partial()] * 3])
def test_without_a_complete_measurement_there_is_no_summary(found: list[Utilization]) -> None:
    with pytest.raises(UserError, match=r"no measurement was finished.*CONTEXTSVC_MEASURE_MAX_\*"):
        summarise("g1", found, seed=0)


def test_thresholds_are_averaged_by_kind_of_target() -> None:
    wide = Threshold(eps=0.3, low=0.01, high=0.4, num_placebos=20, origin="in this pack")
    found = [
        utilization(),
        utilization(threshold=wide),
        replace(utilization(threshold=wide), target_kind="response"),
        replace(utilization(threshold=wide), target_kind="response"),
    ]
    line = summarise("g1", found, seed=0)
    assert list(line.thresholds) == ["answer", "response"]
    assert line.thresholds["response"] == wide
    joined = line.thresholds["answer"]
    assert joined.eps == pytest.approx(0.2)
    assert (joined.low, joined.high, joined.num_placebos) == (0.01, 0.4, 220)
    assert joined.origin == "mean of 2 thresholds, each by hand"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(0, 3))
def test_the_score_lies_in_its_interval_and_partial_ones_move_only_the_cost(
    scores: list[float], num_partial: int
) -> None:
    finished = [utilization(score=score) for score in scores]
    line = summarise("g1", finished, seed=0)
    assert 0 <= line.interval[0] <= line.interval[1] <= 1
    assert min(scores) - 1e-9 <= line.score <= max(scores) + 1e-9
    mixed = summarise("g1", finished + [partial()] * num_partial, seed=0)
    assert replace(mixed, cost=line.cost) == line
    assert mixed.cost.reader_calls == line.cost.reader_calls + num_partial


def test_many_threads_store_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "generations" / "g1"
    summary = summarise("g1", [utilization()], 0)

    def store(number: int) -> None:
        for _ in range(75):
            store_summary(folder, replace(summary, score=number / 10))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(8)))
    (path,) = (tmp_path / "utilization").iterdir()
    assert path == summary_path(folder, "g1")
    assert decode(UtilizationSummary, path.read_bytes()).score in [number / 10 for number in range(8)]
