"""Masks, groups of near-duplicates, and contributions worked out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.measuring.masks import (
    duplicate_groups,
    expand_masks,
    necessity_and_sufficiency,
    required_masks,
    subset_masks,
)
from contextsvc.records.arrays import Float64Array

small = st.integers(0, 6)
seeds = st.lists(st.integers(0, 2**32), min_size=1, max_size=2)


@given(small, small)
def test_the_order_of_required_masks(num_units: int, num_placebos: int) -> None:
    masks = required_masks(num_units, num_placebos)
    columns = num_units + num_placebos
    assert masks.shape == (2 + 2 * columns, columns)
    kept = [frozenset(np.flatnonzero(row).tolist()) for row in masks]
    whole = frozenset(range(num_units))
    placebos = range(num_units, columns)
    assert kept == [
        whole,
        frozenset(),
        *(whole - {unit} for unit in range(num_units)),
        *(frozenset({unit}) for unit in range(num_units)),
        *(subset for placebo in placebos for subset in (whole | {placebo}, frozenset({placebo}))),
    ]


def test_masks_of_no_units() -> None:
    assert required_masks(0, 0).shape == (2, 0)
    assert subset_masks(0, 3, [1]).shape == (3, 0)


@given(small, st.integers(0, 40), seeds)
def test_subsets_depend_on_the_seed_alone(num_columns: int, num_subsets: int, seed: list[int]) -> None:
    masks = subset_masks(num_columns, num_subsets, seed)
    assert masks.shape == (num_subsets, num_columns)
    assert masks.dtype == np.bool_
    np.testing.assert_array_equal(masks, subset_masks(num_columns, num_subsets, seed))


def test_more_subsets_begin_with_those_of_fewer() -> None:
    np.testing.assert_array_equal(subset_masks(5, 32, [7])[:8], subset_masks(5, 8, [7]))


def test_a_subset_keeps_half_of_the_columns() -> None:
    masks = subset_masks(4, 2_000, [0])
    # four standard errors of a fair coin, .5 / sqrt(2000)
    np.testing.assert_allclose(masks.mean(axis=0), 0.5, atol=0.045)
    assert (masks != subset_masks(4, 2_000, [1])).any()


@given(st.lists(st.integers(0, 4), max_size=8), st.integers(1, 5))
def test_a_unit_is_kept_with_its_group(groups: list[int], num_masks: int) -> None:
    masks = subset_masks(5, num_masks, [2])
    joined = expand_masks(masks, groups)
    assert joined.shape == (num_masks, len(groups))
    for unit, group in enumerate(groups):
        np.testing.assert_array_equal(joined[:, unit], masks[:, group])


def similarities_of(pairs: list[tuple[int, int]], num_units: int) -> Float64Array:
    """1 on the diagonal and for these pairs, else 0."""
    similarities = np.eye(num_units)
    for one, other in pairs:
        similarities[one, other] = similarities[other, one] = 1.0
    return similarities


def test_groups_are_connected_components() -> None:
    # 0 and 3 differ; 1 is alike to both
    assert duplicate_groups(similarities_of([(0, 1), (1, 3)], 4), 0.95) == [0, 0, 1, 0]


def test_two_groups_are_joined_by_a_late_unit() -> None:
    assert duplicate_groups(similarities_of([(0, 3), (1, 2), (3, 4), (2, 4)], 6), 0.95) == [0, 0, 0, 0, 0, 1]


def test_the_minimum_similarity_is_inclusive() -> None:
    assert duplicate_groups(np.array([[1, 0.95], [0.95, 1]]), 0.95) == [0, 0]
    assert duplicate_groups(np.array([[1, 0.9499], [0.9499, 1]]), 0.95) == [0, 1]


def test_no_units_have_no_groups() -> None:
    assert duplicate_groups(np.zeros((0, 0)), 0.95) == []


@pytest.mark.parametrize("shape", [(2, 3), (4,), (0, 1)])
def test_similarities_that_are_no_square_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected a square"):
        duplicate_groups(np.zeros(shape), 0.95)


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=10),
            st.permutations(range(n)),
        )
    )
)
def test_groups_are_what_can_be_reached_in_any_order(
    made: tuple[int, list[tuple[int, int]], list[int]],
) -> None:
    num_units, pairs, order = made
    similarities = similarities_of(pairs, num_units)
    groups = duplicate_groups(similarities, 0.95)
    reached = np.linalg.matrix_power(similarities, num_units) > 0
    for one, other in itertools.product(range(num_units), repeat=2):
        assert (groups[one] == groups[other]) == reached[one, other]
    first_seen = list(dict.fromkeys(groups))
    assert first_seen == list(range(len(first_seen)))
    moved = duplicate_groups(similarities[np.ix_(order, order)], 0.95)
    for one, other in itertools.combinations(range(num_units), 2):
        assert (moved[one] == moved[other]) == (groups[order[one]] == groups[order[other]])


def test_necessity_and_sufficiency_by_hand() -> None:
    masks = required_masks(2, 2)
    # pack, nothing, without the first, without the second, first alone, second alone,
    # pack with one placebo, it alone, pack with the other, it alone
    values = np.array([-1.0, -4.0, -3.0, -1.2, -1.5, -3.5, -1.1, -3.0, -0.9, -3.4])
    # a placebo alone: -3.2 in the mean
    expected = [
        0.75 * 2.0 + 0.25 * 1.7,
        0.75 * 0.2 + 0.25 * -0.3,
        0.75 * -0.1 + 0.25 * 0.4,
        0.75 * 0.1 + 0.25 * -0.4,
    ]
    np.testing.assert_allclose(necessity_and_sufficiency(masks, values), expected)
    np.testing.assert_allclose(
        necessity_and_sufficiency(
            np.concatenate([masks, subset_masks(4, 3, [0])]), np.append(values, [9, 9, 9])
        ),
        expected,
    )


def test_without_placebos_no_context_takes_their_place() -> None:
    found = necessity_and_sufficiency(required_masks(1, 0), np.array([-1.0, -4.0, -4.0, -1.0]))
    np.testing.assert_allclose(found, [3.0])
    one = necessity_and_sufficiency(required_masks(1, 1), np.array([-1.0, -4.0, -4.0, -1.0, -1.0, -3.0]))
    np.testing.assert_allclose(one, [0.75 * 3 + 0.25 * 2, 0.25 * 1])
    assert necessity_and_sufficiency(required_masks(0, 0), np.array([-1.0, -1.0])).tolist() == []


@given(st.integers(1, 5), st.integers(0, 4), seeds)
def test_additive_effects_are_found(num_units: int, num_placebos: int, seed: list[int]) -> None:
    effects = np.random.default_rng(seed).normal(size=num_units + num_placebos)
    effects[num_units:] = 0
    masks = required_masks(num_units, num_placebos)
    found = necessity_and_sufficiency(masks, masks @ effects - 3)
    np.testing.assert_allclose(found, effects, atol=1e-12)
