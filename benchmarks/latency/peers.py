"""The whole path beside other pipelines, in turns: from the text of a query to the context of a model.

The context is the rendered pack of a budget for ours, the returned passages for the others. Documents and
queries are those of `benchmarks.retrieval`, which measures quality on them. All sides use the same weights
and make their own chunks; no query is sent twice, and no side caches answers.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.build import CHARS_A_CHUNK, FLOAT32
from benchmarks.pairs import quantile, times_as_long
from benchmarks.peers.asking import EMBEDDER, VECTORS, given
from benchmarks.peers.protocol import write_texts
from benchmarks.peers.running import OURS, PEERS, Running, can_run
from benchmarks.retrieval.collections import load
from benchmarks.rows import Row, Sheet, told
from benchmarks.switches import Asked
from benchmarks.synthetic import worth
from contextsvc import assets
from contextsvc.records.arrays import Float64Array
from contextsvc.records.documents import Document
from contextsvc.settings import Settings
from contextsvc.wiring import INDEX_TOKENIZER, build_counters

SEED = 11
PLAINLY = "ours-float32"
BUDGET, NUM_PASSAGES, NUM_ROUNDS = 800, 10, 10

WARM = "Libraries load at first use."
"""Query at the start of each turn, not timed: until then another side used the processor's caches."""

LEFT_OUT = "-semantic"
"""Sides whose splitters embed each sentence with its neighbours: building takes many minutes, and the search
is the same as that of the plain ones."""

SIDES = (OURS, PLAINLY, *(name for name in PEERS if not name.endswith(LEFT_OUT)))
"""Ours, ours in the precision of the others, and each peer that is not left out."""

Ask = Callable[[Sequence[str]], tuple[Sequence[float], Sequence[int]]]
"""Queries -> seconds of each, and tokens of each result."""

Count = Callable[[Sequence[str]], list[int]]
"""Tokens of each text."""


@dataclass
class Timed:
    """A running side with its times and tokens so far; `about` goes into the details of its rows."""

    ask: Ask
    about: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    num_tokens: list[int] = field(default_factory=list)

    def take(self, queries: Sequence[str]) -> None:
        """Send these queries after one that does not count."""
        seconds, num_tokens = self.ask([WARM, *queries])
        self.seconds += seconds[1:]
        self.num_tokens += num_tokens[1:]

    @property
    def milliseconds(self) -> Float64Array:
        """Milliseconds of each query."""
        return 1000 * np.array(self.seconds, dtype=np.float64)


def in_turns(sides: Mapping[str, Timed], queries: Sequence[str], num_rounds: int) -> None:
    """Send all sides the same queries, a part of them each round; each round begins with another side.

    So a slow moment of the machine affects all sides, and no side always follows the same one.
    """
    names = list(sides)
    for number, places in enumerate(np.array_split(np.arange(len(queries)), min(num_rounds, len(queries)))):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            sides[name].take([queries[place] for place in places])


def asking(side: Running, own: bool, count: Count) -> Ask:
    """Asks ours for packs and a peer for passages, which are counted with an empty line between them."""

    def ask(queries: Sequence[str]) -> tuple[Sequence[float], Sequence[int]]:
        if own:
            found = side.pack(queries, BUDGET)
            return found["seconds"], found["num_tokens"]
        found = side.ask(queries, NUM_PASSAGES)
        texts = ["\n\n".join(passage["text"] for passage in answer) for answer in found["answers"]]
        return found["seconds"], count(texts)

    return ask


def started(
    stack: ExitStack, name: str, model: Path, documents: Sequence[Document], keep: Path, count: Count
) -> Timed:
    """A side with its index built; peers share vectors in `keep`. The stack ends it."""
    own = name in (OURS, PLAINLY)
    called = OURS if own else name
    side = stack.enter_context(Running(called, model, FLOAT32 if name == PLAINLY else None))
    # The file stays until the last query, because sides look passages up in it.
    path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "documents.jsonl"
    write_texts(path, (given(document, called) for document in documents))
    built = side.build(path, keep / VECTORS)
    told(f"{name}: {built['num_chunks']} chunks")
    kept = {key: built[key] for key in ("num_documents", "num_chunks")}
    if own:
        kept["precision"] = Settings.from_env().precision if name == OURS else "float32"
    return Timed(asking(side, own, count), {**kept, "versions": side.about["versions"]})


def rows(sides: Mapping[str, Timed], data: str, command: str) -> list[Row]:
    """p50 and p95 of each side, and p50 of the others as a multiple of ours."""
    made: list[Row] = []
    for name, side in sides.items():
        times = side.milliseconds
        about = {**side.about, "mean_tokens": round(sum(side.num_tokens) / len(side.num_tokens), 1)}
        figures = {f"{name}: p{percent}, ms": quantile(times, percent) for percent in (50, 95)}
        if name != OURS and OURS in sides:
            ratio = times_as_long(times, sides[OURS].milliseconds)
            figures[f"{name}: p50, times as long as ours"] = ratio
        own = name in (OURS, PLAINLY)
        chosen = {"budget_tokens": BUDGET} if own else {"num_passages": NUM_PASSAGES}
        sheet = Sheet("latency_peers", data, SEED, command, {**chosen, "embedder": EMBEDDER})
        made += [
            sheet.row(figure, value, len(times), interval, about)
            for figure, (value, interval) in figures.items()
        ]
    return made


def run(asked: Asked, command: str) -> list[Row]:
    """Start all sides, then send queries in turns; an idle side costs memory and no time."""
    settings, sides = Settings.from_env(), dict[str, Timed]()
    model, count = assets.locate(settings.home, EMBEDDER), build_counters(settings)[INDEX_TOKENIZER].count
    collection = load("scifact")
    queries = [query.text for query in collection.queries[: asked["queries"]]]
    documents = list(worth(collection.documents, asked["chunks"] * CHARS_A_CHUNK))
    print(f"left out: *{LEFT_OUT}, whose splitters take many minutes for so many documents")
    with ExitStack() as stack:
        for name in asked.names["sides"]:
            if name == PLAINLY or can_run(name):
                sides[name] = started(stack, name, model, documents, settings.home / "benchmarks", count)
        in_turns(sides, queries, NUM_ROUNDS)
    return rows(sides, collection.fingerprint, command)
