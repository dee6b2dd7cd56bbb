"""One document of many updated, also while others read: `python -m benchmarks.updates`.

Documents are paragraphs of `etcd_docs`, chunked and embedded as any. Times are those of a service whose model
is loaded: from the call of `publish` to its answer, when the new generation serves.
"""

import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.queries import drawn_queries
from benchmarks.rows import Row, dataset, fingerprint
from benchmarks.switches import asked_for
from contextsvc.engine import Ask, Engine
from contextsvc.errors import ContextError
from contextsvc.indexing import build_index
from contextsvc.records import Document
from contextsvc.settings import Settings
from contextsvc.wiring import build_engine, build_index_parts

COMMAND = "python -m benchmarks.updates"
NUM_DOCUMENTS, NUM_UPDATES, NUM_READERS, SEED = 10_000, 20, 4, 5
_MARK = "Edited for the benchmark, version {}."


def paragraphs(folder: Path) -> Iterator[Document]:
    """Paragraphs of at least 80 characters, each a document of its own."""
    for path in sorted(folder.rglob("*.md")):
        text = path.read_text("utf-8", "replace")
        for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
            if len(paragraph) >= 80:
                source = path.relative_to(folder).as_posix()
                yield Document(f"{source}#{number}", paragraph, path.stem, source, "markdown")


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
                pack = self._engine.context(Ask("docs", self._queries[number % len(self._queries)], 800))
                self.generations.add(pack["generation"])
            except ContextError as error:
                self.errors.append(str(error))
            self.milliseconds.append(1000 * (time.perf_counter() - started))
            number += NUM_READERS


def measured(
    root: Path, documents: list[Document], num_updates: int
) -> tuple[dict[str, float], dict[str, object]]:
    """Figures and details: build, update alone, update under readers."""
    settings = replace(
        Settings.from_env(), root=root, cache=False, max_concurrent=NUM_READERS, max_waiting=64,
        wait_seconds=600.0,
    )  # fmt: skip
    built = build_index(root, "docs", documents, build_index_parts(settings))
    engine = build_engine(settings)
    updated(engine, documents[:num_updates], range(num_updates))  # loads what loads once
    alone = updated(engine, documents, range(num_updates, 2 * num_updates))
    queries = drawn_queries(engine.library.get("docs").corpus, 50, SEED)
    with Readers(engine, queries) as readers:
        together = updated(engine, documents, range(2 * num_updates, 3 * num_updates))
    figures = {
        "update of 1 document, s, median": float(np.median(alone)),
        "update of 1 document, s, longest": max(alone),
        "the same under 4 readers, s, median": float(np.median(together)),
        "readers under 20 publishes: errors": float(len(readers.errors)),
        "readers under 20 publishes: answers": float(len(readers.milliseconds)),
        "readers under 20 publishes: p95, ms": float(np.percentile(readers.milliseconds, 95)),
    }
    counts = ("num_documents", "num_chunks", "num_sentences")
    details: dict[str, object] = {count: getattr(built.manifest, count) for count in counts}
    return figures, {**details, "generations_seen": len(readers.generations)}


def main(argv: Sequence[str] | None = None) -> None:
    """As rows."""
    asked = asked_for(COMMAND, __doc__, argv, documents=NUM_DOCUMENTS, updates=NUM_UPDATES)
    pages = dataset("etcd_docs", "content")
    documents = list(islice(paragraphs(pages), asked["documents"]))
    with tempfile.TemporaryDirectory() as root:
        figures, details = measured(Path(root), documents, asked["updates"])
    data, chosen = fingerprint(pages), {"documents": len(documents), "embedder": Settings.from_env().embedder}
    asked.keep(
        [
            Row("updates", figure, value, None, asked["updates"], data, chosen, SEED, COMMAND, details)
            for figure, value in figures.items()
        ]
    )


if __name__ == "__main__":
    main()
