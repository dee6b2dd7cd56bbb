"""Four collections in one shape: documents, queries, and which chunks are relevant to a query.

Of Cranfield, CACM and SciFact a document is judged as a whole, so each of its chunks is relevant. Of HotpotQA
all paragraphs are in one index, a document each; relevant is a chunk that holds something of a supporting
sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.packs.collections import Excerpt, PackQuestion, load_hotpotqa
from benchmarks.parts import Part, part_of
from benchmarks.retrieval.collections import SOURCES, load
from contextsvc.records.documents import Chunk, Document

HOTPOTQA = "hotpotqa"
NAMES = ("cranfield", "cacm", "scifact", HOTPOTQA)


@dataclass(frozen=True, slots=True)
class Judged:
    """A query with its judgments.

    Attributes:
        gains: Grade of each relevant document, above 0; at least one.
        evidence: Where in these documents; empty: anywhere.
    """

    text: str
    gains: Mapping[str, int]
    evidence: tuple[Excerpt, ...] = ()

    @property
    def part(self) -> Part:
        """`tune` or `report`."""
        return part_of(self.text)

    def relevant(self, chunk: Chunk) -> bool:
        """Whether a chunk of a relevant document holds a character of the evidence, if that is known."""
        here = [excerpt for excerpt in self.evidence if excerpt.doc_id == chunk.doc_id]
        touched = any(excerpt.start < chunk.end and chunk.start < excerpt.end for excerpt in here)
        return chunk.doc_id in self.gains and (touched or not self.evidence)


@dataclass(frozen=True, slots=True)
class JudgedCollection:
    """What is indexed and asked, in order of the files; `data` is name and SHA-256."""

    name: str
    data: str
    documents: tuple[Document, ...]
    queries: tuple[Judged, ...]

    def first(self, num_documents: int) -> "JudgedCollection":
        """Its first documents and the queries that one of them is relevant to; `data` says so."""
        documents = self.documents[:num_documents]
        kept = {document.doc_id for document in documents}
        judged = [
            Judged(
                query.text,
                {doc_id: gain for doc_id, gain in query.gains.items() if doc_id in kept},
                tuple(excerpt for excerpt in query.evidence if excerpt.doc_id in kept),
            )
            for query in self.queries
        ]
        said = f"{self.data}, first {len(documents)} documents"
        return JudgedCollection(self.name, said, documents, tuple(query for query in judged if query.gains))


def load_judged(name: str) -> JudgedCollection:
    """One of `NAMES`.

    Raises:
        SystemExit: it is not there.
    """
    if name == HOTPOTQA:
        hops = load_hotpotqa(lambda _: [])
        return JudgedCollection(name, hops.data, hops.documents, tuple(map(_of_hops, hops.questions)))
    found = load(name)
    queries = tuple(Judged(query.text, query.gains) for query in found.queries)
    return JudgedCollection(name, found.fingerprint, found.documents, queries)


def source_of(name: str) -> tuple[str, str]:
    """(where an outsider gets a collection, its licence)."""
    if name == HOTPOTQA:
        from benchmarks.hotpotqa import LICENCE, SOURCE

        return SOURCE, LICENCE
    return SOURCES[name].where, SOURCES[name].licence


def _of_hops(question: PackQuestion) -> Judged:
    return Judged(question.text, {excerpt.doc_id: 1 for excerpt in question.evidence}, question.evidence)
