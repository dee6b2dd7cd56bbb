"""A trial: a pack's units with placebos among them, the masks that try all of them, and what they show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contextsvc.measuring.masks import Fit, joined_masks, subset_masks, telling_masks
from contextsvc.ports import Prompt, Scores
from contextsvc.records.arrays import BoolArray, Float64Array


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

    def prompt(self, query: str) -> Prompt:
        """All of it in one prompt."""
        return Prompt(self.units, query, isolated=self.asides)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a group of units or a placebo adds.

    Attributes:
        effect: To question and target together (`Scores.exchange`).
        target: To the target alone.
    """

    effect: float
    target: float


@dataclass(frozen=True, slots=True)
class Effects:
    """What a trial shows; None where a limit cut it short.

    Attributes:
        full: Outcome of the target with the pack as it is.
        nothing: The same without any unit.
        unrelated: The same with one placebo instead of the pack, the best of them; None without placebos.
        groups: Contribution of each group.
        placebos: Contribution of each placebo; empty where `groups` is None.
        necessities: What question and target lose when each unit alone is removed.
        num_scored: Masks that were scored.
    """

    full: float | None
    nothing: float | None
    unrelated: float | None
    groups: tuple[Contribution, ...] | None
    placebos: tuple[Contribution, ...]
    necessities: tuple[float | None, ...]
    num_scored: int

    @property
    def complete(self) -> bool:
        """Every unit has all that its verdict needs."""
        return self.groups is not None and None not in self.necessities

    @property
    def gain(self) -> float | None:
        """What the pack adds to the target over nothing, and over an unrelated chunk."""
        if self.full is None or self.nothing is None:
            return None
        return self.full - max(self.nothing, self.nothing if self.unrelated is None else self.unrelated)


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


def effects_of(trial: Trial, scores: Scores, fit: Fit) -> Effects:
    """What the outcomes of a trial's masks show.

    Args:
        trial: As planned.
        scores: Of its masks, in order.
        fit: Contributions from masks and outcomes.
    """
    values, exchange = scores.values, scores.exchange
    num_groups = max(trial.groups, default=-1) + 1
    effects, targets = (_fitted(trial, outcomes, fit) for outcomes in (exchange, values))
    found = tuple(map(Contribution, effects or (), targets or ()))
    without = {unit: _known(exchange[2 + group]) for unit, group in enumerate(trial.groups)}
    for row, unit in enumerate(trial.members, start=trial.num_telling):
        without[unit] = _known(exchange[row])
    full = _known(exchange[0])
    lost = tuple(
        None if full is None or value is None else round(full - value, 6) for value in without.values()
    )
    strangers = [_known(value) for value in values[3 + 2 * num_groups : trial.num_telling : 2]]
    return Effects(
        _known(values[0]), _known(values[1]),
        max((value for value in strangers if value is not None), default=None),
        None if effects is None else found[:num_groups], found[num_groups:],
        lost, int((~np.isnan(values)).sum()),
    )  # fmt: skip


def _fitted(trial: Trial, outcomes: Float64Array, fit: Fit) -> list[float] | None:
    """One contribution a column of the design, without the rows of lone members."""
    end = trial.num_telling + len(trial.members)
    told = np.concatenate([outcomes[: trial.num_telling], outcomes[end:]])
    usable = ~np.isnan(told)
    if not usable[: trial.num_telling].all():
        return None
    return [round(float(weight), 6) for weight in fit(trial.design[usable], told[usable])]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
