"""Chunkers side by side, each ready to be asked: where its chunks lie and which answer a question best."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.chunking import peer_splitters
from benchmarks.chunking.corpora import Collection
from benchmarks.chunking.metrics import Passage, Span
from benchmarks.peers.running import peers_python
from contextsvc import assets
from contextsvc.indexing.build import build_index
from contextsvc.ports import Embedder
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.records.requests import MAX_BUDGET_TOKENS
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus, windows_of
from contextsvc.storage.corpus.smoothing import REACH, context_similarity
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_engine, build_index_parts, read_sources

INDEX = "chunking"
CONTEXTUAL = "ours, dense, contextual sentences"
EMBEDDER = "all-MiniLM-L6-v2"
"""Of the published rows: this benchmark takes no other."""

Search = Callable[[Sequence[str], int], list[list[int]]]
"""(questions, how many) -> numbers of the best chunks of each, best first."""


@dataclass(frozen=True, slots=True)
class Chunked:
    """All corpora cut by one chunker and searched in one way.

    Attributes:
        passages: Of all corpora; a question is asked of all of them, as in the published run.
        search: Finds numbers of passages.
        settings: What was chosen.
    """

    name: str
    passages: Sequence[Passage]
    search: Search
    settings: Mapping[str, object]

    def spans(self, corpus: str) -> list[Span]:
        """Chunks of one corpus."""
        return [(p.start, p.end) for p in self.passages if p.corpus == corpus]

    @property
    def mean_chars(self) -> float:
        """Mean length of a chunk."""
        return sum(p.end - p.start for p in self.passages) / len(self.passages)


def peers(collection: Collection, embedder: Embedder, size: int, home: Path) -> list[Chunked]:
    """LangChain's splitters, chunk texts embedded whole; [] and one line said where there is no environment.

    `home` is where the assets are.
    """
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
        pieces = [(Passage(corpus, a, b), text) for corpus, cut in by_corpus.items() for a, b, text in cut]
        vectors = embedder.embed_passages([text for _, text in pieces])
        chosen = {"chunk_size": size, "chunk_overlap": 0, "counted_in": peer_splitters.COUNTED_IN[name]}
        found.append(
            Chunked(f"{name} {size}/0", [p for p, _ in pieces], by_vectors(embedder, vectors), chosen)
        )
    return found


@contextmanager
def ours(collection: Collection, settings: Settings, embedder: Embedder) -> Iterator[list[Chunked]]:
    """Our chunks as the service indexes these files, found in four ways.

    By the chunk vectors that the index keeps, the means of their sentences'; by vectors of the chunks'
    texts, as the peers' are; by their best sentence in context, alone; and by all that the service scores
    with. The index is gone afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(settings, root=Path(folder), cache=False, score_floor=0.0, diversity_weight=0.0,
                           near_duplicate_similarity=1.0)  # fmt: skip
        sources = [str(path) for path in collection.paths.values()]
        documents = read_sources(settings, sources, lambda *_: None)
        build_index(settings.root, INDEX, documents, build_index_parts(settings, embedder))
        engine = build_engine(settings)
        index = engine.library.get(INDEX).corpus
        passages, chosen = _passages(collection, index), _sizes(settings)
        whole = embedder.embed_passages([index.chunk(number).text for number in range(index.num_chunks)])
        pooled = index.chunk_vectors[:].astype(np.float32)
        weights = {name: getattr(settings, f"{name}_weight") for name in ("lexical", "semantic", "link")}
        yield [
            Chunked("ours, dense", passages, by_vectors(embedder, pooled), chosen),
            Chunked("ours, dense, texts embedded", passages, by_vectors(embedder, whole), chosen),
            Chunked(CONTEXTUAL, passages, by_sentences(embedder, index), chosen),
            Chunked("ours, hybrid", passages, by_engine(engine, engine.library.get(INDEX)),
                    {**chosen, **weights}),
        ]  # fmt: skip


def _passages(collection: Collection, corpus: Corpus) -> list[Passage]:
    names = {path.name: name for name, path in collection.paths.items()}
    chunks = map(corpus.chunk, range(corpus.num_chunks))
    return [Passage(names[chunk.doc_id], chunk.start, chunk.end) for chunk in chunks]


def _sizes(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in ("chunk_min_tokens", "chunk_max_tokens")}


def by_vectors(embedder: Embedder, vectors: Float32Array) -> Search:
    """Every vector compared with the question's; ties go to the smaller number."""

    def search(questions: Sequence[str], k: int) -> list[list[int]]:
        similarity = embedder.embed_queries(questions) @ vectors.T
        order: Int64Array = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        return [[int(number) for number in row] for row in order]

    return search


def by_sentences(embedder: Embedder, corpus: Corpus) -> Search:
    """Every chunk as near as its nearest sentence in context; ties go to the smaller number."""
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


def by_engine(engine: Engine, index: LoadedIndex) -> Search:
    """Packs that hold the best chunks, whatever their tokens."""

    def search(questions: Sequence[str], k: int) -> list[list[int]]:
        found = []
        for question in questions:
            request = engine.request(index.name, question, MAX_BUDGET_TOKENS, max_chunks=k)
            pack, _ = engine.assembler.assemble(index, request)
            found.append([packed.candidate.number for packed in pack.chunks])
        return found

    return search
