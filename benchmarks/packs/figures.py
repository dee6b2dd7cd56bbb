"""Packs -> rows: every side's figures at every budget, and how far ours is from each other side."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.packs.collections import PackQuestion
from benchmarks.packs.evidence import (
    ENOUGH,
    SHARE,
    TOKENS,
    Pack,
    retrieved,
    smallest_enough,
    supporting,
    tokens_needed,
)
from benchmarks.packs.sides import Packs
from benchmarks.pairs import difference_row
from benchmarks.rows import Row, mean_row
from contextsvc.measuring.statistics import bootstrap
from contextsvc.records.arrays import Float64Array

SEED = 29
NEEDED = f"tokens until {100 * ENOUGH:.0f} % of a question's supporting sentences are inside"
SMALLEST = f"smallest budget with {100 * ENOUGH:.0f} % of the supporting sentences inside, tokens"

SCORES: Mapping[str, Callable[[PackQuestion, Pack], Mapping[str, float]]] = {
    "hotpotqa": supporting,
    "chunking": retrieved,
}
"""What is told of a pack, by collection."""

Scored = Mapping[int, Mapping[str, Sequence[float]]]
"""One value a question, by budget and figure."""


def scored(name: str, questions: Sequence[PackQuestion], packs: Packs) -> Scored:
    """The figures of a side's packs for a collection."""
    table = {}
    for budget, found in packs.items():
        told = [SCORES[name](question, pack) for question, pack in zip(questions, found, strict=True)]
        table[budget] = {figure: [one[figure] for one in told] for figure in told[0]}
    return table


def rows(side: str, found: Scored, shown: Sequence[int], common: Mapping[str, Any]) -> list[Row]:
    """A side's figures at the budgets shown, with each question's score.

    `common`: benchmark, dataset, settings, seed and command of all rows.
    """
    made = [
        _mean(f"{side}, {budget} tokens: {figure}", values, common)
        for budget in shown
        for figure, values in found[budget].items()
    ]
    if _whole_grid(found, shown):
        made += [_mean(f"{side}: {NEEDED}", needed(found), common), _smallest(side, found, common)]
    return made


def compared(
    first: Scored, second: Scored, label: str, shown: Sequence[int], common: Mapping[str, Any]
) -> list[Row]:
    """First less second, question by question; the tokens of packs are not compared."""
    made = [
        difference_row(figure=f"{label}, {budget} tokens: {figure}", first=first[budget][figure],
                       second=second[budget][figure], **common)
        for budget in shown
        for figure in first[budget]
        if figure != TOKENS
    ]  # fmt: skip
    if _whole_grid(first, shown):
        made.append(
            difference_row(figure=f"{label}: {NEEDED}", first=needed(first), second=needed(second), **common)
        )
    return made


def needed(found: Scored) -> list[float]:
    """Tokens that each question needs; one that never gets there counts as the largest budget."""
    by_budget = {budget: values[SHARE] for budget, values in found.items()}
    num = len(next(iter(by_budget.values())))
    return [tokens_needed({budget: shares[n] for budget, shares in by_budget.items()}) for n in range(num)]


def _whole_grid(found: Scored, shown: Sequence[int]) -> bool:
    # Budgets beyond those shown are there for this alone.
    return len(found) > len(shown) and all(SHARE in values for values in found.values())


def _mean(figure: str, values: Sequence[float], common: Mapping[str, Any]) -> Row:
    row = mean_row(figure=figure, values=values, **common)
    row.details["scores"] = [round(value, 3) for value in values]
    return row


def _smallest(side: str, found: Scored, common: Mapping[str, Any]) -> Row:
    """With the interval over questions; where no budget is enough, the largest one, and it is said."""
    budgets = sorted(found)
    shares = np.array([found[budget][SHARE] for budget in budgets])
    means = dict(zip(budgets, shares.mean(axis=1).tolist(), strict=True))
    value = smallest_enough(means)

    def smallest(samples: Float64Array) -> Float64Array:
        drawn = np.array([row[samples.astype(np.int64)].mean(axis=1) for row in shares])
        enough = drawn >= ENOUGH - 1e-9
        enough[-1] = True
        found: Float64Array = np.array(budgets, dtype=np.float64)[enough.argmax(axis=0)]
        return found

    num = shares.shape[1]
    interval = bootstrap(np.arange(num, dtype=np.float64), smallest, common["seed"])
    return Row(
        figure=f"{side}: {SMALLEST}", value=float(value or budgets[-1]), interval=interval, n=num,
        details={"reached": value is not None, "mean_shares": [round(mean, 4) for mean in means.values()],
                 "budgets": budgets},
        **common,
    )  # fmt: skip
