"""Chunkers: where their chunks lie, and which chunks answer a question best."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.chunking import peer_splitters
from benchmarks.chunking.corpora import Collection
from benchmarks.chunking.metrics import Place, Span
from benchmarks.indexes import indexed
from benchmarks.peers.running import peers_python
from benchmarks.peers.vectors import Store
from benchmarks.search import Wrapped
from contextsvc import assets
from contextsvc.packing.assembler import Assembler, Query
from contextsvc.ports import Embedder
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus, windows_of
from contextsvc.storage.corpus.smoothing import REACH, context_similarity
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_assembler, read_sources

INDEX = "chunking"
CONTEXTUAL = "ours, dense, contextual sentences"
EMBEDDER = "all-MiniLM-L6-v2"
"""Embedder of the published rows; this benchmark takes no other."""

Search = Callable[[Sequence[str], int], list[list[int]]]
"""(questions, how many) -> numbers of the best chunks of each, best first."""


@dataclass(frozen=True)
class KeptPassages(Wrapped):
    """Keeps vectors of passages in a file, so that an interrupted run continues where it stopped."""

    store: Store

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """As `Embedder`, of one text or more; only new passages reach the model."""
        keys = [hashlib.sha256(f"{self.embedder.fingerprint} {text}".encode()).digest() for text in texts]
        return self.store.completed(
            keys, lambda places: self.embedder.embed_passages([texts[place] for place in places])
        )


@dataclass(frozen=True, slots=True)
class Chunked:
    """All corpora, cut by one chunker and searched in one way.

    Attributes:
        passages: Chunks of all corpora; each question is put to all of them, as in the published run.
        search: Returns numbers of passages.
        settings: Settings of the chunker.
    """

    name: str
    passages: Sequence[Place]
    search: Search
    settings: Mapping[str, object]

    def spans(self, corpus: str) -> list[Span]:
        """Chunks of one corpus."""
        return [(p.start, p.end) for p in self.passages if p.doc_id == corpus]

    @property
    def mean_chars(self) -> float:
        """Mean length of a chunk."""
        return sum(p.end - p.start for p in self.passages) / len(self.passages)


def peers(collection: Collection, embedder: Embedder, size: int, home: Path) -> list[Chunked]:
    """LangChain's splitters, with vectors of whole chunk texts; [] and a printed line without environment."""
    interpreter = peers_python()
    if interpreter is None:
        print("skipped: LangChain's splitters need the peers' environment; make it: make peers")
        return []
    ranks, model = assets.locate(home, "tiktoken"), assets.locate(home, EMBEDDER)
    ran = subprocess.run(
        [interpreter, peer_splitters.__file__, str(size), str(ranks), str(model / "tokenizer.json")],
        input=json.dumps(dict(collection.texts)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise SystemExit(f"{interpreter} failed: {ran.stderr.strip()}")
    found = []
    for name, by_corpus in json.loads(ran.stdout).items():
        pieces = [(Place(corpus, a, b), text) for corpus, cut in by_corpus.items() for a, b, text in cut]
        vectors = embedder.embed_passages([text for _, text in pieces])
        chosen = {"chunk_size": size, "chunk_overlap": 0, "counted_in": peer_splitters.COUNTED_IN[name]}
        found.append(
            Chunked(f"{name} {size}/0", [p for p, _ in pieces], by_vectors(embedder, vectors), chosen)
        )
    return found


@contextmanager
def ours(collection: Collection, embedder: Embedder) -> Iterator[list[Chunked]]:
    """Our chunks as the service indexes these files, searched in four ways.

    By chunk vectors of the index, which are means of sentence vectors; by vectors of the chunks' texts, as
    for the peers; by the best sentence in context alone; by everything that the service scores with. The
    index is removed afterwards.
    """
    sources = [str(path) for path in collection.paths.values()]
    documents = read_sources(Settings.from_env(), sources, lambda *_: None)
    unlimited = {"score_floor": 0.0, "diversity_weight": 0.0, "near_duplicate_similarity": 1.0}
    with indexed(INDEX, documents, embedder, embedder=EMBEDDER, **unlimited) as (engine, loaded):
        index, settings = loaded.corpus, engine.settings
        chosen = {name: getattr(settings, name) for name in ("chunk_min_tokens", "chunk_max_tokens")}
        weights = {
            name: getattr(settings, f"{name}_weight") for name in ("lexical", "semantic", "window", "link")
        }
        whole = embedder.embed_passages([index.chunk(number).text for number in range(index.num_chunks)])
        ways: list[tuple[str, Search, dict[str, object]]] = [
            ("ours, dense", by_vectors(embedder, index.chunk_vectors[:].astype(np.float32)), chosen),
            ("ours, dense, texts embedded", by_vectors(embedder, whole), chosen),
            (CONTEXTUAL, by_sentences(embedder, index), chosen),
            ("ours, hybrid", by_engine(build_assembler(settings, embedder), loaded), {**chosen, **weights}),
        ]
        names = {path.name: name for name, path in collection.paths.items()}
        chunks = map(index.chunk, range(index.num_chunks))
        passages = [Place(names[chunk.doc_id], chunk.start, chunk.end) for chunk in chunks]
        yield [Chunked(name, passages, search, said) for name, search, said in ways]


def by_vectors(embedder: Embedder, vectors: Float32Array) -> Search:
    """Search by similarity of vectors; ties go to the smaller number."""

    def search(questions: Sequence[str], k: int) -> list[list[int]]:
        similarity = embedder.embed_queries(questions) @ vectors.T
        order: Int64Array = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        return [[int(number) for number in row] for row in order]

    return search


def by_sentences(embedder: Embedder, corpus: Corpus) -> Search:
    """Search by the best sentence in context of each chunk; ties go to the smaller number."""
    windows = windows_of(corpus, np.arange(corpus.num_chunks), REACH)
    vectors = corpus.sentence_vectors.astype(np.float32)

    def search(questions: Sequence[str], k: int) -> list[list[int]]:
        found = []
        for query in embedder.embed_queries(questions):
            similarity = (vectors @ query).astype(np.float64)
            titles = np.where(windows.titles >= 0, similarity[windows.titles], np.nan)
            sentences = context_similarity(similarity[windows.rows], titles, windows.norms)
            best = np.round(np.maximum.reduceat(sentences, windows.firsts), 6)
            found.append([int(number) for number in np.argsort(-best, kind="stable")[:k]])
        return found

    return search


def by_engine(assembler: Assembler, index: LoadedIndex) -> Search:
    """Search as a request does. Packs are not asked, because they hold parts of chunks."""

    def search(questions: Sequence[str], k: int) -> list[list[int]]:
        found = []
        for question in questions:
            query = Query(question, assembler.embedder.embed_queries([question])[0])
            candidates = assembler.retrieve(index, query, None, exact=False).candidates
            found.append([candidate.number for candidate in candidates[:k]])
        return found

    return search
