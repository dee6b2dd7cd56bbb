"""Documents, questions, and the place of each question's evidence in the documents.

`hotpotqa`: all paragraphs of all questions in one index; evidence are the supporting sentences.
`chunking`: the corpora of `benchmarks.chunking` in one index; evidence are the reference excerpts.
`etcd`: a manual in one index; a question needs facts, each of which a pack may hold in other words.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import hotpotqa
from benchmarks.chunking import corpora
from benchmarks.chunking.metrics import union
from benchmarks.hotpotqa import HopQuestion
from benchmarks.parts import Part, Parted, of_part
from benchmarks.rows import dataset, fingerprint, read_lines
from contextsvc.errors import ShapeError, SpanError
from contextsvc.indexing.sentences import Split
from contextsvc.records.documents import Document
from contextsvc.settings import Settings
from contextsvc.wiring import read_sources


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a document that a question needs, without spaces at its edges."""

    doc_id: str
    start: int
    end: int
    text: str

    @classmethod
    def cut(cls, document: Document, start: int, end: int) -> "Excerpt":
        """The text at a span, stripped.

        Raises:
            SpanError: it is empty, or the span lies outside the text.
        """
        text = document.text[start:end].strip()
        if not text or not 0 <= start < end <= len(document.text):
            raise SpanError(document.doc_id, start, end, len(document.text))
        start = document.text.index(text, start)
        return cls(document.doc_id, start, start + len(text), text)


@dataclass(frozen=True, slots=True)
class PackQuestion(Parted):
    """A question, its evidence, and the sentences of the evidence, each character once.

    Attributes:
        facts: For each fact of a right answer, the places where a document states it. Empty if the question
            has no facts but excerpts.
        kind: What the question is about, in a word; empty if the data has no kinds.
    """

    evidence: tuple[Excerpt, ...]
    sentences: tuple[Excerpt, ...]
    facts: tuple[tuple[Excerpt, ...], ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents and questions; `titled` if the data has titles of its own, which every side then gets."""

    name: str
    data: str
    documents: tuple[Document, ...]
    questions: tuple[PackQuestion, ...]
    titled: bool

    def first(self, number: int, part: Part) -> "Collection":
        """The first questions of a part and the documents of their evidence; `data` says so."""
        questions = tuple(of_part(self.questions, part)[:number])
        held = {excerpt.doc_id for question in questions for excerpt in question.evidence}
        documents = tuple(document for document in self.documents if document.doc_id in held)
        data = f"{self.data}, first {len(questions)} questions of {part} and their documents"
        return replace(self, data=data, documents=documents, questions=questions)


@dataclass(frozen=True, slots=True)
class Source:
    """Source of a collection: its reader, licence, place, and budgets in tokens, ascending.

    `load` raises SystemExit if the data set is absent.
    """

    load: Callable[[Split], Collection]
    licence: str
    where: str
    budgets: tuple[int, ...]


def load_hotpotqa(_: Split) -> Collection:
    """Each paragraph once; paragraphs with equal title and text are one."""
    return one_index(fingerprint(dataset(*hotpotqa.FILE)), hotpotqa.load())


def one_index(data: str, asked: Iterable[HopQuestion]) -> Collection:
    """Paragraphs of all questions as one collection; an id is that of the first occurrence."""
    documents: dict[tuple[str, str], Document] = {}
    questions = []
    for question in asked:
        own = [documents.setdefault((d.title, d.text), d) for d in question.documents]
        facts = [(own[place], question.sentences[place][number]) for place, number in sorted(question.facts)]
        evidence = tuple(Excerpt.cut(document, *span) for document, span in facts)
        questions.append(PackQuestion(question.text, evidence, evidence))
    return Collection("hotpotqa", data, tuple(documents.values()), tuple(questions), titled=True)


def load_chunking(split: Split) -> Collection:
    """One document a file, as the service reads it; `split` finds the sentences of excerpts."""
    given = corpora.load()
    read = read_sources(Settings.from_env(), [str(path) for path in given.paths.values()], lambda *_: None)
    documents = {name: replace(d, doc_id=name) for name, d in zip(given.paths, read, strict=True)}
    questions = [
        PackQuestion(
            question.text,
            tuple(Excerpt.cut(documents[question.corpus], *span) for span in question.excerpts),
            tuple(sentences_of(documents[question.corpus], question.excerpts, split)),
        )
        for question in given.questions
    ]
    return Collection("chunking", given.data, tuple(documents.values()), tuple(questions), titled=False)


def sentences_of(document: Document, spans: Sequence[tuple[int, int]], split: Split) -> list[Excerpt]:
    """Sentences of some spans, in order; text that two spans share comes once."""
    return [
        Excerpt.cut(document, start + first, start + last)
        for start, end in union(spans)
        for first, last in split(document.text[start:end])
    ]


def load_etcd(_: Split) -> Collection:
    """Pages of the manual as the service reads them; evidence are the shortest lines that state the facts."""
    folder, file = dataset("etcd_docs", "content", "en", "docs", "v3.5"), dataset("etcd_questions.jsonl")
    documents = tuple(read_sources(Settings.from_env(), [str(folder)], lambda *_: None))
    data = f"{fingerprint(folder)}, {fingerprint(file)}"
    questions = tuple(fact_question(line, documents) for line in read_lines(file))
    return Collection("etcd", data, documents, questions, titled=False)


def fact_question(line: Mapping[str, Any], documents: Sequence[Document]) -> PackQuestion:
    """A question whose facts are found wherever a document states one of their alternatives.

    Raises:
        ShapeError: no document states one of the facts.
    """
    facts = tuple(
        tuple(place for words in fact for document in documents for place in stated(document, words))
        for fact in line["facts"]
    )
    if not all(facts):
        raise ShapeError(f"a fact of {line['id']} is in no document")
    texts = {document.doc_id: document for document in documents}
    lines = [[whole_lines(texts[place.doc_id], place) for place in fact] for fact in facts]
    evidence = tuple(min(found, key=lambda place: len(place.text)) for found in lines)
    return PackQuestion(line["question"], evidence, tuple(dict.fromkeys(evidence)), facts, line["kind"])


def whole_lines(document: Document, place: Excerpt) -> Excerpt:
    """The lines of a document that a place lies in."""
    end = document.text.find("\n", place.end)
    start = document.text.rfind("\n", 0, place.start) + 1
    return Excerpt.cut(document, start, len(document.text) if end < 0 else end)


def stated(document: Document, words: str) -> list[Excerpt]:
    """Places of some words in a document; any white space may be between them."""
    pattern = r"\s+".join(map(re.escape, words.split()))
    return [Excerpt.cut(document, *found.span()) for found in re.finditer(pattern, document.text)]


SOURCES: Mapping[str, Source] = {
    "hotpotqa": Source(
        load_hotpotqa, hotpotqa.LICENCE, hotpotqa.SOURCE,
        (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096),
    ),
    "chunking": Source(load_chunking, corpora.LICENCE, corpora.SOURCE, (256, 512)),
    "etcd": Source(
        load_etcd, "CC BY 4.0", "github.com/etcd-io/website v3.5; questions written for this project",
        (150, 300, 500, 800, 1500),
    ),
}  # fmt: skip
