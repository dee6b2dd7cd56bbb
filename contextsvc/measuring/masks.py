"""Masks of an ablation, and the contribution of each unit to the outcomes under them.

A mask says which units of a prompt are kept. Leave-one-out masks alone are not enough: they call both of two
duplicates useless, and they overlook a unit that another one needs. So each unit is also kept alone, and
optionally in random subsets.
"""

from collections.abc import Callable, Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array

Fit = Callable[[BoolArray, Float64Array], Float64Array]
"""Computes contributions: (num_masks, num_units) masks and (num_masks,) outcomes -> (num_units,)."""

NECESSITY = 0.75
"""Weight of necessity in a contribution; sufficiency has the rest. Sufficiency is noisier, because the first
text of a prompt changes the outcome the most. Chosen on tuning data (decision 0005)."""


def required_masks(num_units: int, num_placebos: int) -> BoolArray:
    """Masks without which a measurement is partial: (2 + 2 * num_columns, num_columns), True keeps.

    Columns are the units, then the placebos. Rows, in this order:

    - the full pack, which is all units and no placebo,
    - no context,
    - leave-one-out: the full pack without unit i, for each i,
    - keep-one: unit i alone, for each i,
    - for each placebo j two rows: the full pack and placebo j, then placebo j alone.

    >>> required_masks(2, 1).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]]
    """
    alone = np.eye(num_units + num_placebos, dtype=np.bool_)
    full = np.arange(num_units + num_placebos) < num_units
    rows = [full, np.zeros_like(full), *(full & ~alone[:num_units]), *alone[:num_units]]
    rows += [row for placebo in alone[num_units:] for row in (full | placebo, placebo)]
    return np.array(rows, dtype=np.bool_)


def subset_masks(num_columns: int, num_subsets: int, seed: Sequence[int]) -> BoolArray:
    """Random masks that keep each column with probability 1/2: (num_subsets, num_columns).

    The same seed gives the same masks; more subsets begin with those of fewer.
    """
    return np.random.default_rng(seed).random((num_subsets, num_columns)) < 0.5


def expand_masks(masks: BoolArray, groups: Sequence[int]) -> BoolArray:
    """Turn masks over groups into masks over units, (num_masks, num_units): a unit is kept with its group.

    Args:
        masks: (num_masks, num_groups).
        groups: The group of each unit.

    >>> expand_masks(np.array([[True, False]]), [0, 1, 0]).tolist()
    [[True, False, True]]
    """
    return masks[:, list(groups)]


def necessity_and_sufficiency(masks: BoolArray, outcomes: Float64Array) -> Float64Array:
    """Contribution of each column: NECESSITY * necessity + (1 - NECESSITY) * sufficiency, (num_columns,).

    - Unit, necessity: outcome of the full pack less the outcome without the unit.
    - Unit, sufficiency: outcome of the unit alone less the mean outcome of a placebo alone. Any text makes an
      answer likelier than none; only what goes beyond a placebo counts.
    - Placebo, necessity: outcome of the full pack and the placebo less the outcome of the full pack.
    - Placebo, sufficiency: outcome of the placebo alone less the mean outcome of the other placebos alone.

    Where there is no (other) placebo, the outcome without context takes its place.

    Args:
        masks: (num_masks, num_columns), beginning with `required_masks`; subsets after them are not used.
        outcomes: (num_masks,), finite.

    Source: necessity and sufficiency as in Chuang et al., SelfCite, 2025, section 2.
    https://arxiv.org/abs/2502.09604
    """
    num_columns = masks.shape[1]
    num_units = int(masks[0].sum())
    full, no_context = outcomes[0], outcomes[1]
    without_unit = outcomes[2 : 2 + num_units]
    unit_alone = outcomes[2 + num_units : 2 + 2 * num_units]
    with_placebo = outcomes[2 + 2 * num_units : 2 + 2 * num_columns : 2]
    placebo_alone = outcomes[3 + 2 * num_units : 2 + 2 * num_columns : 2]
    mean_placebo = placebo_alone.mean() if len(placebo_alone) else no_context
    other_placebos = np.full(len(placebo_alone), no_context)
    if len(placebo_alone) > 1:
        other_placebos = (placebo_alone.sum() - placebo_alone) / (len(placebo_alone) - 1)
    necessity = np.concatenate([full - without_unit, with_placebo - full])
    sufficiency = np.concatenate([unit_alone - mean_placebo, placebo_alone - other_placebos])
    contributions: Float64Array = NECESSITY * necessity + (1 - NECESSITY) * sufficiency
    return contributions


def duplicate_groups(similarities: Float64Array, min_similarity: float) -> list[int]:
    """Groups of near-duplicates: the group of each unit, numbered from 0 by first unit.

    Groups are the connected components of "at least this similar": two units of a group may differ if
    others connect them.

    Args:
        similarities: (num_units, num_units), symmetric.
        min_similarity: Two units are near-duplicates from this similarity on.

    Raises:
        ShapeError: the similarities are not a square.

    >>> duplicate_groups(np.array([[1, 0, 0.97], [0, 1, 0], [0.97, 0, 1]]), 0.95)
    [0, 1, 0]
    """
    if similarities.ndim != 2 or similarities.shape[0] != similarities.shape[1]:
        raise ShapeError(f"similarities have shape {similarities.shape}; expected a square")
    first = list(range(len(similarities)))
    for unit in range(len(first)):
        for other in range(unit):
            if similarities[unit, other] >= min_similarity and first[unit] != first[other]:
                low, high = sorted((first[unit], first[other]))
                first = [low if number == high else number for number in first]
    order = {number: group for group, number in enumerate(dict.fromkeys(first))}
    return [order[number] for number in first]
