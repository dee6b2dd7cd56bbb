"""Ways of scoring against each other on SQuAD: `python -m benchmarks.ablation.modes`.

Each mode gets its threshold from placebos in packs of one half of the questions; all figures are of the
other half, same articles. Prompt, outcome, masks and effect were chosen on the first 12 articles; these are
the last 12.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.ablation.figures import Ranked, gold_first, over_questions, roc_area
from benchmarks.ablation.packs import SIZES, Labelled, indexed, labelled_packs, measurer_of, sized
from benchmarks.rows import Row, dataset, fingerprint, mean_row
from benchmarks.squad import FILE, load_articles, sample
from benchmarks.switches import Asked, asked_for
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.records import Calibration, Target, Utilization
from contextsvc.records.arrays import Float64Array
from contextsvc.storage.library import LoadedIndex

COMMAND = "python -m benchmarks.ablation.modes"
SEED = 7
NUM_PACKS = {"masked": (40, 40), "blocks": (100, 80), "exact": (12, 20)}
"""Packs that placebos are drawn in, and packs that are measured; `exact` takes several times as long."""


def calibrated(measurer: Measurer, mode: str, index: LoadedIndex, packs: Sequence[Labelled]) -> Measurer:
    """The measurer with a threshold from placebos in these packs."""
    effects: list[float] = []
    for number, found in enumerate(packs, start=1):
        target = Target(found.question.answer, "response")
        effects.extend(measurer.placebo_effects(index, found.pack, target)[0])
        progress(f"{mode}: placebos of {number}/{len(packs)} packs")
    own = Calibration(
        reader=measurer.reader.fingerprint,
        method=measurer.method,
        target_kind="response",
        origin="SQuAD dev, packs of 6",
        placebo_effects=tuple(effects),
    )
    return replace(measurer, packaged=(own,))


def measured(
    measurer: Measurer, mode: str, index: LoadedIndex, packs: Sequence[Labelled]
) -> list[Utilization]:
    """Each pack's utilization with the gold answer as the response."""
    found = []
    for number, labelled in enumerate(packs, start=1):
        target = Target(labelled.question.answer, "response")
        found.append(measurer.measure(index, labelled.pack, target))
        progress(f"{mode}: {number}/{len(packs)} packs measured")
    return found


def ranked(found: Utilization, labelled: Labelled) -> Ranked:
    """Effects against gold."""
    return [v.effect or 0.0 for v in found.verdicts], labelled.gold


def agreement(found: Utilization, exact: Utilization) -> float:
    """Share of tokens with the same verdict."""
    pairs = list(zip(found.verdicts, exact.verdicts, strict=True))
    same = sum(a.num_tokens for a, b in pairs if a.verdict == b.verdict)
    return same / sum(a.num_tokens for a, _ in pairs)


def bites(found: Sequence[Utilization], packs: Sequence[Labelled]) -> list[float]:
    """Whether gold is live, of packs whose answer is not known without them."""
    return [
        float(any(v.verdict == "live" for v, gold in zip(u.verdicts, p.gold, strict=True) if gold))
        for u, p in zip(found, packs, strict=True)
        if u.controls.depends_on_context
    ]


def rows_of(mode: str, found: list[Utilization], packs: Sequence[Labelled], data: str) -> list[Row]:
    """Figures of one mode."""
    questions = [ranked(u, p) for u, p in zip(found, packs, strict=True)]
    area, around = over_questions(roc_area, questions, SEED, rounds=500)
    threshold = found[0].threshold
    rows = [
        Row("ablation_modes", f"{mode}: {figure}", value, interval, n, data, chosen(mode), SEED, COMMAND, {})
        for figure, value, interval, n in (
            ("area under ROC, gold chunk against others", area, around, len(questions)),
            ("threshold, nats/token", threshold.eps, (threshold.low, threshold.high), threshold.num_placebos),
        )
    ]
    figures: dict[str, Sequence[float] | Float64Array] = {
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
    # Of few packs none may be such a one.
    return rows + [mode_row(mode, figure, values, data) for figure, values in figures.items() if len(values)]


def mode_row(mode: str, figure: str, values: Sequence[float] | Float64Array, data: str) -> Row:
    """A mean of this benchmark."""
    return mean_row("ablation_modes", f"{mode}: {figure}", values, data, chosen(mode), SEED, COMMAND)


def chosen(mode: str) -> dict[str, Any]:
    """What a row's settings say."""
    return {"mode": mode, "num_chunks": 6, "target": "gold answer", "articles": "12 to 24"}


def progress(text: str) -> None:
    """The latest state, in place."""
    print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def arguments(argv: Sequence[str] | None) -> Asked:
    """Modes, and at most how many packs of each are measured and drawn in, their chunks, and articles."""
    drawn, measured = (max(numbers) for numbers in zip(*NUM_PACKS.values(), strict=True))
    names = {"modes": tuple(NUM_PACKS)}
    return asked_for(COMMAND, __doc__, argv, names, questions=measured, drawn=drawn, articles=12, **SIZES)


def main(argv: Sequence[str] | None = None) -> None:
    """All modes on the same questions."""
    asked = arguments(argv)
    data = fingerprint(dataset(*FILE))
    documents, questions = load_articles(12, 12 + asked["articles"])
    drawn = sample(questions, 400, SEED)
    rows: list[Row] = []
    by_mode: dict[str, list[Utilization]] = {}

    def keep(mode: str, figure: str, values: list[float]) -> None:
        rows.append(mode_row(mode, figure, values, data))

    with indexed("squad", documents, **sized(asked)) as (engine, index):
        drawing = labelled_packs(engine, index, drawn[:150], asked["drawn"])
        packs = labelled_packs(engine, index, drawn[150:], asked["questions"])
        for mode in asked.names["modes"]:
            num_drawn, num_measured = NUM_PACKS[mode]
            measurer = measurer_of(engine, reader_mode=mode)
            measurer = calibrated(measurer, mode, index, drawing[:num_drawn])
            found = by_mode[mode] = measured(measurer, mode, index, packs[:num_measured])
            rows += rows_of(mode, found, packs[:num_measured], data)
            if mode == "blocks":
                again = measured(measurer, f"{mode} again", index, packs[:num_measured])
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
