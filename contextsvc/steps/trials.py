"""A trial: a pack's units with placebos among them, the masks that try all of them, and what they show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.records import BoolArray, Float64Array
from contextsvc.steps.attribution import Fit, joined_masks, subset_masks, telling_masks


@dataclass(frozen=True, slots=True)
class Trial:
    """What a reader is asked.

    Attributes:
        units: Units and placebos in the order of the prompt.
        asides: Which of them are placebos.
        masks: (num_masks, len(units)): the rows of `design`, with the rows of lone members between
            its telling rows and its subsets.
        design: (num_masks less members, num_groups + num_placebos), over groups and placebos.
        groups: The group of each unit, placebos not counted.
        members: Units that share a group, each removed by itself.
        num_telling: Rows of the design that a finished measurement has to have.
    """

    units: tuple[str, ...]
    asides: tuple[bool, ...]
    masks: BoolArray
    design: BoolArray
    groups: tuple[int, ...]
    members: tuple[int, ...]
    num_telling: int


@dataclass(frozen=True, slots=True)
class Effects:
    """What a trial shows; None where a limit cut it short.

    Attributes:
        full: Outcome with the pack as it is.
        nothing: Outcome without any unit.
        joint: Contribution of each group, then of each placebo.
        necessities: What is lost when each unit alone is removed.
        num_scored: Masks that were scored.
    """

    full: float | None
    nothing: float | None
    joint: tuple[float, ...] | None
    necessities: tuple[float | None, ...]
    num_scored: int


def plan_trial(
    units: Sequence[str],
    groups: Sequence[int],
    placebos: Sequence[str],
    num_subsets: int,
    seed: Sequence[int],
) -> Trial:
    """Placebos at random places, others for each seed: next to the question one weighs more."""
    rng = np.random.default_rng(seed)
    num_groups = max(groups, default=-1) + 1
    telling = telling_masks(num_groups, len(placebos))
    subsets = subset_masks(num_groups + len(placebos), num_subsets, seed)
    members = tuple(unit for unit, group in enumerate(groups) if list(groups).count(group) > 1)
    columns = [*groups, *range(num_groups, num_groups + len(placebos))]
    lone = np.zeros((len(members), len(columns)), dtype=np.bool_)
    for row, unit in enumerate(members):
        lone[row, : len(units)] = True
        lone[row, unit] = False
    masks = np.concatenate([joined_masks(telling, columns), lone, joined_masks(subsets, columns)])
    gaps = rng.integers(0, len(units) + 1, size=len(placebos))
    places = [*map(float, range(len(units))), *(gap - 0.5 for gap in gaps)]
    order = sorted(range(len(places)), key=lambda column: (places[column], column))
    texts = [*units, *placebos]
    return Trial(
        tuple(texts[column] for column in order), tuple(column >= len(units) for column in order),
        masks[:, order], np.concatenate([telling, subsets]),
        tuple(groups), members, len(telling),
    )  # fmt: skip


def effects_of(trial: Trial, values: Float64Array, fit: Fit) -> Effects:
    """What the outcomes of a trial's masks show.

    Args:
        trial: As planned.
        values: (num_masks,), NaN where a mask was not scored.
        fit: Contributions from masks and outcomes.
    """
    scored = ~np.isnan(values)
    full = _known(values[0])
    end = trial.num_telling + len(trial.members)
    outcomes = np.concatenate([values[: trial.num_telling], values[end:]])
    usable = ~np.isnan(outcomes)
    joint = None
    if usable[: trial.num_telling].all():
        fitted = fit(trial.design[usable], outcomes[usable])
        joint = tuple(round(float(weight), 6) for weight in fitted)
    without = {unit: _known(values[2 + group]) for unit, group in enumerate(trial.groups)}
    for row, unit in enumerate(trial.members, start=trial.num_telling):
        without[unit] = _known(values[row])
    lost = tuple(
        None if full is None or value is None else round(full - value, 6) for value in without.values()
    )
    return Effects(full, _known(values[1]), joint, lost, int(scored.sum()))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
