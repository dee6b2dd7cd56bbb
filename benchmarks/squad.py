"""SQuAD paragraphs as documents, its questions with their answers and gold paragraphs."""

import json
from dataclasses import dataclass

import numpy as np

from benchmarks.rows import dataset
from contextsvc.records.documents import Document

FILE = ("squad", "dev-v1.1-first24.json")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its first gold answer, and the document that holds it."""

    text: str
    answer: str
    doc_id: str


def load_articles(first: int, end: int) -> tuple[list[Document], list[Question]]:
    """Paragraphs and questions of articles `first` to `end` of 24, in order of the file."""
    articles = json.loads(dataset(*FILE).read_text("utf-8"))["data"][first:end]
    documents: list[Document] = []
    questions: list[Question] = []
    for article in articles:
        title = article["title"].replace("_", " ")
        for number, paragraph in enumerate(article["paragraphs"]):
            doc_id = f"{article['title']}/{number}"
            documents.append(Document(doc_id, paragraph["context"], title=title, source=f"squad:{doc_id}"))
            questions.extend(
                Question(qa["question"].strip(), qa["answers"][0]["text"], doc_id)
                for qa in paragraph["qas"]
                if qa["answers"]
            )
    return documents, questions


def sample(questions: list[Question], size: int, seed: int) -> list[Question]:
    """`size` questions drawn without replacement, all of them where there are fewer."""
    rows = np.random.default_rng(seed).choice(len(questions), size=min(size, len(questions)), replace=False)
    return [questions[int(row)] for row in rows]
