"""`contextsvc pack`: one context pack, for a person or a program."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from contextsvc.cli.output import (
    JsonFlag,
    out,
    print_fields,
    print_json,
    print_table,
    print_text,
    progress,
)
from contextsvc.records.json import Json
from contextsvc.records.spans import offset_in
from contextsvc.service.views import spans_text
from contextsvc.settings import Settings


def pack(
    query: Annotated[str, typer.Argument(help="The question.")],
    index: Annotated[str, typer.Option(help="Name of the index.")],
    budget: Annotated[int, typer.Option(help="Most tokens of the rendered pack.")] = 800,
    max_chunks: Annotated[int | None, typer.Option(help="Most chunks.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="Encoding, or path of a tokenizer.json.")] = None,
    ordering: Annotated[str | None, typer.Option(help="relevance, document or edges.")] = None,
    filters: Annotated[str | None, typer.Option(help="Filter as JSON.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every vector.")] = False,
    trim: Annotated[
        bool | None, typer.Option(help="Trim chunks that do not fit to the sentences that matter.")
    ] = None,
    answerable_only: Annotated[
        bool, typer.Option("--answerable-only", help="Nothing rather than what does not answer.")
    ] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the utilization, too.")] = False,
    response: Annotated[str | None, typer.Option(help="Your model's answer, to be measured.")] = None,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="Measure live chunks' sentences, too.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what was left out and why.")] = False,
    root: Annotated[Path | None, typer.Option(help="Folder of the indexes.")] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """The best chunks for a query that fit a token budget."""
    from contextsvc.wiring import build_engine

    settings = Settings.from_env()
    settings = replace(settings, root=root or settings.root)
    chosen = {
        "max_chunks": max_chunks, "tokenizer": tokenizer, "ordering": ordering,
        "filters": _parsed(filters), "exact": exact or None, "trim": trim,
        "answerable_only": answerable_only or None, "response": response,
        "measure": measure or sentences or response is not None or None,
        "sentences": sentences or None, "explain": explain or None,
    }  # fmt: skip
    ask: Json = {"index": index, "query": query, "budget_tokens": budget}
    ask |= {name: value for name, value in chosen.items() if value is not None}
    with progress("pack") as tell:
        if "measure" in ask:
            tell("loading models, packing, measuring")
        view = build_engine(settings, tokenizer).context(**ask)
    if as_json:
        print_json(view)
    else:
        print_pack(view, f"http://{settings.host}:{settings.port}", ask)


def print_pack(view: Json, address: str, ask: Json) -> None:
    """Print a pack for a person, and the same request to a running service; `ask` is the request's body."""
    print_fields(
        {
            "query": view["query"],
            "index": f"{view['index']}  generation {view['generation']}",
            "tokens": f"{view['num_tokens']} of {view['budget_tokens']} ({view['tokenizer']}), "
            f"{_counted(len(view['chunks']), 'chunk')} ordered by {view['ordering']}",
            **_answering(view),
            "cache": view["cache"]["pack"],
            "time": ", ".join(f"{name} {1000 * s:.0f} ms" for name, s in view["trace"]["seconds"].items()),
        }
    )
    verdicts = {v["chunk_id"]: v for v in view["utilization"].get("verdicts", [])}
    sentences = view["utilization"].get("sentences", [])
    for number, chunk in enumerate(view["chunks"], start=1):
        _print_chunk(number, chunk, verdicts.get(chunk["chunk_id"]))
        _print_sentences(chunk, [s for s in sentences if s["chunk_id"] == chunk["chunk_id"]])
    if not view["chunks"]:
        out.print(f"\n{_why_empty(view, ask)}: the pack is empty.")
    if "drops" in view:
        _print_drops(view["drops"])
    out.print()
    print_utilization(view["utilization"])
    out.print("\n[bold]ask the running service the same[/bold] (contextsvc serve)")
    out.print(_curl(address, ask), markup=False)


def print_utilization(score: Json) -> None:
    """A score with everything that makes it one."""
    if "reason" in score:
        print_fields({"utilization": f"none: {score['reason']}"})
        return
    low, high = score["interval"]
    head = "none" if score["score"] is None else f"{score['score']:.2f}"
    head += f" [{low:.2f}, {high:.2f}]"
    if score["scope"] == "index":
        print_fields({"utilization": f"{head} over {score['num_queries']} queries of the index"})
        return
    print_fields(
        {
            "utilization": f"{head} of the sent tokens influenced the answer",
            **({"  note": score["note"]} if score["note"] else {}),
            "  answer": f"{score['target']!r} ({_whose(score['target_kind'])})",
            "  reader": f"{score['reader']}, {score['method']}",
            **_controls(score["controls"], score["threshold"], _unit(score)),
            "  cost": f"{score['cost']['reader_calls']} reader calls, "
            f"{score['cost']['reader_tokens']} tokens, {score['cost']['seconds']:.1f} s",
        }
    )


def _answering(view: Json) -> dict[str, str]:
    """A line, only where it is a warning."""
    if view["answerable"]:
        return {}
    return {"answer": f"nothing in the index seems to answer this: {_shortfall(view)}"}


def _why_empty(view: Json, ask: Json) -> str:
    if ask.get("answerable_only") and not view["answerable"] and view["answer_score"] > 0:
        return "Nothing in the index seems to answer this, and --answerable-only was asked for"
    return "Nothing in the index passed the score floor"


def _shortfall(view: Json) -> str:
    asked = f"{view['answer_threshold']:g} asked (CONTEXTSVC_ANSWERABLE)"
    return f"score {view['answer_score']:.3f}, {asked}"


def _controls(controls: Json, threshold: Json, unit: str) -> dict[str, str]:
    eps = f"{threshold['eps']:.3f} {unit} [{threshold['low']:.3f}, {threshold['high']:.3f}]"
    found = {"  threshold": f"{eps}: 95 % of {threshold['num_placebos']} placebos ({threshold['origin']})"}
    if controls["depends_on_context"] is not None:
        nothing = f"without any chunk the answer loses {controls['full'] - controls['no_context']:.3f} {unit}"
        if controls["unrelated"] is not None:
            nothing += f", with an unrelated one {controls['full'] - controls['unrelated']:.3f}"
        depends = "it depends" if controls["depends_on_context"] else "it does not depend"
        found["  no context"] = f"{nothing}: {depends} on the pack"
    alone = "no chunk is live"
    if controls["live_only"] is not None:
        enough = "enough" if controls["sufficient"] else "not enough"
        alone = f"the live chunks alone lose {controls['full'] - controls['live_only']:.3f} {unit}: {enough}"
    found["  sufficiency"] = alone
    found["  placebos"] = (
        f"{controls['num_placebos_live']} of {len(controls['placebo_effects'])} "
        "unrelated chunks passed for live"
    )
    return found


def _signed(effect: float) -> str:
    return f"{round(effect, 3) + 0.0:+.3f}"  # no -0.000


def _unit(score: Json) -> str:
    return "nats/token" if score["outcome"] == "log-probability" else "likeness"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _whose(kind: str) -> str:
    return "the reader's own" if kind == "answer" else "the caller's"


def _print_chunk(number: int, chunk: Json, verdict: Json | None) -> None:
    heading = " > ".join(dict.fromkeys(part for part in (chunk["title"], *chunk["section"]) if part))
    facts = f"{chunk['source']}  {spans_text(chunk)}  {chunk['num_tokens']} tokens"
    facts += f"  score {chunk['score']:.3f}"
    if verdict:
        effect = "" if verdict["effect"] is None else f" ({_signed(verdict['effect'])})"
        facts += f"  {verdict['verdict']}{effect}"
    out.print(f"\n[bold]\\[{number}][/bold] ", end="")
    out.print(heading, markup=False, style="bold")
    print_text(facts, "    ", "    ", style="cyan")
    for line in chunk["text"].splitlines():
        print_text(line, "    | ", "    | ")


def _print_sentences(chunk: Json, sentences: list[Json]) -> None:
    for sentence in sentences:
        at = offset_in(chunk["spans"], sentence["start"]) or 0
        text = chunk["text"][at : at + sentence["end"] - sentence["start"]]
        line = f"{sentence['verdict']} ({_signed(sentence['effect'])})  {' '.join(text.split())}"
        print_text(line, "    > ", "      ", style="cyan" if sentence["verdict"] == "live" else None)


def _print_drops(drops: list[Json]) -> None:
    out.print("\n[bold]left out[/bold]")
    rows = [(d["rank"], f"{d['score']:.3f}", d["reason"], d["detail"], _where(d))
            for d in drops]  # fmt: skip
    print_table(("rank", "score", "reason", "detail", "chunk"), rows, right=("rank", "score"))


def _where(drop: Json) -> str:
    return f"{drop['doc_id']} {drop['start']}-{drop['end']}"


def _curl(address: str, ask: Json) -> str:
    data = shlex.quote(json.dumps(ask, ensure_ascii=False))
    return f"curl -s {address}/v1/context -H 'content-type: application/json' -d {data}"


def _parsed(filters: str | None) -> Json | None:
    if filters is None:
        return None
    try:
        parsed = json.loads(filters)
    except ValueError as error:
        raise typer.BadParameter(f"--filters is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise typer.BadParameter("--filters takes a JSON object")
    return parsed
