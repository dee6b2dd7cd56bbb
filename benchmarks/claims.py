"""What was asked for and by which row it is answered: the README's table of figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.packs.evidence import BOTH
from benchmarks.packs.figures import NEEDED, SMALLEST
from benchmarks.peers.running import DEFAULTS, HYBRIDS, PEERS


@dataclass(frozen=True, slots=True)
class Shown:
    """A number, its interval and its unit."""

    value: float
    interval: Sequence[float] | None
    unit: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A line of the README's table.

    Attributes:
        what: In words.
        asked: The limit, in words; empty: none was set.
        benchmark: Of the row.
        figure: Of the row; with `{side}` in it, of a row for each of `sides`.
        unit: `%` for shares, printed as percent; else put behind the number.
        sides: With which ours is compared: said is how many times theirs ours is, for the nearest of them.
        fewer: Whether the nearest one has the largest ratio: of costs, less is better.
    """

    what: str
    asked: str
    benchmark: str
    figure: str
    unit: str = ""
    sides: tuple[str, ...] = ()
    fewer: bool = False

    def found(self, rows: Mapping[tuple[str, str], dict[str, Any]]) -> tuple[dict[str, Any], Shown] | None:
        """The row that answers, and what is shown of it; None: there is none yet."""
        if not self.sides:
            row = rows.get((self.benchmark, self.figure))
            return None if row is None else (row, Shown(row["value"], row["interval"], self.unit))
        made = {side: rows.get((self.benchmark, self.figure.format(side=side))) for side in self.sides}
        known = {side: row for side, row in made.items() if row and row["details"]["ratio"] is not None}
        if len(known) < len(self.sides):
            return None
        choose = max if self.fewer else min
        side = choose(known, key=lambda name: known[name]["details"]["ratio"])
        told = known[side]["details"]
        return known[side], Shown(told["ratio"], told["ratio_interval"], f"times {side}")


LONGEST_COMMAND = 72
"""In characters, of what the README's table shows of one."""

CLAIMS = (
    Claim("SQuAD: the gold paragraph has the largest effect", "at least 90 %",
          "ablation_modes", "blocks: gold chunk has the largest effect", "%"),
    Claim("the same in mode `exact`", "",
          "ablation_modes", "exact: gold chunk has the largest effect", "%"),
    Claim("SQuAD: area under ROC, gold against others", "at least .955",
          "ablation_modes", "blocks: area under ROC, gold chunk against others"),
    Claim("tokens with the verdict of `exact`", "at least 90 %",
          "ablation_modes", "blocks: share of tokens with the verdict of exact", "%"),
    Claim("fresh placebos called live", "at most 5 %",
          "ablation_placebos", "fresh placebos called live", "%"),
    Claim("gold live where the answer is not known without context", "at least 90 %",
          "ablation_placebos", "gold live where the answer is not known without context", "%"),
    Claim("two copies of gold: both redundant", "at least 90 %",
          "ablation_controls", "two copies of gold: both redundant", "%"),
    Claim("two copies of gold: utilization counts one", "at least 90 %",
          "ablation_controls", "two copies of gold: utilization counts one of them", "%"),
    Claim("leave-one-out calls both copies useless", "", "ablation_controls",
          "two copies of gold: leave-one-out calls both useless", "%"),
    Claim("a question asked of the wrong index says so", "",
          "ablation_controls", "wrong index: says that the answer does not depend on the context", "%"),
    Claim("measured twice, equal bit for bit", "all",
          "ablation_controls", "measured twice by readers loaded anew: equal bit for bit", "%"),
    Claim("HotpotQA: both supporting paragraphs in the top two", "at least 55 %",
          "ablation_hops", "ours: both supporting paragraphs in the top two", "%"),
    Claim("the same by embedding similarity", "",
          "ablation_hops", "embedding similarity: both supporting paragraphs in the top two", "%"),
    Claim("six chunks measured cold, share of exact leave-one-out", "at most .24 (1.0 s of 4.2)",
          "ablation_speed", "blocks, whole measurement: seconds as a share of exact, leave-one-out"),
    Claim("the same, in seconds", "at most 1.0 s",
          "ablation_speed", "blocks, whole measurement: seconds", "s"),
    Claim("six chunks measured before, share of exact", "at most .10 (.4 s)",
          "ablation_speed", "blocks, chunks measured before: seconds as a share of exact, leave-one-out"),
    Claim("32 subset masks, share of exact", "at most .38 (1.6 s)",
          "ablation_speed", "masked, 32 subset masks: seconds as a share of exact, leave-one-out"),
    Claim("exact leave-one-out in that run", "4.2 s when the limits were set",
          "ablation_speed", "exact, leave-one-out: seconds", "s"),
    Claim("cold, share of context-cite with 64 masks", "",
          "ablation_speed", "blocks, whole measurement: seconds as a share of context-cite, 64 masks"),
    Claim("packs over their budget when counted again", "none",
          "budget", "packs over their budget when counted again"),
    Claim("packs that differ on a second run", "none",
          "budget", "packs that differ on a second run, cache off"),
    Claim("kill -9 of writers: something lost or unsound", "none of 1,000", "crashes",
          "kill -9: trials after which something acknowledged was missing or the index unsound"),
    Claim("damaged bytes found before an answer", "all",
          "crashes", "corruption: share detected before an answer", "%"),
    Claim("update of 1 document of 10,000", "under 2 s", "updates", "update of 1 document, s, median", "s"),
    Claim("the same, of ten chunks each, searched approximately", "under 2 s",
          "updates_approximate", "update of 1 document, s, median", "s"),
    Claim("readers under 20 publishes: errors", "none", "updates", "readers under 20 publishes: errors"),
    Claim("search of 100,000 chunks without the encoder, p50", "under 10 ms",
          "search", "search without encoder, p50, ms", "ms"),
    Claim("recall@10 of that against exact", "at least .98", "search", "recall@10 against exact"),
    Claim("200,000 chunks opened again", "under 1 s", "search", "200000 chunks: seconds to open, again", "s"),
    Claim("`etcd_docs`, nine versions: speed as a share of the bare encoder's", "at least 85 %",
          "build", "share of the bare encoder's speed", "%"),
    Claim("`etcd_docs` v3.5 alone: the same", "at least 85 %",
          "build_peers", "share of the bare encoder's speed", "%"),
    Claim("the same, both in float32", "at least 85 %",
          "build_peers", "share of the bare encoder's speed, both in float32", "%"),
    Claim("100,000 chunks: the same, in bfloat16", "at least 85 %",
          "build_chunks", "share of the bare encoder's speed", "%"),
    Claim("`etcd_docs` v3.5: times as fast as LlamaIndex's SemanticSplitter", "at least 10",
          "build_peers", "llamaindex-semantic: times as fast as that is ours"),
    Claim("the same, LangChain's SemanticChunker", "at least 10",
          "build_peers", "langchain-semantic: times as fast as that is ours"),
    Claim("the same, LlamaIndex's plain splitter", "more than 1",
          "build_peers", "llamaindex-plain: times as fast as that is ours"),
    Claim("of the tokens that it embeds, LlamaIndex's plain splitter has cut off", "none",
          "build_peers", "llamaindex-plain: share of tokens cut by the model's window", "%"),
    Claim("chunking, three corpora, dense, 5 chunks: recall", "at least 79",
          "chunking", "ours, dense, contextual sentences, all three corpora: recall, %"),
    Claim("the same: precision", "at least 8",
          "chunking", "ours, dense, contextual sentences, all three corpora: precision, %"),
    Claim("the same: IoU", "at least 8",
          "chunking", "ours, dense, contextual sentences, all three corpora: IoU, %"),
    Claim("the same, hybrid: recall", "at least 86",
          "chunking", "ours, hybrid, all three corpora: recall, %"),
    Claim("the same, hybrid: precision", "at least 8",
          "chunking", "ours, hybrid, all three corpora: precision, %"),
    Claim("packs for these questions, 512 tokens: recall", "at least 86",
          "packs_chunking_report", "ours, 512 tokens: recall, %"),
    Claim("the same: precision", "at least 9", "packs_chunking_report", "ours, 512 tokens: precision, %"),
    Claim("256 tokens: recall", "at least 78", "packs_chunking_report", "ours, 256 tokens: recall, %"),
    Claim("the same: precision", "at least 15", "packs_chunking_report", "ours, 256 tokens: precision, %"),
    Claim("SciFact, nDCG@10 beside the best default", "at least 1.12 times",
          "retrieval_scifact_report", "scifact, ours less {side}: nDCG@10", sides=DEFAULTS),
    Claim("the same, beside the best hybrid", "more than 1 times",
          "retrieval_scifact_report", "scifact, ours less {side}: nDCG@10", sides=HYBRIDS),
    Claim("Cranfield, nDCG@10 beside the best peer", "more than 1 times",
          "retrieval_cranfield_report", "cranfield, ours less {side}: nDCG@10", sides=PEERS),
    Claim("CACM, nDCG@10 beside the best peer", "more than 1 times",
          "retrieval_cacm_report", "cacm, ours less {side}: nDCG@10", sides=PEERS),
    Claim("HotpotQA, both supporting paragraphs inside 256 tokens, beside the best default",
          "at least 1.25 times",
          "packs_hotpotqa_report", f"ours less {{side}}, 256 tokens: {BOTH}", sides=DEFAULTS),
    Claim("the same, beside the best hybrid", "at least 1.1 times",
          "packs_hotpotqa_report", f"ours less {{side}}, 256 tokens: {BOTH}", sides=HYBRIDS),
    Claim("smallest budget with 80 % of that evidence inside", "at most half of the defaults'",
          "packs_hotpotqa_report", f"ours: {SMALLEST}", "tokens"),
    Claim("the same, LlamaIndex's default", "",
          "packs_hotpotqa_report", f"llamaindex-plain: {SMALLEST}", "tokens"),
    Claim("the same, LangChain's default", "",
          "packs_hotpotqa_report", f"langchain-plain: {SMALLEST}", "tokens"),
    Claim("the same by questions, one that never gets there counting as 4,096 tokens, beside these two",
          "at most .5 times", "packs_hotpotqa_report", f"ours less {{side}}: {NEEDED}",
          sides=("llamaindex-plain", "langchain-plain"), fewer=True),
    Claim("SQuAD: answerable questions whose pack says that nothing answers", "at most 5 %",
          "answerable", "answerable, flagged", "%"),
    Claim("the same, questions whose article is not there", "",
          "answerable", "without its article, found", "%"),
    Claim("uncached pack over HTTP, p50", "under 60 ms", "latency", "uncached p50, ms", "ms"),
    Claim("cached pack over HTTP, p50", "under 5 ms", "latency", "cached p50, ms", "ms"),
    Claim("whole path over 10,000 chunks, uncached, p50", "under 30 ms",
          "latency_peers", "ours: p50, ms", "ms"),
    Claim("the same, times as long takes LlamaIndex's default", "more than 1",
          "latency_peers", "llamaindex-plain: p50, times as long as ours"),
    Claim("the same, LangChain's", "more than 1",
          "latency_peers", "langchain-plain: p50, times as long as ours"),
)  # fmt: skip


def claim_table(rows: Sequence[dict[str, Any]]) -> str:
    """The claims as a Markdown table, in order; one whose row was never made says so."""
    by_key = {(row["benchmark"], row["figure"]): row for row in rows}
    lines = ["| what | asked | measured | 95 % interval | n | command |", "|---|---|---:|---|---:|---|"]
    for claim in CLAIMS:
        found = claim.found(by_key)
        if found is None:
            lines.append(f"| {claim.what} | {claim.asked} | no row yet | | | `{claim.benchmark}` |")
            continue
        row, told = found
        around = "" if told.interval is None else " to ".join(shown(end, told.unit) for end in told.interval)
        value, command = shown(told.value, told.unit, named=True), shortened(row["command"])
        lines.append(f"| {claim.what} | {claim.asked} | {value} | {around} | {row['n']} | `{command}` |")
    return "\n".join(lines)


def shortened(command: str) -> str:
    """A command without its last words where it is long; `benchmarks/results/README.md` has it whole.

    >>> shortened("python -m benchmarks.packs --collections hotpotqa --sides " + "ours bare " * 9)
    'python -m benchmarks.packs --collections hotpotqa --sides ours bare ...'
    """
    if len(command) <= LONGEST_COMMAND:
        return command
    return command[:LONGEST_COMMAND].rpartition(" ")[0] + " ..."


def shown(value: float, unit: str, named: bool = False) -> str:
    """Three digits; percent as whole numbers or with one decimal."""
    number = f"{100 * value:.3g}" if unit == "%" else f"{value:.3g}"
    return f"{number} {unit}".rstrip() if named else number
