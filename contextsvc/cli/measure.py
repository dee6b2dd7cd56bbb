"""`contextsvc measure` and `contextsvc calibrate`: pack many queries and measure the packs by ablation.

A placebo is an unrelated chunk that is put into a pack as a control. A reader is the language model that
measures.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contextsvc.cli.options import JsonFlag, RootOption, settings_with
from contextsvc.errors import MissingExtra, UserError

if TYPE_CHECKING:
    from contextsvc.measuring.comparison import Comparison, Configuration
    from contextsvc.records.json import Json
    from contextsvc.service.experiments import Question

QUERY_LINES = '{"query": TEXT, "response"?: TEXT}'
FEWER = (3, 1)


def measure(
    index: Annotated[str, typer.Option(help="Name of the index.")],
    queries: Annotated[Path, typer.Option(help=f"File with lines of {QUERY_LINES}.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")],
    budget: Annotated[list[int] | None, typer.Option(help="Token budget; repeatable.")] = None,
    max_chunks: Annotated[
        list[int] | None, typer.Option(help="Largest number of chunks; repeatable.")
    ] = None,
    ordering: Annotated[
        list[str] | None, typer.Option(help="relevance, document or edges; repeatable.")
    ] = None,
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Compare configurations over many queries.

    Measures the packs of every query under every configuration and recommends one configuration.
    """
    from dataclasses import asdict

    from contextsvc import open_index
    from contextsvc.cli.output import print_json, progress, say
    from contextsvc.pages.report import report_page
    from contextsvc.wiring import draw_pictures

    questions = _questions(queries)
    settings = settings_with(root=root)
    chunks = max_chunks or [settings.max_chunks, *FEWER]
    configurations = grid(chunks, budget or [800], ordering or [settings.ordering])
    _make_folder(out)
    rows: dict[str, list[Json]] = {configuration.name: [] for configuration in configurations}
    total = len(questions) * len(configurations)
    with progress(f"measuring {index}") as tell, open_index(index, settings=settings) as opened:

        def keep(name: str, row: "Json") -> None:
            rows[name].append(row)
            tell(f"{sum(map(len, rows.values()))} of {total} packs")

        comparison = opened.compare(questions, configurations, keep)
    try:
        pictures = draw_pictures(comparison)
    except MissingExtra as missing:
        pictures = {}
        say(f"no pictures: {missing}")
    shown = comparison.shown.configuration.name
    (out / "report.html").write_text(report_page(comparison, rows[shown], pictures), "utf-8")
    content = {"comparison": asdict(comparison), "queries": rows}
    (out / "report.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if as_json:
        print_json({**asdict(comparison), "report": str(out / "report.html")})
        return
    _print(comparison, out / "report.html")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"the folder {out} cannot be made: {error.strerror}"
        raise UserError(f"{why}; name another one with --out") from None


def calibrate(
    index: Annotated[str, typer.Option(help="Name of the index.")],
    queries: Annotated[Path | None, typer.Option(help=f"File with lines of {QUERY_LINES}.")] = None,
    num_questions: Annotated[
        int, typer.Option(min=1, help="Number of questions to draw from the index if there is no file.")
    ] = 100,
    root: Annotated[Path | None, RootOption] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Store the reader's threshold for an index.

    Measures placebos (unrelated chunks put into packs as a control) with the reader (the language model that
    measures). Without a file, each question is a sentence of the index, and its answer is the next sentence.
    """
    from dataclasses import asdict

    from contextsvc import open_index
    from contextsvc.cli.output import print_fields, print_json, progress
    from contextsvc.measuring.verdicts import threshold_from

    settings = settings_with(root=root)
    with progress(f"calibrating {index}") as tell, open_index(index, settings=settings) as opened:
        generation = opened.generation
        questions = _questions(queries) if queries else None
        stored = opened.calibrate(
            questions, num_questions=num_questions, report=lambda row: tell(_state(row))
        )
    for calibration in stored:
        found = threshold_from(calibration.placebo_effects, calibration.origin, settings.seed, True)
        if as_json:
            print_json(
                {"target_kind": calibration.target_kind, "reader": str(calibration.reader), **asdict(found)}
            )
            continue
        print_fields(
            {
                f"threshold, {calibration.target_kind} as target": f"{found.eps:.3f} nats/token "
                f"[{found.low:.3f}, {found.high:.3f}] from {found.num_placebos} placebos",
                "stored for": f"generation {generation}, reader {calibration.reader}",
            }
        )


def grid(chunks: list[int], budgets: list[int], orderings: list[str]) -> "list[Configuration]":
    """Return every combination once, the widest first: most tokens, then most chunks.

    Args:
        chunks: Largest numbers of chunks.
        budgets: Token budgets.
        orderings: Names of orderings.

    Raises:
        UnknownChoice: an ordering is unknown.
    """
    from contextsvc.measuring.comparison import Configuration
    from contextsvc.packing.ordering import ordering_named

    for name in orderings:
        ordering_named(name)
    many = len(set(orderings)) > 1
    found = {
        (k, tokens, order): Configuration(
            f"{k} chunk{'s' * (k != 1)}, {tokens} tokens" + (f", {order}" if many else ""), k, tokens, order
        )
        for k, tokens, order in product(chunks, budgets, orderings)
    }
    return sorted(found.values(), key=lambda c: (-c.budget_tokens, -c.max_chunks))


def read_queries(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield (query, response or None) for each line of a file. Empty lines are skipped.

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
            raise UserError(f"{path}:{number}: expected {QUERY_LINES}, found {line[:80]}")
        yield query, response


def _questions(path: Path) -> "list[Question]":
    from contextsvc.service.experiments import Question

    found = [Question(query, response) for query, response in read_queries(path)]
    if not found:
        raise UserError(f"{path} holds no query; expected lines of {QUERY_LINES}")
    return found


def _state(row: "Json") -> str:
    return f"skipped: {row['skipped']}" if "skipped" in row else f"{row['num_placebos']} placebos"


def _print(comparison: "Comparison", page: Path) -> None:
    from contextsvc.cli.output import print_fields

    fields = {}
    for result in comparison.results:
        score = "not measured to the end"
        if result.score is not None and result.score_interval is not None:
            low, high = result.score_interval
            score = f"utilization {result.score:.2f} [{low:.2f}, {high:.2f}]"
        fields[result.configuration.name] = (
            f"{result.tokens:,.0f} tokens, {score}, compared with the widest: {result.against_widest.verdict}"
            if result.configuration.name != comparison.widest
            else f"{result.tokens:,.0f} tokens, {score}, the widest"
        )
    advice = comparison.recommended or "none"
    print_fields({**fields, "recommended": f"{advice}: {comparison.reason}", "report": page})
