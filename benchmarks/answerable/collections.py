"""Collections that chose nothing: what is asked of each in its own words, and what answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.packs.collections import PackQuestion, load_chunking, load_hotpotqa
from benchmarks.retrieval.collections import load
from contextsvc.indexing.sentences import Split
from contextsvc.records.documents import Document


@dataclass(frozen=True, slots=True)
class Asked:
    """Documents and their questions.

    Attributes:
        data: Name and SHA-256.
        questions: Each with the ids of the documents that answer it.
    """

    data: str
    documents: tuple[Document, ...]
    questions: tuple[tuple[str, tuple[str, ...]], ...]


def hotpotqa(split: Split, _: int) -> Asked:
    """All paragraphs and all 200 questions."""
    found = load_hotpotqa(split)
    return Asked(found.data, found.documents, _with_ids(found.questions))


def chunking(split: Split, _: int) -> Asked:
    """The three corpora of the chunking evaluation, a document each, and all 319 questions."""
    found = load_chunking(split)
    return Asked(found.data, found.documents, _with_ids(found.questions))


def scifact(_: Split, size: int) -> Asked:
    """The first `size` abstracts, and the claims that one of them bears on."""
    found = load("scifact").first(size)
    return Asked(found.fingerprint, found.documents, tuple((q.text, tuple(q.gains)) for q in found.queries))


OTHERS: Mapping[str, Callable[[Split, int], Asked]] = {
    "hotpotqa": hotpotqa,
    "chunking": chunking,
    "scifact": scifact,
}


def _with_ids(questions: tuple[PackQuestion, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((q.text, tuple(dict.fromkeys(e.doc_id for e in q.evidence))) for q in questions)
