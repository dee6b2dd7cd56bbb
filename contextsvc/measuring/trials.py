"""Plan a trial of a pack, and compute effects from its outcomes.

A trial is one prompt, with placebos among the units of a pack, and the masks to score. A unit is a chunk that
can be removed. A placebo is an unrelated chunk put into the prompt as a control. A mask says which units and
placebos are kept. Its outcome is the score of the target (the measured text) with only these.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.measuring.masks import Fit, expand_masks, required_masks, subset_masks
from contextsvc.ports import Prompt, Scores
from contextsvc.records.arrays import BoolArray, Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The prompt and the masks that a reader scores.

    Attributes:
        units: Texts of units and placebos in the order of the prompt.
        is_placebo: Whether each of `units` is a placebo.
        masks: Which of `units` each mask keeps: (num_masks, len(units)), True keeps. First the required rows
            of `design`, then one leave-one-out mask for each of `duplicates`, then the subsets of `design`.
        design: Which groups and placebos each mask keeps: (num_masks - len(duplicates), num_groups +
            num_placebos). The rows are those of `masks` without the leave-one-out masks of `duplicates`.
        groups: Number of the group of each unit of the pack, in the order of the pack, without placebos.
        duplicates: Numbers of the units that share a group with another unit. Each has a leave-one-out mask.
        num_required: Number of rows at the start of `design` without which a measurement is partial.
    """

    units: tuple[str, ...]
    is_placebo: tuple[bool, ...]
    masks: BoolArray
    design: BoolArray
    groups: tuple[int, ...]
    duplicates: tuple[int, ...]
    num_required: int

    def prompt(self, query: str) -> Prompt:
        """Build the prompt of units and placebos. It asks the reader to hide the placebos from the units."""
        return Prompt(self.units, query, isolated=self.is_placebo)


@dataclass(frozen=True, slots=True)
class Contribution:
    """Contribution of a group of units, or of a placebo.

    Attributes:
        effect: Contribution to question and target together (`Scores.exchange`).
        target: Contribution to the target alone.
    """

    effect: float
    target: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Effects that a trial shows. An effect is None if a limit was reached before it was known.

    Attributes:
        full: Outcome of the target with the full pack.
        no_context: Outcome of the target without any unit.
        unrelated: Outcome of the target with one placebo alone; the highest, if there are several placebos.
            None without placebos.
        groups: Contribution of each group.
        placebos: Contribution of each placebo. Empty if `groups` is None.
        necessities: How much question and target together lose when each unit alone is left out.
        num_scored: Number of masks that were scored.
    """

    full: float | None
    no_context: float | None
    unrelated: float | None
    groups: tuple[Contribution, ...] | None
    placebos: tuple[Contribution, ...]
    necessities: tuple[float | None, ...]
    num_scored: int

    @property
    def complete(self) -> bool:
        """Whether the contributions of all groups and the necessities of all units are known."""
        return self.groups is not None and None not in self.necessities

    @property
    def gain(self) -> float | None:
        """Outcome of the full pack minus the outcome of no context or of one placebo, whichever is higher.

        None if the outcome of the full pack or of no context is not known.
        """
        if self.full is None or self.no_context is None:
            return None
        return self.full - max(self.no_context, self.no_context if self.unrelated is None else self.unrelated)


def plan_trial(
    units: Sequence[str],
    groups: Sequence[int],
    placebos: Sequence[str],
    num_subsets: int,
    seed: Sequence[int],
) -> Trial:
    """Put placebos at random positions among the units, and list the masks to score.

    Positions are random because a unit next to the question has a larger effect.

    Args:
        units: Texts of the pack, in order.
        groups: Number of the group of near-duplicates of each unit, from 0.
        placebos: Texts of the placebos. The same text may come more than once.
        num_subsets: Number of random masks over groups and placebos, besides the required ones.
        seed: Seed of positions and subsets. The same seed gives the same trial.
    """
    rng = np.random.default_rng(seed)
    num_groups = max(groups, default=-1) + 1
    required = required_masks(num_groups, len(placebos))
    subsets = subset_masks(num_groups + len(placebos), num_subsets, seed)
    duplicates = tuple(unit for unit, group in enumerate(groups) if list(groups).count(group) > 1)
    columns = [*groups, *range(num_groups, num_groups + len(placebos))]
    leave_one_out = np.zeros((len(duplicates), len(columns)), dtype=np.bool_)
    for row, unit in enumerate(duplicates):
        leave_one_out[row, : len(units)] = True
        leave_one_out[row, unit] = False
    masks = np.concatenate([expand_masks(required, columns), leave_one_out, expand_masks(subsets, columns)])
    gaps = rng.integers(0, len(units) + 1, size=len(placebos))
    places = [*map(float, range(len(units))), *(gap - 0.5 for gap in gaps)]
    order = sorted(range(len(places)), key=lambda column: (places[column], column))
    texts = [*units, *placebos]
    return Trial(
        units=tuple(texts[column] for column in order),
        is_placebo=tuple(column >= len(units) for column in order),
        masks=masks[:, order],
        design=np.concatenate([required, subsets]),
        groups=tuple(groups),
        duplicates=duplicates,
        num_required=len(required),
    )


def effects_of(trial: Trial, scores: Scores, fit: Fit) -> Effects:
    """Compute the effects from the outcomes of a trial's masks.

    Args:
        trial: A trial of `plan_trial`.
        scores: Outcomes of the trial's masks, in order. An outcome is NaN if a limit was reached first.
        fit: Computes contributions from masks and outcomes.
    """
    values, exchange = scores.values, scores.exchange
    num_groups = max(trial.groups, default=-1) + 1
    effects, targets = (_contributions(trial, outcomes, fit) for outcomes in (exchange, values))
    contributions = tuple(map(Contribution, effects or (), targets or ()))
    placebo_alone = [_known(value) for value in values[3 + 2 * num_groups : trial.num_required : 2]]
    return Effects(
        full=_known(values[0]),
        no_context=_known(values[1]),
        unrelated=max((value for value in placebo_alone if value is not None), default=None),
        groups=None if effects is None else contributions[:num_groups],
        placebos=contributions[num_groups:],
        necessities=_necessities(trial, exchange),
        num_scored=int((~np.isnan(values)).sum()),
    )


def _contributions(trial: Trial, outcomes: Float64Array, fit: Fit) -> list[float] | None:
    """Compute the contribution of each column of the design.

    Return None if a required mask was not scored.
    """
    end = trial.num_required + len(trial.duplicates)
    of_design = np.concatenate([outcomes[: trial.num_required], outcomes[end:]])
    scored = ~np.isnan(of_design)
    if not scored[: trial.num_required].all():
        return None
    return [round(float(weight), 6) for weight in fit(trial.design[scored], of_design[scored])]


def _necessities(trial: Trial, outcomes: Float64Array) -> tuple[float | None, ...]:
    """Compute how much question and target lose when each unit alone is left out.

    If a unit is alone in its group, the leave-one-out mask of the group is used. Otherwise the unit has a
    leave-one-out mask of its own.
    """
    full = _known(outcomes[0])
    without = [_known(outcomes[2 + group]) for group in trial.groups]
    for row, unit in enumerate(trial.duplicates, start=trial.num_required):
        without[unit] = _known(outcomes[row])
    return tuple(None if full is None or value is None else round(full - value, 6) for value in without)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
