"""The thresholds that ship with the package: `python -m benchmarks.ablation.calibration`.

Placebo effects of the default reader in default packs of the first 12 articles of SQuAD dev. Three times as
many as `contextsvc calibrate` draws: what ships is used by everybody, and the highest of few move a lot.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.ablation.modes import progress
from benchmarks.rows import Row, dataset, fingerprint
from benchmarks.squad import FILE, load_articles, sample
from benchmarks.switches import asked_for
from contextsvc.indexing.build import build_index
from contextsvc.measuring.records import TargetKind
from contextsvc.measuring.verdicts import threshold_from
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.json import Json
from contextsvc.service.experiments import Question, calibrate
from contextsvc.settings import Settings
from contextsvc.wiring import build_engine, build_index_parts

COMMAND = "python -m benchmarks.ablation.calibration"
SEED, NUM_PACKS, ENOUGH = 3, 320, 600
FOLDER = Path(__file__).parents[2] / "contextsvc" / "measuring" / "calibrations"
ORIGIN = "SQuAD dev, 12 articles, packs of 3 chunks"


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, store, report."""
    usual = Settings.from_env()
    chosen = asked_for(
        COMMAND, __doc__, argv, placebos=ENOUGH, each=usual.num_placebos, chunks=usual.max_chunks, articles=12
    )
    data = fingerprint(dataset(*FILE))
    documents, questions = load_articles(0, chosen["articles"])
    drawn = sample(questions, 2 * NUM_PACKS * chosen["placebos"] // ENOUGH, SEED)
    kinds: tuple[TargetKind, ...] = ("response", "answer")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(
            usual, root=Path(folder), cache=False, max_chunks=chosen["chunks"], num_placebos=chosen["each"]
        )
        build_index(settings.root, "squad", documents, build_index_parts(settings))
        engine = build_engine(settings)
        name = engine.measurer.measurer.reader.name
        for kind in kinds:

            def tell(row: Json, kind: str = kind) -> None:
                progress(f"{kind}: {row.get('num_placebos', 'skipped')} placebos")

            asked = [Question(q.text, q.answer if kind == "response" else None) for q in drawn]
            (found,) = calibrate(engine, "squad", asked, tell, chosen["placebos"])
            found = replace(found, origin=ORIGIN)
            if not chosen.dry:
                store(name, kind, found.reader, found.method, found.placebo_effects)
            threshold = threshold_from(found.placebo_effects, ORIGIN, settings.seed)
            figure, packs = f"threshold, {kind} as target, nats/token", {"max_chunks": settings.max_chunks}
            rows.append(
                Row("ablation_calibration", figure, threshold.eps, (threshold.low, threshold.high),
                    threshold.num_placebos, data, packs, SEED, COMMAND,
                    {"placebos_a_pack": settings.num_placebos})
            )  # fmt: skip
    print()
    chosen.keep(rows)


def store(name: str, kind: TargetKind, reader: Fingerprint, method: str, effects: tuple[float, ...]) -> None:
    """Keep placebo effects where the package looks for them."""
    content = {
        "reader": asdict(reader),
        "method": method,
        "target_kind": kind,
        "origin": ORIGIN,
        "placebo_effects": effects,
    }
    path = FOLDER / f"{name.lower()}-{kind}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
