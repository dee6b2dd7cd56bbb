"""What is asked of the collections."""

import pytest

from benchmarks import hotpotqa
from benchmarks.chunking.corpora import FOLDER
from benchmarks.hotpotqa import HopQuestion
from benchmarks.packs.collections import (
    Excerpt,
    fact_question,
    load_chunking,
    load_etcd,
    load_hotpotqa,
    one_index,
    sentences_of,
)
from benchmarks.rows import data_root
from contextsvc.errors import ShapeError, SpanError
from contextsvc.records.documents import Document

ROOT = data_root()


def whole(text: str) -> list[tuple[int, int]]:
    """No splitter."""
    return [(0, len(text))]


def lines(text: str) -> list[tuple[int, int]]:
    """A line is a sentence."""
    ends = [at for at, char in enumerate(text) if char == "\n"]
    return list(zip([0, *(end + 1 for end in ends)], [*ends, len(text)], strict=True))


def question(text: str, *documents: Document, facts: set[tuple[int, int]]) -> HopQuestion:
    """Every document two sentences of four characters and a space."""
    spans = tuple(((0, 4), (4, 9)) for _ in documents)
    return HopQuestion(text, "", documents, spans, tuple(True for _ in documents), frozenset(facts))


def test_a_paragraph_of_two_questions_is_indexed_once() -> None:
    shared = Document("1/0", "One. Two.", title="Numbers")
    found = one_index("d@1", [
        question("first", shared, Document("1/1", "Six. Ten.", title="More"), facts={(0, 1), (1, 0)}),
        question("second", Document("2/0", "Six. Ten.", title="Other"),
                 Document("2/1", "One. Two.", title="Numbers"),
                 facts={(0, 0), (1, 0)}),
    ])  # fmt: skip
    assert [d.doc_id for d in found.documents] == ["1/0", "1/1", "2/0"]
    first, second = found.questions
    assert first.evidence == (Excerpt("1/0", 5, 9, "Two."), Excerpt("1/1", 0, 4, "Six."))
    assert second.evidence == (Excerpt("2/0", 0, 4, "Six."), Excerpt("1/0", 0, 4, "One."))
    assert first.sentences == first.evidence
    one = found.first(1, "all")
    assert ([d.doc_id for d in one.documents], one.questions) == (["1/0", "1/1"], (first,))
    assert one.data == "d@1, first 1 questions of all and their documents"
    assert (first.part, second.part) == ("report", "tune")
    assert found.first(1, "tune").questions == (second,)
    assert [d.doc_id for d in found.first(1, "tune").documents] == ["1/0", "2/0"]


def test_an_excerpt_has_no_space_at_its_edges() -> None:
    document = Document("d", "a  b c  d")
    assert Excerpt.cut(document, 1, 8) == Excerpt("d", 3, 6, "b c")
    for span in ((1, 3), (5, 5), (8, 10)):
        with pytest.raises(SpanError):
            Excerpt.cut(document, *span)


def test_what_two_excerpts_share_is_one_sentence() -> None:
    document = Document("d", "one\ntwo\nsix\nten")
    found = sentences_of(document, [(4, 11), (0, 7)], lines)
    assert [(s.start, s.text) for s in found] == [(0, "one"), (4, "two"), (8, "six")]


def test_a_fact_is_found_in_each_document_and_in_each_wording() -> None:
    text = "Run `etcdctl\n  defrag` now.\nRun etcdctl defrag."
    pages = [Document("a", text), Document("b", "Do defragment it.")]
    facts = [["etcdctl defrag", "defragment"], ["Run"]]
    found = fact_question({"id": "1", "kind": "howto", "question": "?", "facts": facts}, pages)
    assert found.kind == "howto"
    assert [(e.doc_id, e.start, e.text) for e in found.facts[0]] == [
        ("a", 5, "etcdctl\n  defrag"),
        ("a", 32, "etcdctl defrag"),
        ("b", 3, "defragment"),
    ]
    assert [e.start for e in found.facts[1]] == [0, 28]
    # The shortest lines that state each fact.
    assert [e.text for e in found.evidence] == ["Do defragment it.", "Run `etcdctl"]


def test_a_fact_that_no_document_states_is_refused() -> None:
    line = {"id": "7", "question": "?", "facts": [["quorum"]]}
    with pytest.raises(ShapeError, match="a fact of 7 is in no document"):
        fact_question(line, [Document("a", "Run it.")])


@pytest.mark.data
@pytest.mark.skipif(not (ROOT and (ROOT / "etcd_questions.jsonl").exists()), reason="no etcd questions")
def test_every_fact_of_the_etcd_questions_is_in_the_manual() -> None:
    found = load_etcd(whole)
    assert (len(found.documents), len(found.questions)) == (83, 96)
    assert sum(len(question.facts) for question in found.questions) == 181
    assert len({question.kind for question in found.questions}) == 8


@pytest.mark.data
@pytest.mark.skipif(not (ROOT and ROOT.joinpath(*hotpotqa.FILE).exists()), reason="no hotpotqa")
def test_every_question_of_hotpotqa_has_evidence_in_two_paragraphs() -> None:
    found = load_hotpotqa(whole)
    assert (len(found.documents), len(found.questions)) == (1971, 200)
    assert {len({e.doc_id for e in q.evidence}) for q in found.questions} == {2}
    texts = {d.doc_id: d.text for d in found.documents}
    assert all(texts[e.doc_id][e.start : e.end] == e.text for q in found.questions for e in q.evidence)


@pytest.mark.data
@pytest.mark.skipif(not (ROOT and ROOT.joinpath(*FOLDER).exists()), reason="no chunking")
def test_every_question_of_the_chunking_corpora_has_its_excerpts() -> None:
    found = load_chunking(whole)
    assert [d.doc_id for d in found.documents] == ["pubmed", "state_of_the_union", "wikitexts"]
    assert len(found.questions) == 319
    assert all(len({e.doc_id for e in q.evidence}) == 1 for q in found.questions)
