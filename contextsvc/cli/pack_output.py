"""Output of `contextsvc pack`: a pack, its utilization, and the same request for a running service.

Utilization is the share of a pack's tokens that influenced the answer.
"""

import json
import shlex

from contextsvc.cli.output import out, print_fields, print_table, print_text
from contextsvc.records.json import Json
from contextsvc.service.views import offset_in_text, spans_text


def print_pack(view: Json, address: str, ask: Json) -> None:
    """Print a pack, then the `curl` command that sends the same request to a running service.

    Args:
        view: JSON of the pack, as in the answer to `POST /v1/context`.
        address: Address of the service, such as `http://127.0.0.1:8000`.
        ask: The request, as a body of `POST /v1/context`.
    """
    print_fields(
        {
            "query": view["query"],
            "index": f"{view['index']}  generation {view['generation']}",
            "tokens": f"{view['num_tokens']} of {view['budget_tokens']} ({view['tokenizer']}), "
            f"{_counted(len(view['chunks']), 'chunk')} ordered by {view['ordering']}",
            **_filtering(view),
            **_answering(view),
            "cache": view["cache"]["pack"],
            "time": ", ".join(f"{name} {1000 * s:.0f} ms" for name, s in view["trace"]["seconds"].items()),
        }
    )
    verdicts = {v["chunk_id"]: v for v in view["utilization"].get("verdicts", [])}
    sentences = view["utilization"].get("sentences", [])
    for chunk in view["chunks"]:
        _print_chunk(chunk, verdicts.get(chunk["chunk_id"]))
        _print_sentences(chunk, [s for s in sentences if s["chunk_id"] == chunk["chunk_id"]])
    if not view["chunks"]:
        out.print(f"\n{_why_empty(view, ask)}: the pack is empty.")
    if "drops" in view:
        _print_drops(view["drops"])
    out.print()
    print_utilization(view["utilization"])
    out.print("\n[bold]the same request to a running service[/bold] (contextsvc serve)")
    out.print(_curl(address, ask), markup=False)


def print_utilization(score: Json) -> None:
    """Print a utilization score with its interval, its controls and its cost, or why there is no score."""
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


def _filtering(view: Json) -> dict[str, str]:
    """Return how many documents the filter allows as a field to print; without a filter, no field."""
    if "filter" not in view:
        return {}
    allowed = _counted(view["filter"]["num_documents"], "document")
    return {"filter": "allows no document" if _allows_nothing(view) else f"allows {allowed}"}


def _allows_nothing(view: Json) -> bool:
    return view.get("filter") == {"num_documents": 0}


def _answering(view: Json) -> dict[str, str]:
    """Return a warning as a field to print if nothing in the index answers the query; otherwise no field."""
    if view["answerable"] or _allows_nothing(view):
        return {}
    return {"answer": f"nothing in the index seems to answer the query: {_shortfall(view)}"}


def _why_empty(view: Json, ask: Json) -> str:
    if _allows_nothing(view):
        return "No document of the index passes the filter"
    if ask.get("answerable_only") and not view["answerable"] and view["answer_score"] > 0:
        return "Nothing in the index seems to answer the query, and --answerable-only is set"
    return "Nothing in the index passed the score floor"


def _shortfall(view: Json) -> str:
    least = f"at least {view['answer_threshold']:g} expected (CONTEXTSVC_ANSWERABLE)"
    return f"score {view['answer_score']:.3f}, {least}"


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
        "unrelated chunks were measured as live"
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


def _print_chunk(chunk: Json, verdict: Json | None) -> None:
    heading = " > ".join(dict.fromkeys(part for part in (chunk["title"], *chunk["section"]) if part))
    facts = f"{chunk['source']}  {spans_text(chunk)}  {chunk['num_tokens']} tokens"
    facts += f"  score {chunk['score']:.3f}"
    if verdict:
        effect = "" if verdict["effect"] is None else f" ({_signed(verdict['effect'])})"
        facts += f"  {verdict['verdict']}{effect}"
    out.print(f"\n{chunk['citation']} {heading}", markup=False, style="bold")
    print_text(facts, "    ", "    ", style="cyan")
    for line in chunk["text"].splitlines():
        print_text(line, "    | ", "    | ")


def _print_sentences(chunk: Json, sentences: list[Json]) -> None:
    for sentence in sentences:
        at = offset_in_text(chunk, sentence["start"]) or 0
        text = chunk["text"][at : at + sentence["end"] - sentence["start"]]
        line = f"{sentence['verdict']} ({_signed(sentence['effect'])})  {' '.join(text.split())}"
        print_text(line, "    > ", "      ", style="cyan" if sentence["verdict"] == "live" else None)


def _print_drops(drops: list[Json]) -> None:
    if not drops:
        out.print("\n[bold]left out[/bold]  nothing that was found")
        return
    out.print("\n[bold]left out[/bold]")
    rows = [(d["rank"], f"{d['score']:.3f}", d["reason"], d["detail"], _where(d)) for d in drops]
    print_table(("rank", "score", "reason", "detail", "chunk"), rows, right=("rank", "score"))


def _where(drop: Json) -> str:
    return f"{drop['doc_id']} {drop['start']}-{drop['end']}"


def _curl(address: str, ask: Json) -> str:
    data = shlex.quote(json.dumps(ask, ensure_ascii=False))
    return f"curl -s {address}/v1/context -H 'content-type: application/json' -d {data}"
