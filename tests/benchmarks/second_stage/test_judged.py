"""Which chunks are relevant."""

import pytest

from benchmarks.packs.collections import Excerpt
from benchmarks.rows import data_root
from benchmarks.second_stage.judged import NAMES, Judged, JudgedCollection, load_judged, source_of
from contextsvc.records.documents import Chunk, Document


def test_every_chunk_of_a_judged_document_is_relevant() -> None:
    query = Judged("q", {"a": 2})
    assert query.relevant(Chunk("a", 0, 3, "one", 1))
    assert not query.relevant(Chunk("b", 0, 3, "one", 1))


def test_where_the_evidence_is_known_a_chunk_has_to_hold_some_of_it() -> None:
    query = Judged("q", {"a": 1}, (Excerpt("a", 4, 7, "two"), Excerpt("b", 0, 3, "one")))
    assert query.relevant(Chunk("a", 4, 7, "two", 1))
    assert query.relevant(Chunk("a", 6, 9, "o t", 1))
    assert not query.relevant(Chunk("a", 0, 4, "one ", 1)), "it ends where the evidence begins"
    assert not query.relevant(Chunk("b", 0, 3, "one", 1)), "its document is not judged relevant"


def test_the_first_documents_keep_what_is_judged_of_them() -> None:
    in_a, in_b = Excerpt("a", 0, 1, "A"), Excerpt("b", 0, 1, "B")
    queries = (
        Judged("one", {"a": 1}), Judged("both", {"a": 1, "b": 2}, (in_a, in_b)), Judged("other", {"b": 1}),
    )  # fmt: skip
    whole = JudgedCollection("cacm", "cacm@1", (Document("a", "A."), Document("b", "B.")), queries)
    assert whole.first(1) == JudgedCollection(
        "cacm",
        "cacm@1, first 1 documents",
        whole.documents[:1],
        (queries[0], Judged("both", {"a": 1}, (in_a,))),
    )


@pytest.mark.data
@pytest.mark.skipif(data_root() is None, reason="no data sets")
@pytest.mark.parametrize(
    ("name", "num_documents", "num_queries"), [("cacm", 3204, 52), ("hotpotqa", 1971, 200)]
)
def test_the_collections_are_those_of_the_other_benchmarks(
    name: str, num_documents: int, num_queries: int
) -> None:
    found = load_judged(name)
    assert (len(found.documents), len(found.queries)) == (num_documents, num_queries)
    ids = {document.doc_id for document in found.documents}
    assert all(query.gains and query.gains.keys() <= ids for query in found.queries)
    assert all(bool(query.evidence) == (name == "hotpotqa") for query in found.queries)


def test_every_collection_says_where_it_comes_from() -> None:
    assert all(all(source_of(name)) for name in NAMES)
