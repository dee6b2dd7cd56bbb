"""Updates of one document of many, also under readers: `python -m benchmarks.updates [exact|approximate]`.

- `exact`: documents are paragraphs of `etcd_docs`, and the search is exact.
- `approximate`: documents have about ten chunks (`splices`), and the search uses inverted lists.

Times are those of a service whose model is loaded, from the call of `publish` to its answer; then the new
generation serves. Each run writes its own rows.
"""

import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks import splices
from benchmarks.indexes import drawn_queries
from benchmarks.retrieval.collections import load
from benchmarks.rows import Row, Sheet, dataset, fingerprint
from benchmarks.search import Abstracts
from benchmarks.switches import Asked, asked_for
from contextsvc.errors import ContextError
from contextsvc.indexing.build import IndexParts, build_index
from contextsvc.ports import Embedder
from contextsvc.records.documents import Document
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.wiring import build_embedder, build_engine, build_index_parts

COMMAND = "python -m benchmarks.updates"
NUM_READERS, SEED = 4, 5
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
    """Publish one changed document per number; returns the seconds of each publish."""
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
    """Threads that request packs as fast as they can; collects errors and milliseconds."""

    def __init__(self, engine: Engine, queries: list[str]) -> None:
        self.errors: list[str] = []
        self.milliseconds: list[float] = []
        self.generations: set[str] = set()
        self._stop = threading.Event()
        places = [(engine, queries, number) for number in range(NUM_READERS)]
        self._threads = [threading.Thread(target=self._read, args=args) for args in places]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, engine: Engine, queries: list[str], number: int) -> None:
        while not self._stop.is_set():
            started = time.perf_counter()
            try:
                pack = engine.context("docs", queries[number % len(queries)], 800)
                self.generations.add(pack["generation"])
            except ContextError as error:
                self.errors.append(str(error))
            self.milliseconds.append(1000 * (time.perf_counter() - started))
            number += NUM_READERS


def serving(root: Path) -> Settings:
    """Settings without cache and with room for all readers."""
    return replace(
        Settings.from_env(), root=root, cache=False, max_concurrent=NUM_READERS, max_waiting=64,
        wait_seconds=600.0,
    )  # fmt: skip


def measured(
    benchmark: str, data: str, settings: Settings, parts: IndexParts, documents: list[Document], asked: Asked
) -> list[Row]:
    """Rows of updates alone and under readers."""
    num = asked["updates"]
    built = build_index(settings.root, "docs", documents, parts)
    engine = build_engine(settings)
    updated(engine, documents[:num], range(num))  # loads libraries
    alone = updated(engine, documents, range(num, 2 * num))
    queries = drawn_queries(engine.library.get("docs").corpus, 50, SEED)
    with Readers(engine, queries) as readers:
        together = updated(engine, documents, range(2 * num, 3 * num))
    figures = {
        "update of 1 document, s, median": np.median(alone),
        "update of 1 document, s, longest": max(alone),
        f"the same under {NUM_READERS} readers, s, median": np.median(together),
        f"the same under {NUM_READERS} readers, s, longest": max(together),
        f"readers under {num} publishes: errors": len(readers.errors),
        f"readers under {num} publishes: answers": len(readers.milliseconds),
        f"readers under {num} publishes: p95, ms": np.percentile(readers.milliseconds, 95),
    }
    counts = ("num_documents", "num_chunks", "num_sentences", "num_vectors")
    last = engine.library.get("docs").manifest.settings
    details = {
        **{count: getattr(built.manifest, count) for count in counts},
        **{name: value for name, value in last.items() if name.startswith("vector_index")},
        "generations_seen": len(readers.generations),
    }
    names = ("embedder", "exact_up_to")
    chosen = {"documents": asked["documents"], **{name: getattr(settings, name) for name in names}}
    command = asked.command(benchmark.partition("_")[2] or "exact")
    sheet = Sheet(benchmark, data, SEED, command, chosen)
    return [sheet.row(figure, float(value), num, details=details) for figure, value in figures.items()]


def exact(asked: Asked, root: Path) -> list[Row]:
    """Paragraphs of one chunk each, few enough for an exact search."""
    pages, settings = dataset("etcd_docs", "content"), serving(root)
    documents = list(islice(paragraphs(pages), asked["documents"]))
    return measured("updates", fingerprint(pages), settings, build_index_parts(settings), documents, asked)


def approximate(asked: Asked, root: Path) -> list[Row]:
    """Documents of ten chunks, always more chunks than an exact search takes."""
    settings, num_documents = serving(root), asked["documents"]
    settings = replace(settings, exact_up_to=min(settings.exact_up_to, 5 * num_documents))
    embedder, halves = build_embedder(settings), dict[str, tuple[int, int]]()
    abstracts = Abstracts.embedded(10 * num_documents, embedder, settings.home)
    documents = list(splices.documents(abstracts, num_documents, halves))
    known = cast(Embedder, splices.KnownSplices(embedder, abstracts.vectors, halves))
    data, parts = load("scifact").fingerprint, build_index_parts(settings, known)
    return measured("updates_approximate", data, settings, parts, documents, asked)


RUNS = {"exact": exact, "approximate": approximate}


def main(argv: Sequence[str] | None = None) -> None:
    """Run what the command line names."""
    asked = asked_for(COMMAND, __doc__, argv, runs=tuple(RUNS), documents=10_000, updates=20)
    for name in asked.runs:
        with tempfile.TemporaryDirectory() as root:
            asked.keep(RUNS[name](asked, Path(root)))


if __name__ == "__main__":
    main()
