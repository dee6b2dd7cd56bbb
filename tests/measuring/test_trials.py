"""Trials: the masks that a reader scores, and the effects found under them."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.measuring.trials import Contribution, Effects, Trial, effects_of, plan_trial
from contextsvc.ports import Scores
from contextsvc.ports.reading import Cost
from contextsvc.records.arrays import Float64Array
from tests.fakes.fit import least_squares

NOTHING = -3.0
"""What the sums below start from."""

Shape = tuple[list[int], int, int, list[int]]
"""Groups, number of placebos, number of subsets, seed."""


def as_groups(drawn: list[int]) -> list[int]:
    order = {group: number for number, group in enumerate(dict.fromkeys(drawn))}
    return [order[group] for group in drawn]


shapes = st.tuples(
    st.lists(st.integers(0, 3), max_size=6).map(as_groups),
    st.integers(0, 4),
    st.integers(0, 8),
    st.lists(st.integers(0, 2**32), min_size=1, max_size=2),
)


def planned(shape: Shape) -> Trial:
    groups, num_placebos, num_subsets, seed = shape
    units = [f"u{number}" for number in range(len(groups))]
    return plan_trial(units, groups, [f"p{number}" for number in range(num_placebos)], num_subsets, seed)


def kept(trial: Trial, row: int) -> list[str]:
    """The texts a mask keeps, as a reader would see them."""
    return [text for text, keep in zip(trial.units, trial.masks[row], strict=True) if keep]


def sums(trial: Trial, effects: dict[str, float]) -> Float64Array:
    rows = range(len(trial.masks))
    return np.array([NOTHING + sum(effects[text] for text in kept(trial, row)) for row in rows])


def shown(trial: Trial, values: Float64Array, questions: Float64Array | None = None) -> Effects:
    return effects_of(trial, Scores(values, Cost(), questions), least_squares)


def effects(found: tuple[Contribution, ...] | None) -> list[float]:
    return [contribution.effect for contribution in found or ()]


def test_a_trial_by_hand() -> None:
    trial = plan_trial(["a", "b", "c"], [0, 1, 0], [], num_subsets=0, seed=[0])
    assert trial.units == ("a", "b", "c")
    assert ["".join(kept(trial, row)) for row in range(len(trial.masks))] == [
        "abc", "", "b", "ac", "ac", "b",  # all, nothing, without each group, each group alone
        "bc", "ab",  # without each copy
    ]  # fmt: skip
    assert (trial.groups, trial.duplicates, trial.num_required) == ((0, 1, 0), (0, 2), 6)


@given(shapes)
def test_units_keep_their_order_with_placebos_among_them(shape: Shape) -> None:
    trial = planned(shape)
    assert [text for text in trial.units if text[0] == "u"] == [f"u{n}" for n in range(len(shape[0]))]
    assert sorted(text for text in trial.units if text[0] == "p") == [f"p{n}" for n in range(shape[1])]


@given(shapes)
def test_each_mask_expands_its_row_of_the_design(shape: Shape) -> None:
    groups, num_placebos, num_subsets, _ = shape
    trial = planned(shape)
    num_groups = len(set(groups))
    assert trial.design.shape == (trial.num_required + num_subsets, num_groups + num_placebos)
    assert trial.masks.shape == (len(trial.design) + len(trial.duplicates), len(trial.units))
    after = trial.num_required + len(trial.duplicates)
    rows = [*range(trial.num_required), *range(after, len(trial.masks))]
    for row, design in zip(rows, trial.design, strict=True):
        expected = {f"u{unit}" for unit, group in enumerate(groups) if design[group]}
        expected |= {f"p{number}" for number in range(num_placebos) if design[num_groups + number]}
        assert set(kept(trial, row)) == expected


@given(shapes)
def test_each_duplicate_has_a_leave_one_out_mask_without_placebos(shape: Shape) -> None:
    trial, groups = planned(shape), shape[0]
    assert trial.duplicates == tuple(unit for unit, group in enumerate(groups) if groups.count(group) > 1)
    for row, unit in enumerate(trial.duplicates, start=trial.num_required):
        assert kept(trial, row) == [f"u{other}" for other in range(len(groups)) if other != unit]


@given(shapes)
def test_the_same_seed_plans_the_same_trial(shape: Shape) -> None:
    one, other = planned(shape), planned(shape)
    assert one.units == other.units
    np.testing.assert_array_equal(one.masks, other.masks)


def test_each_gap_gets_a_placebo_equally_often() -> None:
    places = Counter(
        plan_trial(["a", "b", "c"], [0, 1, 2], ["x"], 0, [seed]).units.index("x") for seed in range(400)
    )
    assert set(places) == {0, 1, 2, 3}
    # 100 each, give or take five standard deviations, sqrt(400 * 1/4 * 3/4)
    assert all(55 <= count <= 145 for count in places.values())


def test_a_placebo_may_be_repeated() -> None:
    trial = plan_trial(["a"], [0], ["x", "x"], num_subsets=0, seed=[0])
    assert Counter(trial.units) == {"a": 1, "x": 2}
    assert [Counter(kept(trial, row)) for row in range(4, 8)] == [{"a": 1, "x": 1}, {"x": 1}] * 2


def spread(num_units: int, num_placebos: int) -> dict[str, float]:
    """Effects told apart by their size, some of them negative."""
    names = [f"u{n}" for n in range(num_units)] + [f"p{n}" for n in range(num_placebos)]
    return {name: round((-1) ** n * 0.1 * 1.7**n, 6) for n, name in enumerate(names)}


@given(shapes)
def test_additive_effects_are_found(shape: Shape) -> None:
    groups, num_placebos, num_subsets, _ = shape
    trial, single = planned(shape), spread(len(groups), num_placebos)
    found = shown(trial, sums(trial, single))
    own = [single[f"u{unit}"] for unit in range(len(groups))]
    assert found.full == pytest.approx(NOTHING + sum(own))
    assert found.no_context == NOTHING
    joint = [
        sum(effect for effect, group in zip(own, groups, strict=True) if group == number)
        for number in range(len(set(groups)))
    ]
    placebos = [single[f"p{number}"] for number in range(num_placebos)]
    assert effects(found.groups) == pytest.approx(joint, abs=2e-6)
    assert effects(found.placebos) == pytest.approx(placebos, abs=2e-6)
    assert found.unrelated == (pytest.approx(NOTHING + max(placebos)) if placebos else None)
    assert found.complete
    assert found.necessities == pytest.approx(tuple(own), abs=2e-6)
    assert found.num_scored == trial.num_required + len(trial.duplicates) + num_subsets


def test_two_copies_have_an_effect_together_and_no_necessity_alone() -> None:
    trial = plan_trial(["copy", "other", "copy"], [0, 1, 0], [], num_subsets=4, seed=[0])
    values = np.array([NOTHING + 2 * ("copy" in kept(trial, row)) for row in range(len(trial.masks))])
    found = shown(trial, values)
    assert effects(found.groups) == pytest.approx((2.0, 0.0), abs=1e-6)
    assert found.necessities == (0.0, 0.0, 0.0)


@given(shapes, st.integers(0, 40))
def test_past_a_limit_effects_are_none(shape: Shape, num_scored: int) -> None:
    trial, single = planned(shape), spread(len(shape[0]), shape[1])
    values = sums(trial, single)
    whole = shown(trial, values)
    values[num_scored:] = math.nan
    found = shown(trial, values)
    assert found.num_scored == min(num_scored, len(trial.masks))
    assert found.full == (whole.full if num_scored > 0 else None)
    assert found.no_context == (whole.no_context if num_scored > 1 else None)
    assert (found.groups is not None) == (num_scored >= trial.num_required)
    assert found.complete == (num_scored >= trial.num_required + len(trial.duplicates))
    if found.groups is not None:
        assert effects(found.groups) == pytest.approx(effects(whole.groups), abs=2e-6)
    for unit, necessity in enumerate(found.necessities):
        row = row_without(trial, unit)
        assert necessity == (whole.necessities[unit] if row < num_scored else None)


def row_without(trial: Trial, unit: int) -> int:
    """The first row that keeps every unit but this one, from the third: of no pack the first does, too."""
    expected = [f"u{other}" for other in range(len(trial.groups)) if other != unit]
    start = trial.num_required if unit in trial.duplicates else 2
    return next(row for row in range(start, len(trial.masks)) if kept(trial, row) == expected)


@pytest.mark.parametrize("missing", [0, 1, 4])
def test_without_a_required_mask_there_are_no_contributions(missing: int) -> None:
    trial = plan_trial(["a", "b"], [0, 1], [], num_subsets=8, seed=[0])
    values = np.zeros(len(trial.masks))
    values[missing] = math.nan
    found = shown(trial, values)
    assert found.groups is None
    assert found.placebos == ()
    assert found.num_scored == len(values) - 1
    assert found.necessities == ((None, None) if missing == 0 else (0.0, 0.0))


def test_a_fit_gets_the_scored_rows_of_the_design() -> None:
    trial = plan_trial(["a", "b"], [0, 0], ["x"], num_subsets=3, seed=[0])
    values = np.arange(len(trial.masks), dtype=np.float64)
    values[-1] = math.nan
    seen: list[Sequence[float]] = []

    def fit(masks: np.ndarray, outcomes: Float64Array) -> Float64Array:
        np.testing.assert_array_equal(masks, trial.design[:-1])
        seen.append(outcomes.tolist())
        return np.zeros(masks.shape[1])

    effects_of(trial, Scores(values, Cost()), fit)
    assert (trial.num_required, len(trial.duplicates)) == (6, 2)
    # of question and target, and of the target alone: the same where a reader tells of no question
    assert seen == [[0, 1, 2, 3, 4, 5, 8, 9]] * 2


def test_effects_are_on_question_and_target_and_controls_on_the_target() -> None:
    trial = plan_trial(["a", "b"], [0, 1], ["x"], num_subsets=0, seed=[0])
    values, questions = sums(trial, {"a": 1, "b": 0, "x": 0.5}), sums(trial, {"a": 0.25, "b": 2, "x": 0})
    found = shown(trial, values, questions)
    assert [(round(c.effect, 6), round(c.target, 6)) for c in found.groups or ()] == [(1.25, 1), (2, 0)]
    assert found.necessities == (1.25, 2.0)
    assert (found.full, found.no_context, found.unrelated) == (NOTHING + 1, NOTHING, NOTHING + 0.5)
    assert found.gain == 0.5
