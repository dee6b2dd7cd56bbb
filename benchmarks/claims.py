"""The claims of the figures page: what was asked for, and the stored row that answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.packs.evidence import BOTH
from benchmarks.packs.figures import NEEDED, SMALLEST
from benchmarks.peers.running import DEFAULTS, HYBRIDS, PEERS

Rows = Mapping[tuple[str, str], dict[str, Any]]
Relation = Literal["at least", "at most", "more than", "under"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A number, its interval and its unit."""

    value: float
    interval: Sequence[float] | None
    unit: str


@dataclass(frozen=True, slots=True)
class Limit:
    """What was asked of a figure.

    Attributes:
        relation: How the figure must lie to the bound.
        bound: In the figure's own unit; of shares, 0 to 1.
        words: Said instead of relation and bound; empty: these are said.
        of: Figures of the same benchmark; the bound is a share of the smallest of them.
    """

    relation: Relation
    bound: float
    words: str = ""
    of: tuple[str, ...] = ()

    def holds(self, value: float, bound: float) -> bool:
        """Whether a value keeps the limit.

        >>> Limit("at most", 0.05).holds(0.05, 0.05), Limit("under", 0.05).holds(0.05, 0.05)
        (True, False)
        """
        if self.relation == "at least":
            return value >= bound
        if self.relation == "at most":
            return value <= bound
        return value > bound if self.relation == "more than" else value < bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One line of the figures page.

    Attributes:
        what: The claim, as a clause that a reader without the code understands.
        limit: What was asked; None: nothing was, the figure is there to compare with.
        benchmark: Benchmark of the row.
        figure: Figure of the row; with `{side}` in it, of one row for each of `sides`.
        unit: `%` for shares, printed as percent; any other unit is printed behind the number.
        sides: Pipelines to compare with; the ratio to the nearest one is shown.
        fewer: Whether less is better, so that the nearest pipeline has the largest ratio.
        timed: Whether the figure depends on the machine, which is then named.
    """

    what: str
    limit: Limit | None = None
    benchmark: str
    figure: str
    unit: str = ""
    sides: tuple[str, ...] = ()
    fewer: bool = False
    timed: bool = False

    def found(self, rows: Rows) -> tuple[dict[str, Any], Shown] | None:
        """The row that answers, and what is shown of it; None if there is no such row yet."""
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

    def bound(self, rows: Rows) -> float | None:
        """The number that the figure must keep; None without a limit, or if a row it needs is missing."""
        if self.limit is None:
            return None
        if not self.limit.of:
            return self.limit.bound
        others = [rows.get((self.benchmark, figure)) for figure in self.limit.of]
        values = [row["value"] for row in others if row is not None]
        return self.limit.bound * min(values) if len(values) == len(others) else None

    def asked(self) -> str:
        """The limit in words; empty if there is none."""
        if self.limit is None:
            return ""
        unit = "times" if self.sides else self.unit
        return self.limit.words or f"{self.limit.relation} {shown(self.limit.bound, unit, named=True)}"


LONGEST_COMMAND = 72
"""In characters, of a command on the figures page."""

_NONE = Limit("at most", 0, "none")
_ALL = Limit("at least", 1, "all")


def _least(bound: float) -> Limit:
    return Limit("at least", bound)


def _most(bound: float, words: str = "") -> Limit:
    return Limit("at most", bound, words)


def _above(bound: float) -> Limit:
    return Limit("more than", bound)


def _under(bound: float) -> Limit:
    return Limit("under", bound)


CLAIMS = (
    # Does the measurement say the truth?
    Claim(what="SQuAD: of the chunks in a pack, the paragraph that holds the answer has the largest effect",
          limit=_least(.9), benchmark="ablation_modes",
          figure="blocks: gold chunk has the largest effect", unit="%"),
    Claim(what="SQuAD, reader mode `exact`: the paragraph that holds the answer has the largest effect",
          benchmark="ablation_modes", figure="exact: gold chunk has the largest effect", unit="%"),
    Claim(what="SQuAD: effects separate the paragraph that holds the answer from the others (area under ROC)",
          limit=_least(.955), benchmark="ablation_modes",
          figure="blocks: area under ROC, gold chunk against others"),
    Claim(what="Tokens that get the same verdict in the default reader mode as in mode `exact`",
          limit=_least(.9), benchmark="ablation_modes",
          figure="blocks: share of tokens with the verdict of exact", unit="%"),
    Claim(what="Unrelated chunks (placebos) that are wrongly called live",
          limit=_most(.05), benchmark="ablation_placebos", figure="fresh placebos called live", unit="%"),
    Claim(what="The paragraph that holds the answer is called live, where the reader does not know "
               "the answer without it",
          limit=_least(.9), benchmark="ablation_placebos",
          figure="gold live where the answer is not known without context", unit="%"),
    Claim(what="A pack with two copies of the answer's paragraph: both are called redundant",
          limit=_least(.9), benchmark="ablation_controls",
          figure="two copies of gold: both redundant", unit="%"),
    Claim(what="A pack with two copies of the answer's paragraph: utilization counts exactly one",
          limit=_least(.9), benchmark="ablation_controls",
          figure="two copies of gold: utilization counts one of them", unit="%"),
    Claim(what="A pack with two copies of the answer's paragraph: plain leave-one-out calls both useless",
          benchmark="ablation_controls",
          figure="two copies of gold: leave-one-out calls both useless", unit="%"),
    Claim(what="A question asked of an unrelated index is reported as not depending on the context",
          benchmark="ablation_controls",
          figure="wrong index: says that the answer does not depend on the context", unit="%"),
    Claim(what="A measurement repeated by a reader loaded again is equal bit for bit",
          limit=_ALL, benchmark="ablation_controls",
          figure="measured twice by readers loaded anew: equal bit for bit", unit="%"),
    Claim(what="HotpotQA: the two paragraphs that the answer needs have the two largest effects",
          limit=_least(.55), benchmark="ablation_hops",
          figure="ours: both supporting paragraphs in the top two", unit="%"),
    Claim(what="HotpotQA: the two paragraphs that the answer needs are the two most similar to the question",
          benchmark="ablation_hops",
          figure="embedding similarity: both supporting paragraphs in the top two", unit="%"),
    # How long does a measurement take?
    Claim(what="Measuring six chunks for the first time, as a share of the time of exact leave-one-out",
          limit=_most(.24, "at most 0.24 (1.0 s of 4.2 s)"), benchmark="ablation_speed",
          figure="blocks, whole measurement: seconds as a share of exact, leave-one-out", timed=True),
    Claim(what="Measuring six chunks for the first time",
          limit=_most(1.0), benchmark="ablation_speed", figure="blocks, whole measurement: seconds",
          unit="s", timed=True),
    Claim(what="Measuring six chunks that were measured before, as a share of exact leave-one-out",
          limit=_most(.1, "at most 0.10 (0.4 s)"), benchmark="ablation_speed",
          figure="blocks, chunks measured before: seconds as a share of exact, leave-one-out", timed=True),
    Claim(what="Scoring 32 random subsets of a pack, as a share of exact leave-one-out",
          limit=_most(.38, "at most 0.38 (1.6 s)"), benchmark="ablation_speed",
          figure="masked, 32 subset masks: seconds as a share of exact, leave-one-out", timed=True),
    Claim(what="Exact leave-one-out in the same run (4.2 s on the machine where the limits were set)",
          benchmark="ablation_speed", figure="exact, leave-one-out: seconds", unit="s", timed=True),
    Claim(what="Measuring six chunks for the first time, as a share of the time of ContextCite with 64 masks",
          benchmark="ablation_speed",
          figure="blocks, whole measurement: seconds as a share of context-cite, 64 masks", timed=True),
    # Does the service keep its promises?
    Claim(what="Packs over their token budget when their text is counted again",
          limit=_NONE, benchmark="budget", figure="packs over their budget when counted again"),
    Claim(what="Packs that differ when they are made again without a cache",
          limit=_NONE, benchmark="budget", figure="packs that differ on a second run, cache off"),
    Claim(what="Writers killed with `kill -9`: something acknowledged was lost, or the index was unsound",
          limit=_NONE, benchmark="crashes",
          figure="kill -9: trials after which something acknowledged was missing or the index unsound"),
    Claim(what="Damaged bytes in an index that are found before an answer is given",
          limit=_ALL, benchmark="crashes", figure="corruption: share detected before an answer", unit="%"),
    Claim(what="Updating 1 document of 10,000, index searched exactly, median",
          limit=_under(2), benchmark="updates", figure="update of 1 document, s, median",
          unit="s", timed=True),
    Claim(what="Updating 1 document of 10,000 with ten chunks each, index searched approximately, median",
          limit=_under(2), benchmark="updates_approximate", figure="update of 1 document, s, median",
          unit="s", timed=True),
    Claim(what="Errors that readers see while 20 generations are published",
          limit=_NONE, benchmark="updates", figure="readers under 20 publishes: errors"),
    Claim(what="Searching 100,000 chunks, without the time of the query's vector, median",
          limit=_under(10), benchmark="search", figure="search without encoder, p50, ms",
          unit="ms", timed=True),
    Claim(what="Share of the ten nearest chunks that this search finds (recall@10)",
          limit=_least(.98), benchmark="search", figure="recall@10 against exact"),
    Claim(what="Opening an index of 200,000 chunks that was verified before",
          limit=_under(1), benchmark="search", figure="200000 chunks: seconds to open, again",
          unit="s", timed=True),
    Claim(what="Uncached pack over HTTP, median",
          limit=_under(60), benchmark="latency", figure="uncached p50, ms", unit="ms", timed=True),
    Claim(what="Cached pack over HTTP, median",
          limit=_under(5), benchmark="latency", figure="cached p50, ms", unit="ms", timed=True),
    Claim(what="Cached pack over HTTP, 95th percentile",
          limit=_under(5), benchmark="latency", figure="cached p95, ms", unit="ms", timed=True),
    Claim(what="Query to pack in one process over 10,000 chunks, uncached, median",
          limit=_under(30), benchmark="latency_peers", figure="ours: p50, ms", unit="ms", timed=True),
    Claim(what="Query to context: how many times as long LlamaIndex's default takes (vectors alone)",
          limit=_above(1), benchmark="latency_peers",
          figure="llamaindex-plain: p50, times as long as ours", timed=True),
    Claim(what="Query to context: how many times as long LangChain's default takes (vectors alone)",
          limit=_above(1), benchmark="latency_peers",
          figure="langchain-plain: p50, times as long as ours", timed=True),
    # How fast is an index built?
    Claim(what="Build speed, nine versions of a manual (`etcd_docs`), as a share of the bare encoder's speed",
          limit=_least(.85), benchmark="build", figure="share of the bare encoder's speed",
          unit="%", timed=True),
    Claim(what="Build speed, one manual (`etcd_docs` v3.5), as a share of the bare encoder's speed",
          limit=_least(.85), benchmark="build_peers", figure="share of the bare encoder's speed",
          unit="%", timed=True),
    Claim(what="Build speed, one manual, as a share of the bare encoder's speed, both in float32",
          limit=_least(.85), benchmark="build_peers",
          figure="share of the bare encoder's speed, both in float32", unit="%", timed=True),
    Claim(what="Build speed, 100,000 chunks, as a share of the bare encoder's speed, both in bfloat16",
          limit=_least(.85), benchmark="build_chunks", figure="share of the bare encoder's speed",
          unit="%", timed=True),
    Claim(what="Build speed, one manual: times as fast as LlamaIndex's SemanticSplitter",
          limit=_least(10), benchmark="build_peers",
          figure="llamaindex-semantic: times as fast as that is ours", timed=True),
    Claim(what="Build speed, one manual: times as fast as LangChain's SemanticChunker",
          limit=_least(10), benchmark="build_peers",
          figure="langchain-semantic: times as fast as that is ours", timed=True),
    Claim(what="Build speed, one manual: times as fast as LlamaIndex's plain splitter",
          limit=_above(1), benchmark="build_peers",
          figure="llamaindex-plain: times as fast as that is ours", timed=True),
    Claim(what="Tokens of the manual that LlamaIndex's plain splitter loses, because its chunks are longer "
               "than the model reads",
          benchmark="build_peers", figure="llamaindex-plain: share of tokens cut by the model's window",
          unit="%"),
    # Is the evidence in the chunks?
    Claim(what="Chunking evaluation, three corpora, vectors alone, 5 chunks: recall of the excerpts",
          limit=_least(79), benchmark="chunking",
          figure="ours, dense, contextual sentences, all three corpora: recall, %"),
    Claim(what="Chunking evaluation, three corpora, vectors alone, 5 chunks: precision",
          limit=_least(8), benchmark="chunking",
          figure="ours, dense, contextual sentences, all three corpora: precision, %"),
    Claim(what="Chunking evaluation, three corpora, vectors alone, 5 chunks: intersection over union",
          limit=_least(8), benchmark="chunking",
          figure="ours, dense, contextual sentences, all three corpora: IoU, %"),
    Claim(what="Chunking evaluation, three corpora, hybrid search, 5 chunks: recall of the excerpts",
          limit=_least(86), benchmark="chunking", figure="ours, hybrid, all three corpora: recall, %"),
    Claim(what="Chunking evaluation, three corpora, hybrid search, 5 chunks: precision",
          limit=_least(8), benchmark="chunking", figure="ours, hybrid, all three corpora: precision, %"),
    Claim(what="Packs of 512 tokens for the chunking evaluation: recall of the excerpts",
          limit=_least(86), benchmark="packs_chunking_report", figure="ours, 512 tokens: recall, %"),
    Claim(what="Packs of 512 tokens for the chunking evaluation: precision",
          limit=_least(9), benchmark="packs_chunking_report", figure="ours, 512 tokens: precision, %"),
    Claim(what="Packs of 256 tokens for the chunking evaluation: recall of the excerpts",
          limit=_least(78), benchmark="packs_chunking_report", figure="ours, 256 tokens: recall, %"),
    Claim(what="Packs of 256 tokens for the chunking evaluation: precision",
          limit=_least(15), benchmark="packs_chunking_report", figure="ours, 256 tokens: precision, %"),
    Claim(what="SciFact, ranking of documents (nDCG@10) compared with the best default pipeline",
          limit=_least(1.12), benchmark="retrieval_scifact_report",
          figure="scifact, ours less {side}: nDCG@10", sides=DEFAULTS),
    Claim(what="SciFact, ranking of documents (nDCG@10) compared with the best hybrid pipeline",
          limit=_above(1), benchmark="retrieval_scifact_report",
          figure="scifact, ours less {side}: nDCG@10", sides=HYBRIDS),
    Claim(what="Cranfield, ranking of documents (nDCG@10) compared with the best of all pipelines",
          limit=_above(1), benchmark="retrieval_cranfield_report",
          figure="cranfield, ours less {side}: nDCG@10", sides=PEERS),
    Claim(what="CACM, ranking of documents (nDCG@10) compared with the best of all pipelines",
          limit=_above(1), benchmark="retrieval_cacm_report",
          figure="cacm, ours less {side}: nDCG@10", sides=PEERS),
    Claim(what="HotpotQA: both needed paragraphs are inside 256 tokens, compared with the best "
               "default pipeline",
          limit=_least(1.25), benchmark="packs_hotpotqa_report",
          figure=f"ours less {{side}}, 256 tokens: {BOTH}", sides=DEFAULTS),
    Claim(what="HotpotQA: both needed paragraphs are inside 256 tokens, compared with the best "
               "hybrid pipeline",
          limit=_least(1.1), benchmark="packs_hotpotqa_report",
          figure=f"ours less {{side}}, 256 tokens: {BOTH}", sides=HYBRIDS),
    Claim(what="HotpotQA: smallest budget that holds 80 % of the evidence",
          limit=Limit("at most", .5, "at most half of the two defaults'",
                      (f"llamaindex-plain: {SMALLEST}", f"langchain-plain: {SMALLEST}")),
          benchmark="packs_hotpotqa_report", figure=f"ours: {SMALLEST}", unit="tokens"),
    Claim(what="HotpotQA: smallest budget that holds 80 % of the evidence, LlamaIndex's default",
          benchmark="packs_hotpotqa_report", figure=f"llamaindex-plain: {SMALLEST}", unit="tokens"),
    Claim(what="HotpotQA: smallest budget that holds 80 % of the evidence, LangChain's default",
          benchmark="packs_hotpotqa_report", figure=f"langchain-plain: {SMALLEST}", unit="tokens"),
    Claim(what="HotpotQA: mean budget that a question needs (4,096 tokens if its evidence never comes in), "
               "compared with these two defaults",
          limit=_most(.5), benchmark="packs_hotpotqa_report", figure=f"ours less {{side}}: {NEEDED}",
          sides=("llamaindex-plain", "langchain-plain"), fewer=True),
    Claim(what="SQuAD: answerable questions whose pack wrongly says that nothing answers",
          limit=_most(.05), benchmark="answerable", figure="answerable, flagged", unit="%"),
    Claim(what="SQuAD: questions whose article is not in the index, and whose pack says so",
          benchmark="answerable", figure="without its article, found", unit="%"),
)  # fmt: skip


def claim_tables(rows: Sequence[dict[str, Any]]) -> str:
    """The claims as Markdown: what holds, what falls short, what is there to compare with, the machines.

    A claim holds if the measured value keeps the limit; an interval that contains the limit gets a star.
    A claim whose row was never made stands under "No row yet".
    """
    by_key = {(row["benchmark"], row["figure"]): row for row in rows}
    machines: dict[str, int] = {}
    holds: list[str] = []
    short: list[str] = []
    beside, missing = [], []
    for claim in CLAIMS:
        found = claim.found(by_key)
        bound = claim.bound(by_key)
        if found is None or (claim.limit is not None and bound is None):
            missing.append(f"- {claim.what} (`{claim.benchmark}`)")
            continue
        row, told = found
        number = str(machines.setdefault(row["machine"], len(machines) + 1)) if claim.timed else ""
        line = _line(claim, row, told, bound, number)
        if claim.limit is None or bound is None:
            beside.append(line)
        else:
            (holds if claim.limit.holds(told.value, bound) else short).append(line)
    parts = [_table("What holds", holds), _table("What falls short", short)]
    parts.append(_table("To compare with", beside))
    if missing:
        parts.append("\n".join(["## No row yet", "", *missing]))
    listed = [f"{number}. {machine}" for machine, number in machines.items()]
    parts.append("\n".join(["## Machines", "", *listed]))
    return "\n\n".join(parts)


def _line(claim: Claim, row: Mapping[str, Any], told: Shown, bound: float | None, machine: str) -> str:
    around = ""
    if told.interval is not None:
        low, high = told.interval
        unsure = bound is not None and low < bound < high
        around = f"{shown(low, told.unit)} to {shown(high, told.unit)}{' *' * unsure}"
    value, command = shown(told.value, told.unit, named=True), shortened(row["command"])
    cells = (claim.what, claim.asked(), value, around, str(row["n"]), machine, f"`{command}`")
    return "| " + " | ".join(cells) + " |"


def _table(title: str, lines: Sequence[str]) -> str:
    head = ["| claim | asked | measured | 95 % interval | n | machine | command |",
            "|---|---|---:|---|---:|---|---|"]  # fmt: skip
    return "\n".join([f"## {title}", "", *head, *lines])


def shortened(command: str) -> str:
    """A command without its last words if it is long; `benchmarks/results/README.md` has it whole.

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
