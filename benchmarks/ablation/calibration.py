"""Thresholds that ship with the package: `python -m benchmarks.ablation.calibration`.

Draws placebo effects of the default reader in default packs of the first 12 articles of SQuAD dev. It draws
three times as many as `contextsvc calibrate`: every user gets these thresholds, and the highest of a few
effects varies a lot.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.ablation.packs import progress, squad
from benchmarks.indexes import indexed
from benchmarks.rows import Row
from benchmarks.switches import asked_for
from contextsvc.measuring.records import Calibration, TargetKind
from contextsvc.measuring.verdicts import threshold_from
from contextsvc.records.json import Json
from contextsvc.service.experiments import Question, calibrate
from contextsvc.settings import Settings

COMMAND = "python -m benchmarks.ablation.calibration"
SEED, NUM_PACKS, ENOUGH = 3, 320, 600
FOLDER = Path(__file__).parents[2] / "contextsvc" / "measuring" / "calibrations"
ORIGIN = "SQuAD dev, 12 articles, packs of 3 chunks"


def main(argv: Sequence[str] | None = None) -> None:
    """Draw placebo effects, store them in the package, report the thresholds."""
    usual = Settings.from_env()
    asked = asked_for(COMMAND, __doc__, argv, placebos=ENOUGH, each=usual.num_placebos, chunks=3, articles=12)
    data, documents, drawn = squad(asked, 2 * NUM_PACKS * asked["placebos"] // ENOUGH, SEED, first=0)
    sheet = asked.sheet("ablation_calibration", data, SEED, max_chunks=asked["chunks"])
    kinds: tuple[TargetKind, ...] = ("response", "answer")
    rows: list[Row] = []
    sizes = {"max_chunks": asked["chunks"], "num_placebos": asked["each"]}
    with indexed("squad", documents, **sizes) as (engine, _):
        for kind in kinds:

            def tell(row: Json, kind: str = kind) -> None:
                progress(f"{kind}: {row.get('num_placebos', 'skipped')} placebos")

            questions = [Question(q.text, q.answer if kind == "response" else None) for q in drawn]
            (found,) = calibrate(engine, "squad", questions, tell, asked["placebos"])
            found = replace(found, origin=ORIGIN)
            if not asked.dry:
                store(engine.measurer.measurer.reader.name, kind, found)
            threshold = threshold_from(found.placebo_effects, ORIGIN, usual.seed)
            rows.append(
                sheet.row(f"threshold, {kind} as target, nats/token", threshold.eps, threshold.num_placebos,
                          (threshold.low, threshold.high), {"placebos_a_pack": asked["each"]})
            )  # fmt: skip
    print()
    asked.keep(rows)


def store(name: str, kind: TargetKind, found: Calibration) -> None:
    """Write placebo effects where the package looks for them."""
    content = {
        "reader": asdict(found.reader),
        "method": found.method,
        "target_kind": kind,
        "origin": found.origin,
        "placebo_effects": found.placebo_effects,
    }
    path = FOLDER / f"{name.lower()}-{kind}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
