"""HotpotQA paragraphs as documents, its questions with their answers, paragraphs and supporting sentences.

200 hard questions of its dev set, as AdelWang/MIGRES has them in data/ at commit 1de6265,
where an outsider gets them; HotpotQA itself is at hotpotqa.github.io.
"""

from dataclasses import dataclass

from benchmarks.rows import dataset, read_lines
from contextsvc.records.documents import Document

FILE = ("hotpotqa", "dev200.jsonl")
LICENCE, SOURCE = "CC BY-SA 4.0", "https://github.com/AdelWang/MIGRES at 1de6265, data/; hotpotqa.github.io"


@dataclass(frozen=True, slots=True)
class HopQuestion:
    """A question over ten paragraphs.

    Attributes:
        documents: One a paragraph, in order of the file.
        sentences: Spans of each paragraph's sentences in its text.
        gold: Which paragraphs support the answer.
        facts: (paragraph, sentence) of each supporting sentence.
    """

    text: str
    answer: str
    documents: tuple[Document, ...]
    sentences: tuple[tuple[tuple[int, int], ...], ...]
    gold: tuple[bool, ...]
    facts: frozenset[tuple[int, int]]


def load() -> list[HopQuestion]:
    """All of them, in order of the file; doc ids are unique over questions."""
    return [_question(entry) for entry in read_lines(dataset(*FILE))]


def _question(entry: dict) -> HopQuestion:  # type: ignore[type-arg]
    supporting = {title for title, _ in entry["supporting_facts"]}
    titles = [title for title, _ in entry["context"]]
    documents, spans = [], []
    for number, (title, sentences) in enumerate(entry["context"]):
        text = "".join(sentences)
        lead = len(text) - len(text.lstrip())
        doc_id = f"{entry['_id']}/{number}"
        documents.append(Document(doc_id, text.strip(), title=title, source=f"hotpotqa:{doc_id}"))
        ends, start = [], -lead
        for sentence in sentences:
            ends.append((max(0, start), start + len(sentence)))
            start += len(sentence)
        spans.append(tuple(ends))
    facts = {
        (titles.index(title), sentence)
        for title, sentence in entry["supporting_facts"]
        if title in titles and sentence < len(spans[titles.index(title)])
    }
    return HopQuestion(
        entry["question"], entry["answer"], tuple(documents), tuple(spans),
        tuple(title in supporting for title in titles), frozenset(facts),
    )  # fmt: skip
