"""The readable report of a `measure` run."""

from contextsvc.codec import Json


def report_markdown(report: Json) -> str:
    """A page of Markdown: the score with its reader, threshold, controls and cost, then each query."""
    return "\n".join([*_head(report), *_table(report["queries"]), *_details(report["queries"])]) + "\n"


def _head(report: Json) -> list[str]:
    s = report["summary"]
    low, high = s["interval"]
    thresholds = [
        f"| threshold, {kind} as target | {t['eps']:.3f} nats/token [{t['low']:.3f}, {t['high']:.3f}], "
        f"{t['num_placebos']} placebos, {t['origin']} |"
        for kind, t in s["thresholds"].items()
    ]
    sufficient = "no live chunk" if s["share_sufficient"] is None else f"{s['share_sufficient']:.0%}"
    rate = "no placebo" if s["placebo_rate"] is None else f"{s['placebo_rate']:.1%} of {s['num_placebos']}"
    return [
        f"# Context utilization of `{report['index']}`",
        "",
        f"**{s['score']:.2f}** [{low:.2f}, {high:.2f}] of the sent tokens influenced the answer: the mean "
        f"over {s['num_queries']} queries with a 95 % bootstrap interval, packs of at most "
        f"{report['max_chunks']} chunks and {report['budget_tokens']} tokens.",
        "",
        "| | |",
        "|---|---|",
        f"| generation | {s['generation']} |",
        f"| reader | {s['reader']} |",
        f"| method | {s['method']} |",
        *thresholds,
        f"| answers that depend on the context at all | {s['share_dependent']:.0%} |",
        f"| live chunks alone are enough | {sufficient} |",
        f"| placebos that passed for live (at most 5 % expected) | {rate} |",
        f"| cost | {s['cost']['reader_calls']} reader calls, {s['cost']['reader_tokens']} tokens, "
        f"{s['cost']['seconds']:.1f} s |",
        "",
        "A score says how this reader used the context; another model may use it otherwise.",
        "",
    ]


def _table(rows: list[Json]) -> list[str]:
    lines = ["| query | tokens | utilization | live | dead | harmful |", "|---|---:|---:|---:|---:|---:|"]
    for row in rows:
        query = _cell(row["query"])
        if "skipped" in row:
            lines.append(f"| {query} | | {row['skipped']} | | | |")
            continue
        verdicts = [v["verdict"] for v in row["utilization"]["verdicts"]]
        counts = " | ".join(str(verdicts.count(name)) for name in ("live", "dead", "harmful"))
        score = row["utilization"]["score"]
        lines.append(f"| {query} | {row['pack']['num_tokens']} | {score:.2f} | {counts} |")
    return [*lines, ""]


def _details(rows: list[Json]) -> list[str]:
    lines = []
    for row in rows:
        if "skipped" in row:
            continue
        found = row["utilization"]
        lines += [
            f"## {_cell(row['query'])}",
            "",
            f"Answer ({found['target_kind']}): {_cell(found['target'])}",
            "",
        ]
        if found["note"]:
            lines += [found["note"], ""]
        lines += ["| chunk | source | tokens | effect, nats/token | verdict |", "|---|---|---:|---:|---|"]
        for chunk, verdict in zip(row["pack"]["chunks"], found["verdicts"], strict=True):
            where = f"{chunk['source']} {chunk['start']}-{chunk['end']}"
            lines.append(
                f"| {_cell(chunk['title'])} | {_cell(where)} | {verdict['num_tokens']} "
                f"| {verdict['effect']:+.3f} | {verdict['verdict']} |"
            )
        lines.append("")
    return lines


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
