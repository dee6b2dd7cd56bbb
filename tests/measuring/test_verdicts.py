"""Verdicts, units that count as used, and thresholds worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import VerdictName
from contextsvc.measuring.trials import Contribution
from contextsvc.measuring.verdicts import threshold_from, used_units, verdict_of, verdicts_of

Units = list[tuple[int, float]]
"""A group and a necessity for each unit."""

NAMES: list[VerdictName] = ["live", "redundant", "dead", "harmful", "unmeasured"]

units = st.lists(st.tuples(st.integers(0, 3), st.floats(-2, 2)), max_size=8)
joints = st.lists(st.floats(-2, 2), min_size=4, max_size=4)


def adding(*effects: float) -> list[Contribution]:
    """Groups that move question and target alike."""
    return [Contribution(effect, effect) for effect in effects]


def judged(found: Units, joint: list[float], eps: float) -> tuple[list[VerdictName], list[int]]:
    groups = [group for group, _ in found]
    return verdicts_of(adding(*joint), [necessity for _, necessity in found], groups, eps), groups


def test_two_copies_are_redundant_and_one_of_them_counts() -> None:
    verdicts = verdicts_of(adding(2.0, 0.5, -0.5), [0.0, 0.1, 0.5, -0.5], [0, 0, 1, 2], eps=0.2)
    assert verdicts == ["redundant", "redundant", "live", "harmful"]
    assert used_units(verdicts, [0, 0, 1, 2]) == [True, False, True, False]


def test_a_near_duplicate_that_is_necessary_is_live_and_represents_its_group() -> None:
    verdicts = verdicts_of(adding(2.0), [0.1, 1.1, 0.9], [0, 0, 0], eps=0.2)
    assert verdicts == ["redundant", "live", "redundant"]
    assert used_units(verdicts, [0, 0, 0]) == [False, True, False]


def test_near_duplicates_without_a_joint_effect_are_dead() -> None:
    assert verdicts_of(adding(0.2, -0.3), [0.9, 0.0, 0.9, 0.0], [0, 0, 1, 1], eps=0.2) == [
        "dead",
        "dead",
        "harmful",
        "harmful",
    ]


def test_a_unit_without_near_duplicates_is_live_by_its_contribution() -> None:
    assert verdicts_of(adding(0.5), [0.0], [0], eps=0.2) == ["live"]


def test_no_units_have_no_verdicts() -> None:
    assert verdicts_of([], [], [], eps=0.1) == []
    assert used_units([], []) == []


def test_each_unit_needs_a_necessity() -> None:
    with pytest.raises(ValueError, match="argument"):
        verdicts_of(adding(1.0), [0.0, 0.0], [0], eps=0.1)


@given(st.floats(-1, 1), st.floats(0, 1))
def test_a_verdict_is_symmetric(effect: float, eps: float) -> None:
    opposite = {"live": "harmful", "harmful": "live", "dead": "dead"}
    assert verdict_of(-effect, -effect, eps) == opposite[verdict_of(effect, effect, eps)]


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1))
def test_an_effect_on_the_question_alone_is_dead(effect: float, target: float, eps: float) -> None:
    verdict = verdict_of(effect, target, eps)
    assert verdict == "dead" or (effect > 0) == (target > 0)


@given(units, joints, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_adds_a_used_unit(
    found: Units, joint: list[float], one: float, other: float
) -> None:
    low, high = (used_units(*judged(found, joint, eps)) for eps in sorted((one, other)))
    assert sum(high) <= sum(low)


@given(units, joints, st.floats(0, 1))
def test_a_live_group_has_a_used_unit(found: Units, joint: list[float], eps: float) -> None:
    verdicts, groups = judged(found, joint, eps)
    kept = {group for group, keep in zip(groups, used_units(verdicts, groups), strict=True) if keep}
    assert kept == {group for group in groups if joint[group] > eps}


@given(units, joints, st.floats(0, 1))
def test_units_of_a_group_differ_only_by_necessity(found: Units, joint: list[float], eps: float) -> None:
    verdicts, groups = judged(found, joint, eps)
    for group in set(groups):
        own = {verdict for verdict, other in zip(verdicts, groups, strict=True) if other == group}
        assert own <= {"live", "redundant"} or len(own) == 1
        assert groups.count(group) > 1 or "redundant" not in own


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 3)), max_size=8))
def test_live_units_and_one_of_a_redundant_group_are_used(found: list[tuple[VerdictName, int]]) -> None:
    verdicts, groups = [verdict for verdict, _ in found], [group for _, group in found]
    kept = used_units(verdicts, groups)
    for verdict, keep in zip(verdicts, kept, strict=True):
        assert keep or verdict != "live"
        assert not keep or verdict in ("live", "redundant")
    for group in set(groups):
        own = [(v, keep) for v, other, keep in zip(verdicts, groups, kept, strict=True) if other == group]
        standing_in = sum(keep and v == "redundant" for v, keep in own)
        has_live = any(v == "live" for v, _ in own)
        assert standing_in == (not has_live and any(v == "redundant" for v, _ in own))


def test_95_of_100_placebos_stay_below_the_threshold() -> None:
    threshold = threshold_from([i / 100 for i in range(101)], "by hand", seed=0)
    # Of 101 at most 98 are below the 95th percentile in 93.6 % of draws, at most 99 in 97.4 %.
    assert threshold.eps == pytest.approx(0.99)
    assert threshold.low <= 0.95 <= threshold.eps <= threshold.high
    assert threshold.num_placebos == 101
    assert (threshold.origin, threshold.calibrated) == ("by hand", False)
    assert threshold_from([0.1] * 20, "here", seed=0, calibrated=True).calibrated


def test_of_fewer_than_59_placebos_the_largest_is_the_threshold() -> None:
    # .95 ** 59 = .048: only from there on is the largest of them beyond 95 % with 95 % confidence.
    for num, expected in ((20, 19), (58, 57), (59, 58), (92, 91), (93, 91)):
        assert threshold_from(list(map(float, range(num))), "", seed=0).eps == expected


def test_rarely_more_than_one_new_placebo_in_twenty_exceeds_the_threshold() -> None:
    # For uniform effects the share that passes is 1 - eps.
    rng = np.random.default_rng(0)
    passing = np.array([1 - threshold_from(rng.random(200).tolist(), "", seed=0).eps for _ in range(200)])
    # one draw in twenty is to be above; four standard errors of sqrt(.05 * .95 / 200)
    assert (passing > 0.05).mean() <= 0.05 + 0.062


def test_a_threshold_is_never_negative() -> None:
    threshold = threshold_from([-1.0] * 20, "", seed=0)
    assert (threshold.eps, threshold.low, threshold.high) == (0.0, 0.0, 0.0)


def test_a_threshold_needs_20_placebos() -> None:
    with pytest.raises(ShapeError, match="at least 20 placebos, found 19"):
        threshold_from([0.1] * 19, "", seed=0)


def test_the_same_seed_gives_the_same_interval() -> None:
    effects = [number**2 / 400 for number in range(30)]
    one, same, other = (threshold_from(effects, "", seed) for seed in (1, 1, 2))
    assert one == same
    assert one.eps == other.eps
