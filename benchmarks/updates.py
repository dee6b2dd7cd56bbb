"""One document of many updated, also while others read: `python -m benchmarks.updates [exact|approximate]`.

- `exact`: documents are paragraphs of `etcd_docs`, chunked and embedded as any, and searched exactly.
- `approximate`: documents have about ten chunks (`splices`), so that the index is one of inverted lists.

Times are those of a service whose model is loaded: from the call of `publish` to its answer, when the new
generation serves. Each of the two writes its own rows.
"""

import argparse
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks import splices
from benchmarks.queries import drawn_queries
from benchmarks.rows import Row, dataset, fingerprint, show, write
from benchmarks.scifact import FILE
from benchmarks.search import Abstracts
from benchmarks.switches import add_switches, runs_asked, spelled
from contextsvc.errors import ContextError
from contextsvc.indexing.build import IndexParts, build_index
from contextsvc.records.documents import Document
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.wiring import build_embedder, build_engine, build_index_parts

COMMAND = "python -m benchmarks.updates"
NUM_READERS, SEED = 4, 5
USUAL = {"documents": 10_000, "updates": 20}
_MARK = "Edited for the benchmark, version {}."


def paragraphs(folder: Path) -> Iterator[Document]:
    """Paragraphs of at least 80 characters, each a document of its own."""
    for path in sorted(folder.rglob("*.md")):
        text = path.read_text("utf-8", "replace")
        for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
            if len(paragraph) >= 80:
                source = path.relative_to(folder).as_posix()
                yield Document(
                    f"{source}#{number}", paragraph, title=path.stem, source=source, format="markdown"
                )


def updated(engine: Engine, documents: list[Document], numbers: range) -> list[float]:
    """Seconds of each of some publishes of one changed document; every version is served then."""
    seconds = []
    for number in numbers:
        changed = documents[number * 37 % len(documents)]
        engine.publisher.put("docs", [replace(changed, text=f"{changed.text}\n\n{_MARK.format(number)}")])
        started = time.perf_counter()
        view = engine.publisher.publish("docs")
        seconds.append(time.perf_counter() - started)
        assert engine.library.get("docs").generation == view["generation"]
    return seconds


class Readers:
    """Threads that ask as fast as they can; `errors`, and milliseconds of each answer."""

    def __init__(self, engine: Engine, queries: list[str]) -> None:
        self.errors: list[str] = []
        self.milliseconds: list[float] = []
        self.generations: set[str] = set()
        self._engine, self._queries = engine, queries
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(NUM_READERS)]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, first: int) -> None:
        number = first
        while not self._stop.is_set():
            started = time.perf_counter()
            try:
                pack = self._engine.context("docs", self._queries[number % len(self._queries)], 800)
                self.generations.add(pack["generation"])
            except ContextError as error:
                self.errors.append(str(error))
            self.milliseconds.append(1000 * (time.perf_counter() - started))
            number += NUM_READERS


def serving(root: Path) -> Settings:
    """No cache, and room for all readers."""
    return replace(
        Settings.from_env(), root=root, cache=False, max_concurrent=NUM_READERS, max_waiting=64,
        wait_seconds=600.0,
    )  # fmt: skip


def measured(
    settings: Settings, parts: IndexParts, documents: list[Document], num_updates: int
) -> tuple[dict[str, float], dict[str, object]]:
    """Figures and details: build, update alone, update under readers."""
    built = build_index(settings.root, "docs", documents, parts)
    engine = build_engine(settings)
    updated(engine, documents[:num_updates], range(num_updates))  # loads what loads once
    alone = updated(engine, documents, range(num_updates, 2 * num_updates))
    queries = drawn_queries(engine.library.get("docs").corpus, 50, SEED)
    with Readers(engine, queries) as readers:
        together = updated(engine, documents, range(2 * num_updates, 3 * num_updates))
    figures = {
        "update of 1 document, s, median": float(np.median(alone)),
        "update of 1 document, s, longest": max(alone),
        f"the same under {NUM_READERS} readers, s, median": float(np.median(together)),
        f"the same under {NUM_READERS} readers, s, longest": max(together),
        f"readers under {num_updates} publishes: errors": float(len(readers.errors)),
        f"readers under {num_updates} publishes: answers": float(len(readers.milliseconds)),
        f"readers under {num_updates} publishes: p95, ms": float(np.percentile(readers.milliseconds, 95)),
    }
    counts = ("num_documents", "num_chunks", "num_sentences", "num_vectors")
    details: dict[str, object] = {count: getattr(built.manifest, count) for count in counts}
    last = engine.library.get("docs").manifest.settings
    searched = {name: value for name, value in last.items() if name.startswith("vector_index")}
    return figures, {**details, **searched, "generations_seen": len(readers.generations)}


def exact(asked: argparse.Namespace, root: Path) -> list[Row]:
    """Paragraphs: a chunk each, few enough for an exact search."""
    pages, settings = dataset("etcd_docs", "content"), serving(root)
    documents = list(islice(paragraphs(pages), asked.documents))
    found = measured(settings, build_index_parts(settings), documents, asked.updates)
    return rows_of("updates", fingerprint(pages), settings, asked, *found)


def approximate(asked: argparse.Namespace, root: Path) -> list[Row]:
    """Documents of ten chunks, always above the size up to which a search is exact."""
    settings = serving(root)
    settings = replace(settings, exact_up_to=min(settings.exact_up_to, 5 * asked.documents))
    embedder, halves = build_embedder(settings), dict[str, tuple[int, int]]()
    abstracts = Abstracts.embedded(10 * asked.documents, embedder, settings.home)
    documents = list(splices.documents(abstracts, asked.documents, halves))
    known = splices.KnownSplices(embedder, abstracts.vectors, halves)
    found = measured(settings, build_index_parts(settings, known), documents, asked.updates)
    return rows_of("updates_approximate", fingerprint(dataset(*FILE)), settings, asked, *found)


def rows_of(
    benchmark: str, data: str, settings: Settings, asked: argparse.Namespace, figures: dict[str, float],
    details: dict[str, object],
) -> list[Row]:  # fmt: skip
    """A row a figure."""
    chosen = {
        "documents": asked.documents,
        "embedder": settings.embedder,
        "exact_up_to": settings.exact_up_to,
    }
    sizes = {name: getattr(asked, name) for name in USUAL if getattr(asked, name) != USUAL[name]}
    command = f"{COMMAND} {benchmark.partition('_')[2] or 'exact'}" + spelled(sizes)
    return [
        Row(benchmark, figure, value, None, asked.updates, data, chosen, SEED, command, details)
        for figure, value in figures.items()
    ]


RUNS = {"exact": exact, "approximate": approximate}


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is asked for; both, unless it is said."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", metavar="exact|approximate")
    add_switches(parser, **USUAL)
    asked = parser.parse_args(argv)
    for name in runs_asked(parser, asked.runs, RUNS):
        with tempfile.TemporaryDirectory() as root:
            (show if asked.dry else write)(RUNS[name](asked, Path(root)))


if __name__ == "__main__":
    main()
