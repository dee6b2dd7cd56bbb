"""SciFact abstracts as documents, and its queries."""

from benchmarks.rows import dataset, read_lines
from contextsvc.records.documents import Document

FILE, QUERIES = ("scifact", "corpus.jsonl"), ("scifact", "queries.jsonl")


def load_abstracts(size: int) -> list[Document]:
    """The first `size` abstracts of 5,183, in order of the file."""
    entries = read_lines(dataset(*FILE))[:size]
    return [
        Document(f"scifact/{e['_id']}", e["text"], title=e["title"], source=f"scifact:{e['_id']}")
        for e in entries
    ]


def load_queries() -> list[str]:
    """All 809, in order of the file."""
    return [entry["text"] for entry in read_lines(dataset(*QUERIES))]
