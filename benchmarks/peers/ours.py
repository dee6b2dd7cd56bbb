"""Ours as a side, with the settings of the environment; and the encoder alone."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.peers.protocol import Passage, Text
from contextsvc import wiring
from contextsvc.errors import BudgetTooSmall
from contextsvc.indexing.build import build_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.packing.assembler import Query
from contextsvc.records.arrays import Float32Array
from contextsvc.records.documents import Chunk, Document, Format
from contextsvc.records.packs import ContextPack
from contextsvc.records.requests import PackRequest
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus, sentence_passage
from contextsvc.storage.generation import open_manifest
from contextsvc.storage.library import Library

PACKAGES = ("sentence-transformers", "torch")
_NAME = "side"


class Ours:
    """As `contextsvc index build` into a temporary folder: durable, both searches, duplicates detected."""

    packages = PACKAGES
    _trim = True

    def __init__(self, model: Path) -> None:
        self._settings = replace(Settings.from_env(), embedder=str(model), cache=False)
        self._place = tempfile.TemporaryDirectory()
        self._root = Path(self._place.name)
        self._embedder = wiring.build_embedder(self._settings)
        self._parts = wiring.build_index_parts(self._settings, self._embedder)
        # Libraries of the searches load at first use; those of the peers are loaded by now.
        self._build("warm", [Document("warm", "Libraries load at first use.")])
        self._library = Library(self._root, self._embedder.fingerprint, wiring.open_search)
        self._assembler = wiring.build_assembler(self._settings, self._embedder)

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; documents are read one by one."""
        read = (
            Document(
                text.doc_id, text.text, title=text.title, source=text.doc_id, format=cast(Format, text.format)
            )
            for text in documents
        )
        return self._build(_NAME, read)

    def _build(self, name: str, documents: Iterable[Document]) -> int:
        least = self._settings.duplicate_likeness
        watch = Deduplicator(least, wiring.make_near_duplicate_index(least), keep_one=False)
        return build_index(self._root, name, documents, self._parts, deduplicator=watch).manifest.num_chunks

    def embedded(self) -> Iterator[str]:
        """Each distinct sentence and title once, in order of first occurrence."""
        corpus = Corpus.open(*open_manifest(self._root, _NAME))
        told = np.zeros(len(corpus.sentence_vectors), dtype=bool)
        for entry, document in zip(corpus.document_table, corpus.documents(), strict=True):
            title = int(entry["title_row"])
            if title >= 0 and not told[title]:
                told[title] = True
                yield document.title
            sentences = corpus.sentence_table[entry["first_sentence"] : entry["end_sentence"]]
            for sentence in sentences:
                if not told[sentence["row"]]:
                    told[sentence["row"]] = True
                    yield sentence_passage(document.text, sentence)

    def ask(self, query: str, k: int) -> list[Passage]:
        """Candidates by rank, whether a pack would take them or not."""
        index = self._library.get(_NAME)
        asked = Query(query, self._embedder.embed_queries([query])[0])
        found = self._assembler.retrieve(index, asked, None, exact=False).candidates[:k]
        return [Passage(c.chunk.doc_id, c.chunk.text, c.score, c.chunk.start, c.chunk.end) for c in found]

    def pack(self, query: str, budget_tokens: int) -> tuple[list[Passage], int]:
        """The pack of a request that only the budget limits; empty if no chunk fits."""
        s = self._settings
        chosen = {"max_chunks": s.max_chunks, "ordering": s.ordering, "trim": self._trim}
        try:
            pack = self._assembled(query=query, budget_tokens=budget_tokens, **chosen)
        except BudgetTooSmall:
            return [], 0
        chunks = [(packed.candidate.score, packed.candidate.chunk) for packed in pack.chunks]
        return [
            Passage(chunk.doc_id, part, score, *span)
            for score, chunk in chunks
            for part, span in zip(parts_of(chunk), chunk.spans, strict=True)
        ], pack.num_tokens

    def _assembled(self, **chosen: Any) -> ContextPack:
        request = PackRequest(index=_NAME, tokenizer=wiring.INDEX_TOKENIZER, **chosen)
        return self._assembler.assemble(self._library.get(_NAME), request, lambda _: None)


class OursWhole(Ours):
    """The same with whole chunks."""

    _trim = False


def parts_of(chunk: Chunk) -> list[str]:
    """Text of each span of a chunk."""
    at = [chunk.offset(start) for start, _ in chunk.spans]
    return [chunk.text[a : a + end - start] for a, (start, end) in zip(at, chunk.spans, strict=True)]


class BareEncoder:
    """The embedder alone: each text is a chunk; batches are sorted by length over all texts."""

    packages = PACKAGES

    def __init__(self, model: Path) -> None:
        self._embedder = wiring.build_embedder(replace(Settings.from_env(), embedder=str(model)))
        self._embedder.embed_queries(["warm"])
        self._texts: list[Text] = []
        self._vectors: Float32Array = np.zeros((0, self._embedder.dim), np.float32)

    def build(self, documents: Iterable[Text]) -> int:
        """Vectors in memory and nothing else."""
        self._texts = list(documents)
        self._vectors = self._embedder.embed_passages([text.text for text in self._texts])
        return len(self._texts)

    def embedded(self) -> Iterator[str]:
        """The texts."""
        return (text.text for text in self._texts)

    def ask(self, query: str, k: int) -> list[Passage]:
        """By cosine; equal ones in order."""
        scores = self._vectors @ self._embedder.embed_queries([query])[0]
        best = np.argsort(-scores, kind="stable")[:k]
        texts = [(self._texts[row], float(scores[row])) for row in best]
        return [Passage(text.doc_id, text.text, score, 0, len(text.text)) for text, score in texts]
