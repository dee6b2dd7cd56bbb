"""Signals of a question, found by the service's own path, that could say that nothing answers it."""

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from contextsvc.adapters.storage.disk_cache import DiskcacheCache
from contextsvc.errors import ShapeError
from contextsvc.indexing.build import build_index
from contextsvc.packing.answerability import answer_score, threshold_of
from contextsvc.packing.assembler import Assembler, Query, allowed_documents
from contextsvc.packing.signals import best_similarity
from contextsvc.records.arrays import Float64Array
from contextsvc.records.documents import Document
from contextsvc.records.requests import PackRequest
from contextsvc.service.caching import CachedEmbedder
from contextsvc.settings import Settings
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import build_embedder, build_index_parts, open_search
from contextsvc.wiring.engine import build_assembler

BUDGET, CACHE_BYTES = 800, 100_000_000
TENTH = 9


@dataclass(frozen=True, slots=True)
class Evidence:
    """Signals of one question.

    Attributes:
        score: Score of the pack.
        coverage: (n,) coverage of the candidates, best first.
        similarity: (n,) similarity of the best sentence of each candidate.
        num_terms: Number of the question's terms.
        own: (n,) scores of the candidates.
        bm25: Largest BM25 score of a candidate.
        seconds: Time of coverage and score.
    """

    score: float
    coverage: Float64Array
    similarity: Float64Array
    num_terms: int
    own: Float64Array
    bm25: float
    seconds: float

    def weighed(self, lexical: float) -> float:
        """The score with another weight of coverage."""
        similarity = self.similarity if lexical < 1 else None
        return answer_score(self.coverage, similarity, self.num_terms, lexical)

    @property
    def alike(self) -> float:
        """The score if the number of terms did not matter."""
        return float((0.35 * self.coverage + 0.65 * self.similarity).max(initial=0.0))

    @property
    def gap(self) -> float:
        """Score of the best candidate minus that of the tenth, or of the last one."""
        return float(self.own[0] - self.own[min(TENTH, len(self.own) - 1)]) if len(self.own) else 0.0


@dataclass(frozen=True, slots=True)
class Asking:
    """An open index."""

    settings: Settings
    assembler: Assembler
    index: LoadedIndex

    @property
    def threshold(self) -> float:
        """Threshold of the index."""
        return threshold_of(self.index.answer_calibration, None)[0]

    def evidence(self, text: str, filters: Mapping[str, Any] | None = None) -> Evidence:
        """Signals of a question among the documents that pass a filter.

        Raises:
            ShapeError: the score of the pack is not that of its candidates.
        """
        s, said = self.settings, json.dumps(filters) if filters else ""
        chosen: dict[str, Any] = {
            "max_chunks": s.max_chunks,
            "tokenizer": s.tokenizer,
            "ordering": s.ordering,
        }
        request = PackRequest(index=self.index.name, query=text, budget_tokens=BUDGET, filters=said, **chosen)
        pack = self.assembler.assemble(self.index, request)
        documents = allowed_documents(self.index, said)
        allowed = None if documents is None else documents[self.index.corpus.documents_of_chunks]
        asked = Query(text, self.assembler.embedder.embed_queries([text])[0])
        found = self.assembler.retrieve(self.index, asked, allowed, exact=False)
        ids, similarity = found.sentences.chunks, best_similarity(found.sentences)
        started = time.perf_counter()
        coverage = self.index.lexical.coverage(text, ids)
        num_terms = self.index.lexical.num_terms(text)
        score = answer_score(coverage, similarity, num_terms)
        seconds = time.perf_counter() - started
        if score != pack.answer.score:
            raise ShapeError(f"the pack says {pack.answer.score}, its candidates {score}: {text!r}")
        bm25 = float(self.index.lexical.scores(text, ids).max(initial=0.0))
        own = np.array([candidate.score for candidate in found.candidates])
        return Evidence(score, coverage, similarity, num_terms, own, bm25, seconds)


@contextmanager
def asking(name: str, documents: Iterable[Document]) -> Iterator[Asking]:
    """A temporary index of these documents with the settings of the environment."""
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder))
        embedder = build_embedder(settings)
        build_index(settings.root, name, documents, build_index_parts(settings, embedder))
        index = Library(settings.root, embedder.fingerprint, open_search).get(name)
        # Each question is put with several filters, but embedded once.
        with_vectors = CachedEmbedder(embedder, DiskcacheCache(Path(folder) / "cache", CACHE_BYTES))
        yield Asking(settings, build_assembler(settings, with_vectors), index)
