"""Ways of attribution on outcomes that a person can work out."""

import numpy as np
import pytest

from benchmarks.ablation.choices import NUM_PLACEBOS, NUM_SUBSETS, WAYS, Outcomes, asked
from contextsvc.records.arrays import BoolArray, Float64Array

UNITS, PLACEBOS = ("a", "b", "c"), ("p", "q")
ADDED = {"a": 2.0, "b": 0.0, "c": -1.0, "p": 0.0, "q": 0.0}


def found(values: Float64Array) -> Outcomes:
    trial, _, orders = asked(UNITS, PLACEBOS, 1)
    return Outcomes(trial.design, values[: len(trial.design)], orders, values[len(trial.design) :])


def read(masks: BoolArray, order: tuple[str, ...]) -> Float64Array:
    """A reader to whom each unit adds what `ADDED` says, whatever stands beside it."""
    values: Float64Array = masks.astype(np.float64) @ np.array([ADDED[unit] for unit in order]) - 5.0
    return values


def test_all_masks_are_over_the_units_as_the_prompt_has_them() -> None:
    trial, masks, orders = asked(UNITS, PLACEBOS, 1)
    assert masks.shape == (
        2 + 2 * len(UNITS) + 2 * NUM_PLACEBOS + NUM_SUBSETS + len(orders),
        len(trial.units),
    )
    assert orders.shape == (4 * (len(UNITS) + 1), len(UNITS))
    assert not masks[-len(orders) :, list(trial.asides)].any()
    assert read(masks, trial.units)[0] == -4.0
    assert read(masks, trial.units)[1] == -5.0


@pytest.mark.parametrize("name", ["one removed", "one kept alone", "sampled Shapley, 4 permutations"])
def test_a_sum_is_taken_apart_exactly(name: str) -> None:
    trial, masks, _ = asked(UNITS, PLACEBOS, 1)
    assert WAYS[name](found(read(masks, trial.units))).tolist() == pytest.approx([2.0, 0.0, -1.0])


@pytest.mark.parametrize("name", [name for name in WAYS if name.startswith("both")])
def test_models_find_a_sum_but_for_what_the_penalty_takes(name: str) -> None:
    trial, masks, _ = asked(UNITS, PLACEBOS, 1)
    weights = WAYS[name](found(read(masks, trial.units)))
    assert weights.tolist() == pytest.approx([2.0, 0.0, -1.0], abs=0.3)
    assert weights.shape == (len(UNITS),)


def test_a_larger_penalty_takes_more() -> None:
    trial, masks, _ = asked(UNITS, PLACEBOS, 1)
    outcomes = found(read(masks, trial.units))
    names = [name for name in WAYS if "both and 8 subsets, LASSO" in name]
    largest = {name: WAYS[name](outcomes)[0] for name in names}
    plain, light, heavy = names
    assert ("0.003" in light, "0.03" in heavy) == (True, True)
    assert largest[heavy] < largest[plain] < largest[light] < 2.0


def test_of_two_copies_only_removal_says_nothing() -> None:
    """Either `a` or `b` is enough for 2."""
    trial, masks, orders = asked(UNITS, PLACEBOS, 1)
    a, b = (masks[:, trial.units.index(unit)] for unit in "ab")
    outcomes = found(np.where(a | b, 2.0, 0.0))
    assert WAYS["one removed"](outcomes).tolist() == [0.0, 0.0, 0.0]
    assert WAYS["one kept alone"](outcomes).tolist() == [2.0, 2.0, 0.0]
    # pairs of permutations, one the other reversed: each copy comes first in one of them
    assert WAYS["sampled Shapley, 4 permutations"](outcomes).tolist() == [1.0, 1.0, 0.0]
    assert len(orders) == len(outcomes.joined)
