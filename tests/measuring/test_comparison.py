"""Comparisons worked out by hand: means, shares, recommendations."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import SettingError, ShapeError
from contextsvc.measuring.comparison import VERDICTS, Comparison, Configuration, Observation, compare
from contextsvc.measuring.records import Threshold
from contextsvc.ports.reading import Cost
from contextsvc.records.json import decode, encode
from tests.comparisons import THRESHOLD, comparison, configuration, observations, utilization

WIDE, HALF, QUARTER = (configuration(name) for name in ("wide", "half", "quarter"))


def compared(
    rows: dict[Configuration, list[Observation]], margin: float = 0.1, share: float = 0.05
) -> Comparison:
    return compare("pages", "g1", rows, margin, share)


def test_one_configuration_by_hand() -> None:
    other = utilization([("redundant", 50), ("harmful", 25), ("unmeasured", 25)], None, sufficient=None)
    third = utilization([("live", 100)], 0.9, depends=False, sufficient=False)
    made = compared(
        {
            WIDE: [
                Observation("a", -1.0, 100, utilization([("live", 30), ("dead", 70)], 0.3)),
                Observation("b", -2.0, 100, other),
                Observation("c", -6.0, 100, third),
            ]
        }
    )
    (result,) = made.results
    assert (result.num_queries, result.num_unscored) == (3, 1)
    assert result.score == pytest.approx(0.6)  # of .3 and .9: the partial one has none
    assert result.score_interval == pytest.approx((0.3, 0.9))
    assert (result.tokens, result.tokens_interval) == (100.0, (100.0, 100.0))
    assert result.quality == pytest.approx(-3.0)
    assert list(result.verdict_shares) == ["live", "redundant", "dead", "harmful", "unmeasured"]
    assert list(result.verdict_shares.values()) == pytest.approx([130 / 300, 1 / 6, 70 / 300, 1 / 12, 1 / 12])
    assert result.placebo_rate == 0.5
    assert result.share_dependent == pytest.approx(2 / 3)
    assert result.share_sufficient == 0.5
    assert result.cost == Cost(9, 1200, 1.5)
    assert (made.reader, made.method, made.outcome) == ("reader-1", "masked subsets", "log-probability")
    assert (made.widest, made.recommended, made.shown) == ("wide", None, result)
    assert made.reason == "only one configuration was measured: there is nothing to compare it with"


def test_the_cheapest_configuration_that_is_not_inferior_is_recommended() -> None:
    made = compared(
        {
            QUARTER: observations([-1.5] * 60, 250),
            HALF: observations([-1.05] * 60, 500),
            WIDE: observations([-1.0] * 60, 1000),
        }
    )
    assert [r.configuration.name for r in made.results] == ["wide", "half", "quarter"]
    assert [r.against_widest.verdict for r in made.results] == ["not inferior", "not inferior", "inferior"]
    assert [r.against_widest.loss_bound for r in made.results] == [
        0.0,
        pytest.approx(1 - 0.05 ** (1 / 60)),
        1.0,
    ]
    assert (made.widest, made.recommended, made.shown.configuration) == ("wide", "half", HALF)
    assert made.reason == (
        "'half' sends 500 tokens a query, 50 % fewer than 'wide', and loses quality on 0 of 60 queries: "
        "with 95 % confidence on at most 4.87 %, where 5 % are tolerable"
    )


def test_ties_are_decided_by_order_and_name() -> None:
    rows = {
        configuration(name): observations([-1.0] * 60, tokens)
        for name, tokens in [("z", 9), ("y", 9), ("c", 4), ("b", 4)]
    }
    made = compared(rows)
    assert (made.widest, made.recommended) == ("z", "b")
    assert [r.configuration.name for r in made.results] == ["z", "y", "c", "b"]


@pytest.mark.parametrize(
    ("half", "quarter", "reason"),
    [
        (
            [-1.0] * 20,
            [-1.0] * 19 + [-2.0],
            "not enough evidence: 20 queries, 59 are needed if 'half' keeps losing quality at the same rate "
            "(0 of 20)",
        ),
        (
            [-2.0] * 2 + [-1.0] * 18,
            [-2.0] * 3 + [-1.0] * 17,
            "not enough evidence: 20 queries, and more would not help while 'half' keeps losing quality "
            "at the same rate (2 of 20): 5 % are tolerable",
        ),
        ([-2.0] * 20, [-3.0] * 20, "every cheaper configuration loses quality, on more than 5 % of queries"),
    ],
)
def test_why_there_is_no_recommendation(half: list[float], quarter: list[float], reason: str) -> None:
    made = compared(
        {
            WIDE: observations([-1.0] * 20, 1000),
            HALF: observations(half, 500),
            QUARTER: observations(quarter, 250),
        }
    )
    assert (made.recommended, made.reason) == (None, reason)
    assert made.shown.configuration == WIDE


def test_a_configuration_of_as_many_tokens_is_not_cheaper() -> None:
    made = compared({WIDE: observations([-1.0] * 60), HALF: observations([-1.0] * 60)})
    assert made.results[1].against_widest.verdict == "not inferior"
    assert (made.recommended, made.reason) == (None, "no configuration sends fewer tokens than 'wide'")


def test_without_scores_placebos_or_tokens_the_figures_are_none() -> None:
    bare = utilization([], None, depends=None, sufficient=None)
    bare = replace(bare, controls=replace(bare.controls, placebo_effects=(), num_placebos_live=0))
    (result,) = compared({WIDE: observations([-1.0], 0, bare)}).results
    assert (result.score, result.score_interval, result.num_unscored) == (None, None, 1)
    assert (result.placebo_rate, result.share_dependent, result.share_sufficient) == (None, None, None)
    assert result.verdict_shares == dict.fromkeys(VERDICTS, 0.0)


def test_thresholds_are_grouped_by_kind_and_origin() -> None:
    own = [
        utilization(
            threshold=Threshold(eps=eps, low=0.0, high=1.0, num_placebos=20, origin="drawn in this pack")
        )
        for eps in (0.3, 0.2)
    ]
    rows = [Observation(f"q{n}", -1.0, 100, found) for n, found in enumerate([utilization()] * 2 + own)]
    by_hand, drawn = compared({WIDE: rows}).thresholds
    assert (by_hand.lowest_eps, by_hand.highest_eps) == (THRESHOLD.eps, THRESHOLD.eps)
    assert (by_hand.num_thresholds, by_hand.num_placebos, by_hand.origin) == (1, 200, "by hand")
    assert (drawn.lowest_eps, drawn.highest_eps, drawn.num_thresholds, drawn.num_placebos) == (
        0.2,
        0.3,
        2,
        40,
    )


def test_observations_that_cannot_be_paired_are_refused() -> None:
    two = observations([-1.0, -1.0])
    with pytest.raises(ShapeError, match="expected configurations with a name each"):
        compared({})
    with pytest.raises(ShapeError, match="expected configurations with a name each"):
        compared({WIDE: two, replace(WIDE, max_chunks=9): two})
    with pytest.raises(ShapeError, match="at least one query, found none under 'wide'"):
        compared({WIDE: []})
    for other in (two[:1], two[::-1]):
        with pytest.raises(ShapeError, match="the same queries in the same order"):
            compared({WIDE: two, HALF: other})
    strange = observations([-1.0, -1.0], found=replace(utilization(), reader="reader-2"))
    with pytest.raises(ShapeError, match="expected one reader and one outcome"):
        compared({WIDE: two, HALF: strange})
    with pytest.raises(SettingError, match="the margin is -1"):
        compared({WIDE: two}, margin=-1.0)
    with pytest.raises(SettingError, match="largest_share is 1"):
        compared({WIDE: two}, share=1.0)
    with pytest.raises(ShapeError, match="the quality of 'a' is nan"):
        Observation("a", float("nan"), 1, utilization())
    with pytest.raises(ShapeError, match="no configuration 'x' was compared"):
        comparison().result("x")


def test_a_comparison_is_repeatable_and_survives_json() -> None:
    made = comparison(["a", "b", "c"])
    assert decode(Comparison, encode(made)) == made == comparison(["a", "b", "c"])


QUALITIES = st.lists(st.floats(-5, 0), min_size=3, max_size=3)


@given(st.lists(st.tuples(st.integers(0, 500), QUALITIES), min_size=1, max_size=5), st.floats(0, 1))
def test_a_recommended_configuration_is_cheaper_and_not_inferior(
    rows: list[tuple[int, list[float]]], margin: float
) -> None:
    made = compared(
        {configuration(str(n)): observations(row, tokens) for n, (tokens, row) in enumerate(rows)},
        margin,
        share=0.7,  # three queries without a loss are enough: 1 - .05^(1/3) = .63
    )
    widest = made.result(made.widest)
    passed = [
        r for r in made.results if r.against_widest.verdict == "not inferior" and r.tokens < widest.tokens
    ]
    assert all(r.tokens <= widest.tokens for r in made.results)
    for result in made.results:
        assert sum(result.verdict_shares.values()) == pytest.approx(1)
        low, high = result.quality_interval
        assert low - 1e-9 <= result.quality <= high + 1e-9
    if made.recommended is None:
        assert not passed
    else:
        assert made.shown in passed
        assert made.shown.tokens == min(r.tokens for r in passed)
