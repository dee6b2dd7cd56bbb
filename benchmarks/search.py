"""Search without the encoder on 100,000 chunks of real text, and opening twice as many:
`python -m benchmarks.search`.

Chunks are runs of 2, 3, 4 and more sentences of SciFact abstracts, each a document of its own, with the
pooled vectors of their real sentences: runs overlap, so that neighbours are closer together than in a real
corpus, which is harder. Queries are SciFact's own.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.latency.quantiles import quantile
from benchmarks.rows import Row, dataset, fingerprint, read_lines
from benchmarks.scifact import FILE, load_queries
from benchmarks.switches import asked_for
from contextsvc import assets
from contextsvc.adapters.search.faiss.recall import recall
from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.indexing.chunking import pooled_vectors
from contextsvc.measuring.statistics import bootstrap
from contextsvc.packing.assembler import Assembler
from contextsvc.ports import Embedder
from contextsvc.records.arrays import Float32Array, Float64Array
from contextsvc.records.documents import Chunk, Document, Sentence
from contextsvc.records.fingerprints import Fingerprint
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
class KnownQueries:
    """Query vectors that were computed before: what is timed is the search."""

    embedder: Embedder
    vectors: dict[str, Float32Array]

    fingerprint, dim, max_tokens = Fingerprint(name="known"), 384, 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Not asked for here."""
        return self.embedder.count_tokens(texts)

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """As computed before."""
        return np.stack([self.vectors[text] for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Not asked for here."""
        return self.embedder.embed_passages(texts)


def runs(sizes: Sequence[int], num_chunks: int) -> Iterator[tuple[int, int, int]]:
    """(text, first sentence, end): runs of 2 sentences of every text, then of 3, and so on."""
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
    """Texts, their sentences' spans, and these one after another as vectors as an index stores them."""

    texts: list[str]
    spans: list[list[tuple[int, int]]]
    vectors: Float32Array

    @classmethod
    def embedded(cls, num_chunks: int, embedder: Embedder, home: Path) -> "Abstracts":
        """As few texts as give so many chunks."""
        wanted = max(20, num_chunks // 15)
        texts = [entry["text"] for entry in read_lines(dataset(*FILE))[:wanted]]
        splitter = PunktSentenceSplitter(assets.locate(home, "punkt_tab"))
        spans = [splitter.split(text) for text in texts]
        flat = [text[a:b] for text, found in zip(texts, spans, strict=True) for a, b in found]
        return cls(texts, spans, embedder.embed_passages(flat).astype(np.float16).astype(np.float32))


def write_corpus(folder: Path, num_chunks: int, abstracts: Abstracts) -> None:
    """A corpus of so many one-chunk documents."""
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
            rows = np.arange(firsts[of] + first, firsts[of] + end)
            chunk = Chunk.cut(document, 0, len(document.text), len(document.text.split()))
            bounds = [(0, end - first)]
            writer.add_document(
                document, [Sentence(a, b, 1) for a, b in within], rows, context_norms(vectors[rows]), [chunk],
                bounds, pooled_vectors(vectors[rows], bounds),
            )  # fmt: skip


def published(
    root: Path, name: str, num_chunks: int, abstracts: Abstracts, embedder: Embedder, settings: Settings
) -> dict[str, object]:
    """Write and publish an index; what is to be said of it."""
    with stage(root, name) as staged:
        write_corpus(staged.folder, num_chunks, abstracts)
        started = time.perf_counter()
        corpus = Corpus.open(staged.folder)
        said = write_search(staged.folder, corpus, settings=settings)
        seconds = time.perf_counter() - started
        staged.seal(
            {
                "embedder": str(embedder.fingerprint),
                "dim": embedder.dim,
                "num_documents": corpus.num_documents,
                "num_chunks": corpus.num_chunks,
                "num_sentences": len(corpus.sentence_table),
                "num_vectors": len(corpus.sentence_vectors),
                "settings": dict(said),
            }
        )
        staged.publish()
    return {**said, "num_chunks": num_chunks, "seconds_to_write": seconds}


def opened(root: Path, name: str, embedder: Embedder) -> tuple[LoadedIndex, dict[str, float]]:
    """The index as the service opens it, and what it took: at first, every byte being verified, and again."""
    time.sleep(1.5 * SETTLED_NS / 1e9)  # what was written a moment ago is not trusted to stay as it is
    took: dict[str, float] = {}
    for turn in ("the first time, every byte verified", "again"):
        library = Library(root, embedder.fingerprint, open_search)
        before, started = resident_mib(), time.perf_counter()
        index = library.get(name)
        took[f"{index.corpus.num_chunks} chunks: seconds to open, {turn}"] = time.perf_counter() - started
        took[f"{index.corpus.num_chunks} chunks: MiB that opening takes, {turn}"] = resident_mib() - before
    return index, took


def resident_mib() -> float:
    """Memory of this process that is resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def searched(
    assembler: Assembler,
    index: LoadedIndex,
    queries: Sequence[str],
    spec: Callable[[int], object] | None = None,
) -> tuple[Float64Array, list[set[str]]]:
    """Milliseconds that each query took to be filtered and searched, and the documents it found."""
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
    queries = load_queries()[: asked["queries"]]
    vectors = {query: embedder.embed_queries([query])[0] for query in queries}
    with tempfile.TemporaryDirectory() as place:
        abstracts = Abstracts.embedded(2 * num_chunks, embedder, settings.home)
        published(Path(place), "twice", 2 * num_chunks, abstracts, embedder, settings)
        _, took = opened(Path(place), "twice", embedder)
        details = published(Path(place), "bench", num_chunks, abstracts, embedder, settings)
        index, also = opened(Path(place), "bench", embedder)
        assembler = build_assembler(settings, KnownQueries(embedder, vectors))
        asked.keep(rows_of(assembler, index, queries, vectors, details, took | also))


def rows_of(
    assembler: Assembler, index: LoadedIndex, queries: list[str], vectors: dict[str, Float32Array],
    details: dict[str, object], took: dict[str, float],
) -> list[Row]:  # fmt: skip
    """All figures."""
    stacked = np.stack([vectors[query] for query in queries])
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
        ("recall@10 against exact", float(shares.mean()), _interval(shares)),
        ("one document of all allowed: it alone is found", float(hits.mean()), _interval(hits)),
    ]
    for name, times in (("", plain), (", one document allowed", one), (", half allowed", half)):
        figures += [(f"search without encoder{name}, p{p}, ms", *quantile(times, p)) for p in (50, 95)]
    data = fingerprint(dataset(*FILE))
    chosen = {"vector_index": details["vector_index"], "num_candidates": 100, "rerank_depth": 50}
    return [
        Row("search", figure, value, around, len(queries), data, chosen, SEED, COMMAND, details)
        for figure, value, around in figures
    ]


def _interval(values: Float64Array) -> tuple[float, float]:
    return bootstrap(values, lambda samples: samples.mean(axis=1), SEED)


if __name__ == "__main__":
    main()
