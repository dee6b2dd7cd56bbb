"""`contextsvc measure`: ablation over a file of queries, a report, and the index's stored score."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from contextsvc.cli.output import JsonFlag, print_fields, print_json, progress
from contextsvc.cli.report import report_markdown
from contextsvc.codec import Json, summary_view
from contextsvc.engine import Ask
from contextsvc.errors import UserError
from contextsvc.settings import Settings


def measure(
    index: Annotated[str, typer.Option(help="Name of the index.")],
    queries: Annotated[Path, typer.Option(help='JSONL of {"query": TEXT, "response"?: TEXT}.')],
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.md.")],
    budget: Annotated[int, typer.Option(help="Budget of each pack.")] = 800,
    max_chunks: Annotated[int | None, typer.Option(help="Most chunks of each pack.")] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the indexes.")] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Measure the utilization of the packs of many queries; stored as the index's score."""
    from contextsvc.wiring import build_engine

    asks = [Ask(index, query, budget, max_chunks, measure=True, response=response)
            for query, response in read_queries(queries)]  # fmt: skip
    if not asks:
        raise UserError(f'{queries} holds no query; expected lines of {{"query": TEXT, "response"?: TEXT}}')
    settings = Settings.from_env()
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Json] = []
    with progress(f"measuring {index}") as tell:
        engine = build_engine(replace(settings, root=root or settings.root))

        def keep(row: Json) -> None:
            rows.append(row)
            tell(f"{len(rows)} of {len(asks)} queries")

        summary = summary_view(engine.measure_queries(index, asks, keep))
    report = {"index": index, "budget_tokens": budget, "max_chunks": max_chunks or settings.max_chunks,
              "summary": summary, "queries": rows}  # fmt: skip
    (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "report.md").write_text(report_markdown(report), "utf-8")
    if as_json:
        print_json({**summary, "report": str(out / "report.json")})
        return
    low, high = summary["interval"]
    print_fields(
        {
            "utilization": f"{summary['score']:.2f} [{low:.2f}, {high:.2f}] over "
            f"{summary['num_queries']} queries",
            "stored for": f"generation {summary['generation']}",
            "report": out / "report.md",
        }
    )


def read_queries(path: Path) -> Iterator[tuple[str, str | None]]:
    """(query, response or None) of each line.

    Raises:
        UserError: the file cannot be read, or a line is not `{"query": TEXT, "response"?: TEXT}`.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the queries of {path}: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            query, response = content["query"], content.get("response")
        except (ValueError, KeyError, TypeError, AttributeError):
            query = response = None
        if not isinstance(query, str) or not isinstance(response, str | None):
            form = '{"query": TEXT, "response"?: TEXT}'
            raise UserError(f"{path}:{number}: expected {form}, found {line[:80]}")
        yield query, response
