"""Test of the threshold that ships, on new articles: `python -m benchmarks.ablation.placebos`.

The threshold was drawn in the first 12 articles of SQuAD dev. This measures default packs of the last 12,
each with two placebos that no threshold has seen.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.ablation.modes import bites
from benchmarks.ablation.packs import labelled_packs, measured, squad
from benchmarks.indexes import indexed
from benchmarks.switches import asked_for

COMMAND = "python -m benchmarks.ablation.placebos"
SEED, NUM_PACKS = 43, 200


def main(argv: Sequence[str] | None = None) -> None:
    """Measure packs with the response given, as a service would."""
    asked = asked_for(COMMAND, __doc__, argv, questions=NUM_PACKS, articles=12)
    data, documents, drawn = squad(asked, 3 * NUM_PACKS, SEED)
    with indexed("squad", documents) as (engine, index):
        packs = labelled_packs(engine, index, drawn, asked["questions"])
        found = measured(engine.measurer.measurer, "placebos", index, packs)
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
    chosen = {"max_chunks": engine.settings.max_chunks, "articles": "12 to 24"}
    sheet = asked.sheet("ablation_placebos", data, SEED, **chosen)
    asked.keep([sheet.mean(figure, values) for figure, values in figures.items() if len(values)])


if __name__ == "__main__":
    main()
