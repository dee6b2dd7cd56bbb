"""Configurations side by side on SQuAD, and their page: `python -m benchmarks.ablation.configurations`."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.ablation.modes import progress
from benchmarks.rows import RESULTS, Row, dataset, fingerprint
from benchmarks.squad import FILE, load_articles, sample
from benchmarks.switches import asked_for
from contextsvc.cli.measure import grid
from contextsvc.indexing.build import build_index
from contextsvc.records.json import Json
from contextsvc.service.experiments import Question, compare_configurations
from contextsvc.settings import Settings
from contextsvc.web.report import report_page
from contextsvc.wiring import build_engine, build_index_parts, draw_pictures

COMMAND = "python -m benchmarks.ablation.configurations"
SEED, NUM_QUESTIONS = 29, 16
CHUNKS, BUDGETS = [6, 3, 1], [800]
PAGE = RESULTS / "report.html"


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, write rows and page."""
    chosen = asked_for(COMMAND, __doc__, argv, questions=NUM_QUESTIONS, articles=12)
    data = fingerprint(dataset(*FILE))
    documents, questions = load_articles(12, 12 + chosen["articles"])
    asked = [Question(q.text, q.answer) for q in sample(questions, chosen["questions"], SEED)]
    shown: dict[str, list[Json]] = {}

    def keep(name: str, row: Json) -> None:
        shown.setdefault(name, []).append(row)
        progress(f"{sum(map(len, shown.values()))} of {len(asked) * len(CHUNKS)} packs")

    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder), cache=False, score_floor=0.0)
        build_index(settings.root, "squad", documents, build_index_parts(settings))
        engine = build_engine(settings)
        configurations = grid(CHUNKS, BUDGETS, [settings.ordering])
        found = compare_configurations(engine, "squad", asked, configurations, keep)
    rows = []
    for result in found.results:
        name, said = result.configuration.name, {"score_floor": 0.0, "recommended": found.recommended}
        figures = {
            "mean tokens": (result.tokens, result.tokens_interval),
            "quality, nats/token": (result.quality, result.quality_interval),
            "share of queries that lose against the widest, upper bound": (
                result.against_widest.loss_bound,
                None,
            ),
        }
        if result.score is not None:
            figures["utilization"] = (result.score, result.score_interval)
        for figure, (value, interval) in figures.items():
            verdict = {"verdict": result.against_widest.verdict}
            rows.append(Row("ablation_configurations", f"{name}: {figure}", value, interval,
                            result.num_queries, data, said, SEED, COMMAND, verdict))  # fmt: skip
    page = report_page(found, shown[found.shown.configuration.name], draw_pictures(found))
    print(f"\n{found.recommended}: {found.reason}")
    if not chosen.dry:
        PAGE.write_text(page, "utf-8")
        print(f"page: {PAGE.relative_to(RESULTS.parents[1])}")
    chosen.keep(rows)


if __name__ == "__main__":
    main()
