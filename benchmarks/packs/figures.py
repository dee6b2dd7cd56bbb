"""Packs -> rows: figures of each side at each budget, and differences between ours and the others."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.packs import evidence
from benchmarks.packs.collections import PackQuestion
from benchmarks.packs.evidence import ENOUGH, SHARE, TOKENS, Pack, smallest_enough
from benchmarks.packs.sides import Packs
from benchmarks.pairs import resampled
from benchmarks.rows import Row, Sheet
from contextsvc.records.arrays import Float64Array, Int64Array

SEED = 29
NEEDED = f"tokens until {100 * ENOUGH:.0f} % of a question's supporting sentences are inside"
SMALLEST = f"smallest budget with {100 * ENOUGH:.0f} % of the supporting sentences inside, tokens"

SCORES: Mapping[str, Callable[[PackQuestion, Pack], Mapping[str, float]]] = {
    "hotpotqa": evidence.supporting,
    "chunking": evidence.retrieved,
    "etcd": evidence.answered,
}
"""Figures of a pack, by collection."""

Scored = Mapping[int, Mapping[str, Sequence[float]]]
"""One value a question, by budget and figure."""


def scored(name: str, questions: Sequence[PackQuestion], packs: Packs) -> Scored:
    """The figures of a side's packs for a collection."""
    table = {}
    for budget, found in packs.items():
        told = [SCORES[name](question, pack) for question, pack in zip(questions, found, strict=True)]
        table[budget] = {figure: [one[figure] for one in told] for figure in told[0]}
    return table


def rows(
    side: str, found: Scored, shown: Sequence[int], sheet: Sheet, kinds: Sequence[str] = ()
) -> list[Row]:
    """Figures of a side at the budgets shown, with the score of each question.

    If the questions have `kinds`, one each, the details also hold the mean and the number of each kind.
    """
    figures = {
        f"{side}, {budget} tokens: {figure}": values
        for budget in shown
        for figure, values in found[budget].items()
    }
    whole = _whole_grid(found, shown)
    if whole:
        figures[f"{side}: {NEEDED}"] = needed(found)
    made = [
        sheet.mean(
            figure, values, {"scores": [round(value, 3) for value in values], **by_kind(values, kinds)}
        )
        for figure, values in figures.items()
    ]
    return [*made, _smallest(side, found, sheet)] if whole else made


def by_kind(values: Sequence[float], kinds: Sequence[str]) -> dict[str, dict[str, tuple[float, int]]]:
    """Mean and number of the values of each kind, as a detail of a row; {} if there are no kinds."""
    found = {
        kind: [value for value, own in zip(values, kinds, strict=True) if own == kind]
        for kind in sorted(set(kinds))
    }
    means = {kind: (round(sum(some) / len(some), 4), len(some)) for kind, some in found.items()}
    return {"by_kind": means} if means else {}


def compared(first: Scored, second: Scored, label: str, shown: Sequence[int], sheet: Sheet) -> list[Row]:
    """First minus second, question by question, of all figures but the tokens of packs."""
    made = [
        sheet.difference(f"{label}, {budget} tokens: {figure}", values, second[budget][figure])
        for budget in shown
        for figure, values in first[budget].items()
        if figure != TOKENS
    ]
    if _whole_grid(first, shown):
        made.append(sheet.difference(f"{label}: {NEEDED}", needed(first), needed(second)))
    return made


def needed(found: Scored) -> list[float]:
    """Tokens that each question needs; the largest budget if none is enough."""
    by_budget = {budget: values[SHARE] for budget, values in found.items()}
    num = len(next(iter(by_budget.values())))
    shares = [{budget: values[n] for budget, values in by_budget.items()} for n in range(num)]
    return [smallest_enough(one) or max(by_budget) for one in shares]


def _whole_grid(found: Scored, shown: Sequence[int]) -> bool:
    # Budgets beyond those shown are packed only for the tokens needed.
    return len(found) > len(shown) and all(SHARE in values for values in found.values())


def _smallest(side: str, found: Scored, sheet: Sheet) -> Row:
    """The smallest budget that is enough in the mean; the largest one, marked as not reached, if none is."""
    budgets = sorted(found)
    shares = np.array([found[budget][SHARE] for budget in budgets])
    means = dict(zip(budgets, shares.mean(axis=1).tolist(), strict=True))
    value = smallest_enough(means)

    def smallest(drawn: Int64Array) -> Float64Array:
        enough = np.array([row[drawn].mean(axis=1) for row in shares]) >= ENOUGH - 1e-9
        enough[-1] = True
        found: Float64Array = np.array(budgets, dtype=np.float64)[enough.argmax(axis=0)]
        return found

    num = shares.shape[1]
    details = {
        "reached": value is not None,
        "mean_shares": [round(mean, 4) for mean in means.values()],
        "budgets": budgets,
    }
    interval = resampled(num, smallest, sheet.seed)
    return sheet.row(f"{side}: {SMALLEST}", value or budgets[-1], num, interval, details)
