"""Section of one query on the report page: its answer, and the verdict and text of each chunk."""

from collections.abc import Sequence
from html import escape

from contextsvc.ports.reading import Outcome
from contextsvc.records.json import Json
from contextsvc.service.views import offset_in_text, spans_text


def query_section(row: Json, outcome: Outcome) -> str:
    """Return a collapsed section: the query with its score, then the answer, the chunks and their texts.

    Args:
        row: `{"query", "pack", "utilization"}` in the form of the HTTP interface, or `{"query", "skipped"}`.
        outcome: Outcome of the reader (the language model that measured). It sets the unit of effects.
    """
    query = _line(row["query"])
    if "skipped" in row:
        return f'<p class="skipped">{query} <span>skipped: {_line(row["skipped"])}</span></p>'
    pack, found = row["pack"], row["utilization"]
    note = f"<p>{escape(found['note'])}</p>\n" if found["note"] else ""
    whose = "given by the caller" if found["target_kind"] == "response" else "written by the reader"
    rows = [
        _chunk_row(number, chunk, verdict)
        for number, (chunk, verdict) in enumerate(
            zip(pack["chunks"], found["verdicts"], strict=True), start=1
        )
    ]
    unit = "nats per token" if outcome == "log-probability" else "likeness"
    texts = [
        _chunk_text(
            number, chunk, [s for s in found.get("sentences", ()) if s["chunk_id"] == chunk["chunk_id"]]
        )
        for number, chunk in enumerate(pack["chunks"], start=1)
    ]
    return (
        f"<details><summary>{query} <span>{_score(found)}, {pack['num_tokens']:,} tokens</span></summary>\n"
        f'<p>Answer {whose}:</p>\n<div class="text">{escape(found["target"])}</div>\n{note}'
        f'<div class="wide"><table>\n<tr><th class="number">#</th><th>chunk</th><th>verdict</th>'
        f'<th class="number">effect, {unit}</th><th class="number">tokens</th><th>source</th></tr>\n'
        + "\n".join(rows)
        + "\n</table></div>\n"
        + "\n".join(texts)
        + "\n</details>"
    )


def minus(number: str) -> str:
    """Replace the hyphens of a formatted number with minus signs, which are as wide as a plus sign."""
    return number.replace("-", "\N{MINUS SIGN}")


def _score(found: Json) -> str:
    low, high = (f"{100 * end:.0f}" for end in found["interval"])
    if found["score"] is None:
        return f"partly measured: {low} to {high} % used"
    return f"{100 * found['score']:.0f} % used [{low}, {high}]"


def _chunk_row(number: int, chunk: Json, verdict: Json) -> str:
    effect = "–" if verdict["effect"] is None else minus(f"{verdict['effect']:+.3f}")
    name, title = escape(verdict["verdict"]), _line(chunk["title"]) or _line(chunk["doc_id"])
    group = verdict.get("group")
    alike = "" if group is None else f"<br><small>near-duplicate group {group + 1}</small>"
    return (
        f'<tr><td class="number">{number}</td><td class="name">{title}</td>'
        f'<td><span class="verdict {name}">{name}</span>{alike}</td>'
        f'<td class="number">{effect}</td><td class="number">{verdict["num_tokens"]:,}</td>'
        f"<td>{_line(chunk['source'])} <small>{spans_text(chunk)}</small></td></tr>"
    )


def _chunk_text(number: int, chunk: Json, sentences: Sequence[Json]) -> str:
    """Return a collapsed section with the text of a chunk. Sentences judged "live" are highlighted."""
    text, done, parts = chunk["text"], 0, []
    for sentence in sorted(sentences, key=lambda s: int(s["start"])):
        start = offset_in_text(chunk, sentence["start"])
        end = (start or 0) + sentence["end"] - sentence["start"]
        if sentence["verdict"] != "live" or start is None or not done <= start < end <= len(text):
            continue
        parts += [escape(text[done:start]), f"<mark>{escape(text[start:end])}</mark>"]
        done = end
    parts.append(escape(text[done:]))
    summary = f"<summary>text of chunk {number}</summary>"
    return f'<details>{summary}<div class="text">{"".join(parts)}</div></details>'


def _line(text: str) -> str:
    return escape(" ".join(text.split()))
