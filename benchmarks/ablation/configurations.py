"""Configurations compared on SQuAD, with a page: `python -m benchmarks.ablation.configurations`."""

from collections.abc import Sequence

from benchmarks.ablation.packs import progress, squad
from benchmarks.indexes import indexed
from benchmarks.rows import RESULTS
from benchmarks.switches import asked_for
from contextsvc.cli.measure import grid
from contextsvc.pages.report import report_page
from contextsvc.records.json import Json
from contextsvc.service.experiments import Question, compare_configurations
from contextsvc.wiring import draw_pictures

COMMAND = "python -m benchmarks.ablation.configurations"
SEED, NUM_QUESTIONS = 29, 16
CHUNKS, BUDGETS = [6, 3, 1], [800]
PAGE = RESULTS / "report.html"


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, write rows and page."""
    asked = asked_for(COMMAND, __doc__, argv, questions=NUM_QUESTIONS, articles=12)
    data, documents, drawn = squad(asked, asked["questions"], SEED)
    questions = [Question(question.text, question.answer) for question in drawn]
    shown: dict[str, list[Json]] = {}

    def keep(name: str, row: Json) -> None:
        shown.setdefault(name, []).append(row)
        progress(f"{sum(map(len, shown.values()))} of {len(questions) * len(CHUNKS)} packs")

    with indexed("squad", documents, score_floor=0.0) as (engine, _):
        configurations = grid(CHUNKS, BUDGETS, [engine.settings.ordering])
        found = compare_configurations(engine, "squad", questions, configurations, keep)
    sheet = asked.sheet("ablation_configurations", data, SEED, score_floor=0.0, recommended=found.recommended)
    rows = []
    for result in found.results:
        widest = result.against_widest
        figures = {
            "mean tokens": (result.tokens, result.tokens_interval),
            "quality, nats/token": (result.quality, result.quality_interval),
            "share of queries that lose against the widest, upper bound": (widest.loss_bound, None),
        }
        if result.score is not None:
            figures["utilization"] = (result.score, result.score_interval)
        for figure, (value, interval) in figures.items():
            label, verdict = f"{result.configuration.name}: {figure}", {"verdict": widest.verdict}
            rows.append(sheet.row(label, value, result.num_queries, interval, verdict))
    page = report_page(found, shown[found.shown.configuration.name], draw_pictures(found))
    print(f"\n{found.recommended}: {found.reason}")
    if not asked.dry:
        PAGE.write_text(page, "utf-8")
        print(f"page: {PAGE.relative_to(RESULTS.parents[1])}")
    asked.keep(rows)


if __name__ == "__main__":
    main()
