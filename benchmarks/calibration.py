"""The thresholds that ship with the package, and a fresh check of them: `python -m benchmarks.calibration`.

Placebo effects are drawn on the first 12 articles of SQuAD dev; their rate and the bite are reported
on the other 12, which nothing was tuned on.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.rows import Row, dataset, fingerprint, write
from benchmarks.squad import FILE, Question, load_articles, sample
from contextsvc.engine import Ask, Engine
from contextsvc.indexing import build_index
from contextsvc.library import LoadedIndex
from contextsvc.measurements import TargetKind, Utilization
from contextsvc.measuring import Measurer
from contextsvc.records import ContextPack
from contextsvc.settings import Settings
from contextsvc.steps.ablation import threshold_from
from contextsvc.steps.statistics import mean_interval
from contextsvc.wiring import build_engine, build_index_parts, build_measurer

COMMAND = "python -m benchmarks.calibration"
SEED, BUDGET = 3, 800
NUM_CALIBRATION = {"response": 120, "answer": 100}
NUM_FRESH = 60
FOLDER = Path(__file__).parents[1] / "contextsvc" / "calibrations"
ORIGIN = "SQuAD dev, 12 articles, packs of 3 chunks"


def packs(engine: Engine, index: str, questions: list[Question]) -> Iterator[tuple[Question, ContextPack]]:
    """The default pack of each question."""
    loaded = engine.library.get(index)
    for number, question in enumerate(questions, start=1):
        request = engine.request(Ask(index, question.text, BUDGET))
        yield question, engine.assembler.assemble(loaded, request)[0]
        print(f"\r{index} {number}/{len(questions)}", end="", file=sys.stderr, flush=True)


def collect(engine: Engine, measurer: Measurer, kind: TargetKind, questions: list[Question]) -> list[float]:
    """Placebo effects, two a question."""
    loaded = engine.library.get("calibration")
    effects: list[float] = []
    for question, pack in packs(engine, "calibration", questions):
        response = question.answer if kind == "response" else None
        effects.extend(measurer.placebo_effects(loaded, pack, response)[0])
    return [round(effect, 5) for effect in effects]


def check(
    engine: Engine, measurer: Measurer, loaded: LoadedIndex, questions: list[Question]
) -> tuple[list[Utilization], list[float]]:
    """Measurements with the gold answer, and whether the gold paragraph was live where it mattered.

    It matters where it is in the pack and the answer depends on the context.
    """
    found, bites = [], []
    for question, pack in packs(engine, "fresh", questions):
        utilization = measurer.measure(loaded, pack, question.answer)
        found.append(utilization)
        gold = [p.candidate.chunk.doc_id == question.doc_id for p in pack.chunks]
        if any(gold) and utilization.controls.depends_on_context:
            verdicts = zip(gold, utilization.verdicts, strict=True)
            bites.append(float(any(g and v.verdict == "live" for g, v in verdicts)))
    return found, bites


def main() -> None:
    """Calibrate, store, check on fresh articles."""
    data = fingerprint(dataset(*FILE))
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder), cache=False)
        parts = build_index_parts(settings)
        known, asked = load_articles(0, 12)
        fresh, fresh_asked = load_articles(12, 24)
        build_index(settings.root, "calibration", known, parts)
        build_index(settings.root, "fresh", fresh, parts)
        engine = build_engine(settings)
        measurer = build_measurer(settings)
        rows = []
        thresholds = {}
        kinds: tuple[TargetKind, ...] = ("response", "answer")
        for kind in kinds:
            effects = collect(engine, measurer, kind, sample(asked, NUM_CALIBRATION[kind], SEED))
            store(measurer, kind, effects, data)
            threshold = thresholds[kind] = threshold_from(effects, ORIGIN, settings.seed)
            interval = (threshold.low, threshold.high)
            rows.append(
                row(f"threshold, {kind} as target, nats/token", threshold.eps, interval, len(effects), data)
            )
        measurer = replace(measurer, thresholds=thresholds)
        loaded = engine.library.get("fresh")
        found, bites = check(engine, measurer, loaded, sample(fresh_asked, NUM_FRESH, SEED))
    placebos = np.array([effect for u in found for effect in u.controls.placebo_effects])
    rates = (placebos > thresholds["response"].eps).astype(np.float64)
    scores = np.array([u.score for u in found])
    for figure, values in {
        "share of fresh placebos called live": rates,
        "share of gold chunks called live where the answer depends on the context": np.array(bites),
        "mean utilization, packs of 3 chunks": scores,
        "seconds a measurement": np.array([u.cost.seconds for u in found]),
    }.items():
        rows.append(row(figure, float(values.mean()), mean_interval(values, SEED), len(values), data))
    write(rows)


def row(figure: str, value: float, interval: tuple[float, float], n: int, data: str) -> Row:
    """A row of this benchmark."""
    settings = {"budget_tokens": BUDGET, "max_chunks": 3, "target": "gold answer unless said otherwise"}
    return Row("calibration", figure, value, interval, n, data, settings, SEED, COMMAND, {})


def store(measurer: Measurer, kind: TargetKind, effects: list[float], data: str) -> None:
    """Keep placebo effects where the package looks for them."""
    name = measurer.reader.name
    content = {
        "reader": name,
        "fingerprint": measurer.reader.fingerprint,
        "target_kind": kind,
        "origin": ORIGIN,
        "dataset": data,
        "seed": SEED,
        "command": COMMAND,
        "placebo_effects": effects,
    }
    path = FOLDER / f"{name.lower()}-{kind}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
