"""Test collections in BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels/*.tsv`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.parts import Part, part_of
from benchmarks.rows import dataset, fingerprint, read_lines
from contextsvc.records.documents import Document


@dataclass(frozen=True, slots=True)
class Source:
    """Where a collection comes from.

    Attributes:
        judgments: Its file of judgments, in `qrels`.
        where: Where an outsider gets it.
    """

    judgments: str
    licence: str
    where: str


SOURCES: Mapping[str, Source] = {
    "scifact": Source(
        "train", "claims CC BY 4.0, abstracts ODC-By 1.0", "BEIR SciFact, github.com/allenai/scifact"
    ),
    "cranfield": Source("test", "none stated", "the public Cranfield collection"),
    "cacm": Source("test", "none stated", "the public CACM collection"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """A query and what is relevant to it.

    Attributes:
        gains: Of the documents judged above 0, by document id.
    """

    query_id: str
    text: str
    gains: Mapping[str, int]

    @property
    def part(self) -> Part:
        """`tune` or `report`."""
        return part_of(self.text)


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, and the queries that have a relevant one; both in order of their files."""

    name: str
    fingerprint: str
    documents: tuple[Document, ...]
    queries: tuple[Query, ...]

    def first(self, num_documents: int) -> "Collection":
        """Its first documents and the queries that one of them is relevant to; the fingerprint says so."""
        documents = self.documents[:num_documents]
        kept = {document.doc_id for document in documents}
        judged = [
            replace(query, gains={doc_id: gain for doc_id, gain in query.gains.items() if doc_id in kept})
            for query in self.queries
        ]
        queries = tuple(query for query in judged if query.gains)
        said = f"{self.fingerprint}, first {len(documents)} documents"
        return replace(self, documents=documents, queries=queries, fingerprint=said)


def load(name: str) -> Collection:
    """A collection of `SOURCES`.

    A document without text is its title alone.

    Raises:
        SystemExit: it is not there.
    """
    folder = dataset(name)
    gains = _judgments(folder / "qrels" / f"{SOURCES[name].judgments}.tsv")
    queries = [
        Query(entry["_id"], entry["text"], gains[entry["_id"]])
        for entry in read_lines(folder / "queries.jsonl")
        if entry["_id"] in gains
    ]
    return Collection(name, fingerprint(folder), tuple(_documents(folder)), tuple(queries))


def _documents(folder: Path) -> list[Document]:
    entries = [entry for entry in read_lines(folder / "corpus.jsonl") if entry["text"] or entry["title"]]
    return [
        Document(e["_id"], e["text"] or e["title"], title=e["title"], source=f"{folder.name}:{e['_id']}")
        for e in entries
    ]


def _judgments(path: Path) -> dict[str, dict[str, int]]:
    gains: dict[str, dict[str, int]] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        query_id, doc_id, grade = line.split("\t")
        if int(grade) > 0:
            gains.setdefault(query_id, {})[doc_id] = int(grade)
    return gains
