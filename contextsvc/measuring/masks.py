"""Build the masks of an ablation, and compute the contribution of each unit from the outcomes.

A unit is a chunk or a sentence that can be removed from a prompt. A mask says which units of a prompt are
kept. The outcome of a mask is the score that the reader gives with the kept units alone. A placebo is an
unrelated chunk put into the pack as a control.

Leave-one-out masks alone are not enough. They call both of two duplicates useless, and they overlook a unit
that another unit needs. So there are also masks that keep one unit alone and, optionally, random subsets.
"""

from collections.abc import Callable, Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float64Array

Fit = Callable[[BoolArray, Float64Array], Float64Array]
"""Function that computes contributions.

(num_masks, num_units) masks and (num_masks,) outcomes -> (num_units,) contributions."""

NECESSITY = 0.75
"""Weight of necessity in a contribution. The weight of sufficiency is 1 - NECESSITY. Sufficiency has the
smaller weight because it is noisier: the first text of a prompt changes the outcome the most. The value was
chosen on tuning data (decision 0005)."""


def required_masks(num_units: int, num_placebos: int) -> BoolArray:
    """Build the masks without which a measurement is partial.

    Args:
        num_units: Number of units.
        num_placebos: Number of placebos.

    Returns:
        (2 + 2 * num_columns, num_columns) masks, where num_columns = num_units + num_placebos and True keeps.
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
    """Draw random masks that keep each column with probability 1/2: (num_subsets, num_columns).

    The same seed gives the same masks. With the same seed, a larger number of masks begins with the masks of
    a smaller number.
    """
    return np.random.default_rng(seed).random((num_subsets, num_columns)) < 0.5


def expand_masks(masks: BoolArray, groups: Sequence[int]) -> BoolArray:
    """Turn masks over groups into masks over units: (num_masks, num_units).

    A mask keeps a unit if it keeps the group of the unit.

    Args:
        masks: Which groups each mask keeps: (num_masks, num_groups).
        groups: The group of each unit.

    >>> expand_masks(np.array([[True, False]]), [0, 1, 0]).tolist()
    [[True, False, True]]
    """
    return masks[:, list(groups)]


def necessity_and_sufficiency(masks: BoolArray, outcomes: Float64Array) -> Float64Array:
    """Compute the contribution of each column, which is a unit or a placebo, as a weighted mean.

    The contribution is NECESSITY * necessity + (1 - NECESSITY) * sufficiency. The two parts are:

    - Necessity of a unit: the outcome of the full pack minus the outcome without the unit.
    - Sufficiency of a unit: the outcome of the unit alone minus the mean outcome of one placebo alone. Any
      text makes an answer likelier than no text, so only the part that goes beyond a placebo counts.
    - Necessity of a placebo: the outcome of the full pack with the placebo minus the outcome of the full
      pack.
    - Sufficiency of a placebo: its outcome alone minus the mean outcome of each other placebo alone.

    Where there is no placebo, or no other placebo, the outcome without context takes the place of this mean.

    Args:
        masks: Which columns each mask keeps: (num_masks, num_columns). They begin with `required_masks`.
            Subsets after these are not used.
        outcomes: The outcome of each mask: (num_masks,), finite.

    Returns:
        (num_columns,) contributions: first the units, then the placebos.

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
    """Find groups of near-duplicates, and return the number of each unit's group.

    Two units are linked if their similarity is at least `min_similarity`. The groups are the connected
    components of these links. So two units of a group may be less similar if other units connect them. Groups
    are numbered from 0, in the order of their first units.

    Args:
        similarities: Similarity of each pair of units: (num_units, num_units), symmetric.
        min_similarity: Smallest similarity of two near-duplicates, inclusive.

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
