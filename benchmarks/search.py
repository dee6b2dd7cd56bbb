"""Search of 100,000 chunks without the encoder, and opening of twice as many: `python -m benchmarks.search`.

A chunk is a run of 2, 3, 4 or more sentences of a SciFact abstract and a document of its own; its vector is
pooled from the vectors of its sentences. Runs overlap, so that near neighbours are closer together than in a
real corpus, which makes the search harder. Queries are SciFact's own.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.pairs import quantile
from benchmarks.retrieval.collections import load
from benchmarks.rows import Row, Sheet
from benchmarks.switches import asked_for
from contextsvc import assets
from contextsvc.adapters.search.faiss.recall import recall
from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.indexing.chunking import pooled_vectors
from contextsvc.measuring.statistics import mean_interval
from contextsvc.packing.assembler import Assembler
from contextsvc.ports import Embedder
from contextsvc.records.arrays import Float32Array, Float64Array
from contextsvc.records.documents import Chunk, Document, Sentence
from contextsvc.records.requests import PackRequest
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus, CorpusWriter
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.generation import stage
from contextsvc.storage.generation.verified import SETTLED_NS
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import build_assembler, build_embedder, open_search, write_search

COMMAND = "python -m benchmarks.search"
SEED, BUDGET, NUM_CHUNKS, NUM_QUERIES = 17, 800, 100_000, 200
SEARCHING = ("embed", "retrieve")
"""Stages of a request that are timed: a look at a known vector, and the search."""


@dataclass(frozen=True)
class Wrapped:
    """Passes on to an embedder what a subclass does not answer itself."""

    embedder: Embedder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.embedder, name)


@dataclass(frozen=True)
class KnownQueries(Wrapped):
    """Returns query vectors that were computed before, so that only the search is timed."""

    vectors: dict[str, Float32Array]

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """As `Embedder`."""
        return np.stack([self.vectors[text] for text in texts])


def runs(sizes: Sequence[int], num_chunks: int) -> Iterator[tuple[int, int, int]]:
    """(text, first sentence, end) of runs of 2 sentences of each text, then of 3, and so on."""
    left = num_chunks
    for length in range(2, max(sizes) + 1):
        for text, size in enumerate(sizes):
            for first in range(max(0, size - length + 1)):
                if left == 0:
                    return
                left -= 1
                yield text, first, first + length
    if left:
        raise SystemExit(f"the texts give {num_chunks - left} chunks, {num_chunks} were asked for")


@dataclass(frozen=True)
class Abstracts:
    """Texts, spans of their sentences, and the vectors of all sentences, rounded as an index stores them."""

    texts: list[str]
    spans: list[list[tuple[int, int]]]
    vectors: Float32Array

    @classmethod
    def embedded(cls, num_chunks: int, embedder: Embedder, home: Path) -> "Abstracts":
        """Enough texts for this number of chunks, with vectors of their sentences."""
        wanted = max(20, num_chunks // 15)
        texts = [document.text for document in load("scifact").documents[:wanted]]
        splitter = PunktSentenceSplitter(assets.locate(home, "punkt_tab"))
        spans = [splitter.split(text) for text in texts]
        flat = [text[a:b] for text, found in zip(texts, spans, strict=True) for a, b in found]
        return cls(texts, spans, embedder.embed_passages(flat).astype(np.float16).astype(np.float32))


def write_corpus(folder: Path, num_chunks: int, abstracts: Abstracts) -> None:
    """Write a corpus of documents with one chunk each."""
    texts, spans, vectors = abstracts.texts, abstracts.spans, abstracts.vectors
    firsts = np.cumsum([0, *map(len, spans)])
    with CorpusWriter(folder, vectors.shape[1]) as writer:
        writer.add_vectors(vectors)
        for number, (of, first, end) in enumerate(runs([len(found) for found in spans], num_chunks)):
            start = spans[of][first][0]
            within = [(a - start, b - start) for a, b in spans[of][first:end]]
            document = Document(
                f"doc-{number}",
                texts[of][start : spans[of][end - 1][1]],
                title=f"Abstract {of}",
                source=f"{of}",
                metadata={"number": number, "group": number % 100},
            )
            sentences = [Sentence(*span, 1, kind="paragraph", unit=unit) for unit, span in enumerate(within)]
            rows = np.arange(firsts[of] + first, firsts[of] + end)
            chunk = Chunk.cut(document, 0, len(document.text), len(document.text.split()))
            bounds = [(0, end - first)]
            writer.add_document(
                document, sentences, rows, context_norms(vectors[rows]), [chunk], bounds,
                pooled_vectors(vectors[rows], bounds),
            )  # fmt: skip


def published(
    root: Path, name: str, num_chunks: int, abstracts: Abstracts, embedder: Embedder, settings: Settings
) -> dict[str, object]:
    """Write and publish an index; returns details for rows."""
    with stage(root, name) as staged:
        write_corpus(staged.folder, num_chunks, abstracts)
        started = time.perf_counter()
        corpus = Corpus.open(staged.folder)
        said = write_search(staged.folder, corpus, settings=settings)
        seconds = time.perf_counter() - started
        about = {"embedder": str(embedder.fingerprint), "dim": embedder.dim, "settings": dict(said)}
        numbers = {"num_documents": corpus.num_documents, "num_chunks": corpus.num_chunks}
        num_sentences, num_vectors = len(corpus.sentence_table), len(corpus.sentence_vectors)
        staged.seal({**about, **numbers, "num_sentences": num_sentences, "num_vectors": num_vectors})
        staged.publish()
    return {**said, "num_chunks": num_chunks, "seconds_to_write": seconds}


def opened(root: Path, name: str, embedder: Embedder) -> tuple[LoadedIndex, dict[str, float]]:
    """The opened index, with seconds and MiB of opening it: first with every byte verified, then again."""
    time.sleep(1.5 * SETTLED_NS / 1e9)  # files are trusted unread only after this time
    took: dict[str, float] = {}
    for turn in ("the first time, every byte verified", "again"):
        library = Library(root, embedder.fingerprint, open_search)
        before, started = resident_mib(), time.perf_counter()
        index = library.get(name)
        took[f"{index.corpus.num_chunks} chunks: seconds to open, {turn}"] = time.perf_counter() - started
        took[f"{index.corpus.num_chunks} chunks: MiB that opening takes, {turn}"] = resident_mib() - before
    return index, took


def resident_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def searched(
    assembler: Assembler,
    index: LoadedIndex,
    queries: Sequence[str],
    spec: Callable[[int], object] | None = None,
) -> tuple[Float64Array, list[set[str]]]:
    """Milliseconds of filter and search of each query, and the documents found."""
    times, found = [], []
    for number, query in enumerate(queries):
        filters = json.dumps(spec(number)) if spec else ""
        request = PackRequest(
            index="bench",
            query=query,
            budget_tokens=BUDGET,
            max_chunks=3,
            tokenizer="o200k_base",
            ordering="relevance",
            filters=filters,
        )
        spent, last = 0.0, time.perf_counter()

        def mark(stage: str) -> None:
            nonlocal spent, last
            now = time.perf_counter()
            spent, last = spent + (now - last) * (stage in SEARCHING), now

        pack = assembler.assemble(index, request, mark)
        times.append(1000 * spent)
        found.append({p.candidate.chunk.doc_id for p in pack.chunks} | {drop.doc_id for drop in pack.drops})
    return np.array(times), found


def main(argv: Sequence[str] | None = None) -> None:
    """Write the corpus, open it, search it."""
    asked = asked_for(COMMAND, __doc__, argv, chunks=NUM_CHUNKS, queries=NUM_QUERIES)
    num_chunks, settings = asked["chunks"], Settings.from_env()
    settings = replace(settings, exact_up_to=min(settings.exact_up_to, num_chunks - 1))
    embedder = build_embedder(settings)
    scifact = load("scifact")
    queries = [query.text for query in scifact.queries[: asked["queries"]]]
    vectors = {query: embedder.embed_queries([query])[0] for query in queries}
    with tempfile.TemporaryDirectory() as place:
        abstracts = Abstracts.embedded(2 * num_chunks, embedder, settings.home)
        published(Path(place), "twice", 2 * num_chunks, abstracts, embedder, settings)
        _, took = opened(Path(place), "twice", embedder)
        details = published(Path(place), "bench", num_chunks, abstracts, embedder, settings)
        index, also = opened(Path(place), "bench", embedder)
        assembler = build_assembler(settings, cast(Embedder, KnownQueries(embedder, vectors)))
        chosen = {"vector_index": details["vector_index"], "num_candidates": 100, "rerank_depth": 50}
        sheet = asked.sheet("search", scifact.fingerprint, SEED, **chosen)
        asked.keep(rows_of(sheet, assembler, index, vectors, details, took | also))


def rows_of(
    sheet: Sheet, assembler: Assembler, index: LoadedIndex, vectors: dict[str, Float32Array],
    details: dict[str, object], took: dict[str, float],
) -> list[Row]:  # fmt: skip
    """All figures; `vectors` are those of the queries."""
    queries, stacked = list(vectors), np.stack(list(vectors.values()))
    exact = index.vectors.search(stacked, 10, exact=True)
    near = index.vectors.search(stacked, 10)
    shares = np.array([recall([one], [best]) for one, best in zip(near, exact, strict=True)])
    drawn = np.random.default_rng(SEED).integers(0, index.corpus.num_chunks, len(queries))
    started = time.perf_counter()
    searched(assembler, index, queries[:1], lambda _: {"field": "doc_id", "eq": "doc-0"})
    first_filter = time.perf_counter() - started
    searched(assembler, index, queries[:20])
    plain, _ = searched(assembler, index, queries)
    one, found = searched(assembler, index, queries, lambda n: {"field": "doc_id", "eq": f"doc-{drawn[n]}"})
    half, _ = searched(assembler, index, queries, lambda _: {"field": "group", "lt": 50})
    hits = np.array([found[n] == {f"doc-{row}"} for n, row in enumerate(drawn)], dtype=np.float64)
    figures: list[tuple[str, float, tuple[float, float] | None]] = [
        *((figure, value, None) for figure, value in took.items()),
        ("seconds of the first filter", first_filter, None),
        ("recall@10 against exact", float(shares.mean()), mean_interval(shares, SEED)),
        ("one document of all allowed: it alone is found", float(hits.mean()), mean_interval(hits, SEED)),
    ]
    for name, times in (("", plain), (", one document allowed", one), (", half allowed", half)):
        figures += [(f"search without encoder{name}, p{p}, ms", *quantile(times, p)) for p in (50, 95)]
    return [sheet.row(figure, value, len(queries), around, details) for figure, value, around in figures]


if __name__ == "__main__":
    main()
