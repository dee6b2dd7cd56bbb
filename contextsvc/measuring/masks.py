"""Which subsets of a pack are tried, and what each unit contributes to the outcomes found.

Leave-one-out alone calls both of two duplicates useless and overlooks a unit that another one needs;
what a unit does alone, or over random subsets, does not.
"""

from collections.abc import Callable, Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array

Fit = Callable[[BoolArray, Float64Array], Float64Array]
"""(num_masks, num_units) masks and (num_masks,) outcomes -> (num_units,) contributions."""


def telling_masks(num_units: int, num_placebos: int) -> BoolArray:
    """(2 + 2 * columns, columns), True keeps; placebos are the last columns.

    In this order: the pack as it is (no placebo), nothing, the pack without unit i, unit i alone,
    then the pack with placebo j and placebo j alone, placebo by placebo.

    >>> telling_masks(2, 1).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]]
    """
    alone = np.eye(num_units + num_placebos, dtype=np.bool_)
    whole = np.arange(num_units + num_placebos) < num_units
    rows = [whole, ~whole & whole, *(whole & ~alone[:num_units]), *alone[:num_units]]
    rows += [row for placebo in alone[num_units:] for row in (whole | placebo, placebo)]
    return np.array(rows, dtype=np.bool_)


NECESSITY = 0.75
"""Its share in a contribution; the rest is sufficiency, which is noisier: the first text of a prompt
changes it the most. Chosen on tuning data (decision 0005)."""


def necessity_and_sufficiency(masks: BoolArray, values: Float64Array) -> Float64Array:
    """What is lost without a unit, and what it gains alone over an unrelated one: (num_units,).

    For a unit of the pack, NECESSITY times `pack - pack without it`, plus the rest of one times
    `it alone - a placebo alone`, the mean of the placebos; for a placebo the same with
    `pack and it - pack` and the mean of the others. Without placebos, nothing stands for them: any
    text makes an answer likelier than none, and only what goes beyond counts.

    Args:
        masks: (num_masks, num_columns), beginning as `telling_masks` does; further ones do not count.
        values: (num_masks,), finite.

    Source: necessity and sufficiency as in Chuang et al., SelfCite, 2025, section 2.
    https://arxiv.org/abs/2502.09604
    """
    columns = masks.shape[1]
    num_units = int(masks[0].sum())
    full, nothing = values[0], values[1]
    lost = full - values[2 : 2 + num_units]
    alone = values[2 + num_units : 2 + 2 * num_units]
    added = values[2 + 2 * num_units : 2 + 2 * columns : 2] - full
    strangers = values[3 + 2 * num_units : 2 + 2 * columns : 2]
    usual = strangers.mean() if len(strangers) else nothing
    others = np.full(len(strangers), nothing)
    if len(strangers) > 1:
        others = (strangers.sum() - strangers) / (len(strangers) - 1)
    necessity = np.concatenate([lost, added])
    sufficiency = np.concatenate([alone - usual, strangers - others])
    result: Float64Array = NECESSITY * necessity + (1 - NECESSITY) * sufficiency
    return result


def subset_masks(num_columns: int, num_subsets: int, seed: Sequence[int]) -> BoolArray:
    """(num_subsets, num_columns): each column is kept with probability 1/2."""
    return np.random.default_rng(seed).random((num_subsets, num_columns)) < 0.5


def joined_masks(masks: BoolArray, groups: Sequence[int]) -> BoolArray:
    """Masks over groups -> masks over units: a unit is kept where its group is.

    Args:
        masks: (num_masks, num_groups).
        groups: The group of each unit.

    >>> joined_masks(np.array([[True, False]]), [0, 1, 0]).tolist()
    [[True, False, True]]
    """
    return masks[:, list(groups)]


def duplicate_groups(similarities: Float64Array, at_least: float) -> list[int]:
    """The group of each unit, numbered from 0 in order of first units; alike units share one.

    Likeness is carried on: a unit alike to one of a group joins it, though it may differ from others.

    Args:
        similarities: (num_units, num_units), symmetric.
        at_least: Units this similar are near-duplicates.

    Raises:
        ShapeError: not a square.

    >>> duplicate_groups(np.array([[1, 0, 0.97], [0, 1, 0], [0.97, 0, 1]]), 0.95)
    [0, 1, 0]
    """
    if similarities.ndim != 2 or similarities.shape[0] != similarities.shape[1]:
        raise ShapeError(f"similarities have shape {similarities.shape}; expected a square")
    first = list(range(len(similarities)))
    for unit in range(len(first)):
        for other in range(unit):
            if similarities[unit, other] >= at_least and first[unit] != first[other]:
                low, high = sorted((first[unit], first[other]))
                first = [low if number == high else number for number in first]
    order = {number: group for group, number in enumerate(dict.fromkeys(first))}
    return [order[number] for number in first]


def permutation_masks(num_units: int, num_permutations: int, seed: Sequence[int]) -> BoolArray:
    """Masks whose neighbours differ by one unit: each permutation from nothing to everything.

    Permutations come in pairs, one the other reversed, which halves the variance of sums that are
    nearly additive. (num_permutations * (num_units + 1), num_units).

    Source: Mitchell, Cooper, Frank, Holmes, JMLR 23(43), 2022 (antithetic sampling).
    """
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(num_units) for _ in range((num_permutations + 1) // 2)]
    paired = [way for order in orders for way in (order, order[::-1])][:num_permutations]
    rows = [np.isin(np.arange(num_units), order[:size]) for order in paired for size in range(num_units + 1)]
    return np.array(rows, dtype=np.bool_).reshape(num_permutations * (num_units + 1), num_units)


def shapley_contributions(masks: BoolArray, values: Float64Array) -> Float64Array:
    """Mean of what each unit adds when it joins, over the permutations of `permutation_masks`.

    Exact for a sum of single effects; adds up to `values` of everything less `values` of nothing.

    Args:
        masks: As `permutation_masks` gives them.
        values: (num_masks,) outcomes.

    Raises:
        ShapeError: the masks are not those.

    Source: Castro, Gomez, Tejada, Computers and Operations Research 36(5), 2009.
    """
    num_masks, num_units = masks.shape
    if num_masks % (num_units + 1) or len(values) != num_masks:
        raise ShapeError(f"masks {masks.shape} and values {values.shape} are no permutations of units")
    added = np.zeros(num_units)
    num_permutations = num_masks // (num_units + 1)
    for row in range(num_masks - 1):
        joined = masks[row + 1] & ~masks[row]
        if (row + 1) % (num_units + 1):
            added[joined] += values[row + 1] - values[row]
    result: Float64Array = added / max(1, num_permutations)
    return result
