"""Contributions against what a penalty does to a design of all subsets, by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.language_models.lasso import ALPHA, lasso_contributions
from contextsvc.measuring.masks import required_masks, subset_masks
from contextsvc.records.arrays import BoolArray, Float64Array

SHRINKAGE = ALPHA / 0.25
"""The variance of a column that keeps its unit half of the time is 1/4."""


def all_subsets(num_units: int) -> BoolArray:
    return np.array(list(itertools.product([True, False], repeat=num_units)), dtype=np.bool_)


def shrunk(effects: list[float]) -> Float64Array:
    """Nearer to 0 by .04, and 0 within."""
    given_effects = np.array(effects)
    result: Float64Array = np.sign(given_effects) * np.maximum(0, np.abs(given_effects) - SHRINKAGE)
    return result


def test_additive_effects_by_hand() -> None:
    masks = all_subsets(3)
    values = -3 + masks @ np.array([1.0, 0.03, -0.5])
    np.testing.assert_allclose(lasso_contributions(masks, values), [0.96, 0.0, -0.46], atol=1e-6)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5), st.floats(-9, 9))
def test_over_all_subsets_each_effect_is_shrunk_by_itself(effects: list[float], nothing: float) -> None:
    masks = all_subsets(len(effects))
    found = lasso_contributions(masks, nothing + masks @ np.array(effects))
    np.testing.assert_allclose(found, shrunk(effects), atol=2e-3)


def test_masks_of_a_trial_recover_additive_effects_up_to_shrinkage() -> None:
    effects = np.array([1.2, 0.0, 0.0, -0.6, 0.0, 0.4])
    masks = np.concatenate([required_masks(6, 0), subset_masks(6, 32, [0])])
    found = lasso_contributions(masks, masks @ effects - 2)
    np.testing.assert_allclose(found, effects, atol=2 * SHRINKAGE)
    assert np.argsort(-found)[:2].tolist() == [0, 5]


def test_a_unit_that_is_always_or_never_kept_tells_nothing() -> None:
    masks = np.array([[True, False, True], [True, False, False]] * 4)
    found = lasso_contributions(masks, masks[:, 2] * 1.0)
    np.testing.assert_allclose(found, [0.0, 0.0, 0.96], atol=1e-6)


def test_equal_outcomes_have_no_contributions() -> None:
    assert lasso_contributions(all_subsets(3), np.full(8, -1.5)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
def test_without_masks_or_units(shape: tuple[int, int]) -> None:
    found = lasso_contributions(np.ones(shape, dtype=np.bool_), np.zeros(shape[0]))
    assert found.tolist() == [0.0] * shape[1]


def test_outcomes_that_are_missing_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        lasso_contributions(all_subsets(1), np.array([np.nan, 1.0]))


def test_the_same_outcomes_give_the_same_bits() -> None:
    masks = subset_masks(5, 24, [3])
    values = np.random.default_rng(0).normal(size=24)
    assert lasso_contributions(masks, values).tolist() == lasso_contributions(masks, values).tolist()
