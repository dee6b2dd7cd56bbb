"""Whether the threshold that ships holds elsewhere: `python -m benchmarks.ablation.placebos`.

It was drawn in the first 12 articles of SQuAD dev; these are default packs of the last 12, each with two
placebos that no threshold has seen.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.ablation.modes import bites, progress
from benchmarks.ablation.packs import labelled_packs
from benchmarks.rows import dataset, fingerprint, mean_row
from benchmarks.squad import FILE, load_articles, sample
from benchmarks.switches import asked_for
from contextsvc.indexing.build import build_index
from contextsvc.measuring.records import Target
from contextsvc.settings import Settings
from contextsvc.wiring import build_engine, build_index_parts

COMMAND = "python -m benchmarks.ablation.placebos"
SEED, NUM_PACKS = 43, 200


def main(argv: Sequence[str] | None = None) -> None:
    """Measure packs with the response given, as a service would."""
    asked = asked_for(COMMAND, __doc__, argv, questions=NUM_PACKS, articles=12)
    documents, questions = load_articles(12, 12 + asked["articles"])
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder), cache=False)
        build_index(settings.root, "squad", documents, build_index_parts(settings))
        engine = build_engine(settings)
        index = engine.library.get("squad")
        drawn = sample(questions, 3 * NUM_PACKS, SEED)
        packs = labelled_packs(engine, index, drawn, asked["questions"])
        found = []
        for number, labelled in enumerate(packs, start=1):
            target = Target(labelled.question.answer, "response")
            found.append(engine.measurer.measurer.measure(index, labelled.pack, target))
            progress(f"{number}/{len(packs)} packs")
    data, chosen = fingerprint(dataset(*FILE)), {"max_chunks": settings.max_chunks, "articles": "12 to 24"}
    live = [
        np.repeat([1.0, 0.0], [live, len(u.controls.placebo_effects) - live])
        for u in found
        for live in [u.controls.num_placebos_live]
    ]
    figures = {
        "fresh placebos called live": np.concatenate(live),
        "gold live where the answer is not known without context": np.array(bites(found, packs)),
        "utilization": np.array([u.score or 0.0 for u in found]),
    }
    asked.keep([
        mean_row("ablation_placebos", figure, values, data, chosen, SEED, COMMAND)
        for figure, values in figures.items()
        if len(values)
    ])  # fmt: skip


if __name__ == "__main__":
    main()
