"""Reader modes compared on SQuAD: `python -m benchmarks.ablation.modes`.

The threshold of each mode comes from placebos in packs of one half of the questions; all figures are of the
other half of the same articles, the last 12. Prompt, outcome, masks and effect were chosen on the first 12.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.ablation import packs as common
from benchmarks.ablation.figures import Ranked, gold_first, over_questions, roc_area
from benchmarks.ablation.packs import Labelled
from benchmarks.pairs import Values
from benchmarks.rows import Row, Sheet
from benchmarks.switches import asked_for
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.records import Calibration, Utilization
from contextsvc.storage.library import LoadedIndex

COMMAND = "python -m benchmarks.ablation.modes"
SEED = 7
NUM_PACKS = {"masked": (40, 40), "blocks": (100, 80), "exact": (12, 20)}
"""Packs for placebos and packs to measure, by mode; `exact` takes several times as long."""


def calibrated(measurer: Measurer, mode: str, index: LoadedIndex, packs: Sequence[Labelled]) -> Measurer:
    """The measurer with a threshold from placebos in these packs."""
    effects: list[float] = []
    for number, found in enumerate(packs, start=1):
        effects.extend(measurer.placebo_effects(index, found.pack, found.target)[0])
        common.progress(f"{mode}: placebos of {number}/{len(packs)} packs")
    own = Calibration(
        reader=measurer.reader.fingerprint,
        method=measurer.method,
        target_kind="response",
        origin="SQuAD dev, packs of 6",
        placebo_effects=tuple(effects),
    )
    return replace(measurer, packaged=(own,))


def agreement(found: Utilization, exact: Utilization) -> float:
    """Share of tokens with the same verdict."""
    pairs = list(zip(found.verdicts, exact.verdicts, strict=True))
    same = sum(a.num_tokens for a, b in pairs if a.verdict == b.verdict)
    return same / sum(a.num_tokens for a, _ in pairs)


def bites(found: Sequence[Utilization], packs: Sequence[Labelled]) -> list[float]:
    """1 if gold is live; only packs whose answer is not known without them."""
    return [
        float(any(v.verdict == "live" for v, gold in zip(u.verdicts, p.gold, strict=True) if gold))
        for u, p in zip(found, packs, strict=True)
        if u.controls.depends_on_context
    ]


def rows_of(mode: str, found: list[Utilization], packs: Sequence[Labelled], sheet: Sheet) -> list[Row]:
    """Figures of one mode."""
    questions: list[Ranked] = [
        ([v.effect or 0.0 for v in u.verdicts], p.gold) for u, p in zip(found, packs, strict=True)
    ]
    area, around = over_questions(roc_area, [questions], SEED, rounds=500)
    threshold, said = found[0].threshold, chosen(mode)
    bounds = threshold.low, threshold.high
    figures: dict[str, Values] = {
        "gold chunk has the largest effect": gold_first(questions),
        "fresh placebos called live": [
            float(effect > u.threshold.eps) for u in found for effect in u.controls.placebo_effects
        ],
        "gold live where the answer is not known without context": bites(found, packs),
        "share of answers that depend on the context": [
            float(bool(u.controls.depends_on_context)) for u in found
        ],
        "live chunks alone are enough": [
            float(u.controls.sufficient) for u in found if u.controls.sufficient is not None
        ],
        "utilization": [u.score for u in found if u.score is not None],
        "seconds a measurement": [u.cost.seconds for u in found],
    }
    return [
        sheet.row(f"{mode}: area under ROC, gold chunk against others", area, len(questions), around, **said),
        sheet.row(f"{mode}: threshold, nats/token", threshold.eps, threshold.num_placebos, bounds, **said),
        # In a small trial some figures have no value.
        *(sheet.mean(f"{mode}: {name}", values, **said) for name, values in figures.items() if len(values)),
    ]


def chosen(mode: str) -> dict[str, Any]:
    """Settings of a row."""
    return {"mode": mode, "num_chunks": 6, "target": "gold answer", "articles": "12 to 24"}


def main(argv: Sequence[str] | None = None) -> None:
    """All modes on the same questions."""
    num_drawn, num_measured = (max(numbers) for numbers in zip(*NUM_PACKS.values(), strict=True))
    names = {"modes": tuple(NUM_PACKS)}
    asked = asked_for(COMMAND, __doc__, argv, names, questions=num_measured, drawn=num_drawn, **common.SIZES)
    data, documents, drawn = common.squad(asked, 400, SEED)
    sheet, rows = asked.sheet("ablation_modes", data, SEED), list[Row]()
    by_mode: dict[str, list[Utilization]] = {}

    def keep(mode: str, figure: str, values: list[float]) -> None:
        rows.append(sheet.mean(f"{mode}: {figure}", values, **chosen(mode)))

    with common.indexed("squad", documents, **common.sized(asked)) as (engine, index):
        drawing = common.labelled_packs(engine, index, drawn[:150], asked["drawn"])
        packs = common.labelled_packs(engine, index, drawn[150:], asked["questions"])
        for mode in asked.names["modes"]:
            num_drawn, num_measured = NUM_PACKS[mode]
            measurer = common.measurer_of(engine, reader_mode=mode)
            measurer = calibrated(measurer, mode, index, drawing[:num_drawn])
            found = by_mode[mode] = common.measured(measurer, mode, index, packs[:num_measured])
            rows += rows_of(mode, found, packs[:num_measured], sheet)
            if mode == "blocks":
                again = common.measured(measurer, f"{mode} again", index, packs[:num_measured])
                keep(mode, "seconds, chunks measured before", [u.cost.seconds for u in again])
                same = [float(a.verdicts == b.verdicts) for a, b in zip(found, again, strict=True)]
                keep(mode, "equal bit for bit with kept states", same)
    exact = by_mode.pop("exact", [])
    for mode, found in by_mode.items() if exact else ():
        pairs = list(zip(found, exact, strict=False))
        keep(mode, "share of tokens with the verdict of exact", [agreement(a, b) for a, b in pairs])
        keep(mode, "seconds as a share of exact", [a.cost.seconds / b.cost.seconds for a, b in pairs])
    print(file=sys.stderr)
    asked.keep(rows)


if __name__ == "__main__":
    main()
