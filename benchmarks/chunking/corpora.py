"""Corpora and questions of Chroma's chunking evaluation.

Three of its five corpora are used, with all their questions; `chatlogs` and `finance` are not. All five are
in the repository brandonstarxel/chunking_evaluation at commit d451fc4, folder
chunking_evaluation/evaluation_framework/general_evaluation_data, under the MIT licence.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chunking.metrics import Span
from benchmarks.parts import Parted
from benchmarks.rows import dataset, fingerprint
from contextsvc.errors import SpanError

FOLDER = ("chunking",)
CORPORA = ("pubmed", "state_of_the_union", "wikitexts")
LICENCE, SOURCE = "MIT", "https://github.com/brandonstarxel/chunking_evaluation at d451fc4"


@dataclass(frozen=True, slots=True)
class ExcerptQuestion(Parted):
    """A question and the excerpts of one corpus that answer it."""

    corpus: str
    excerpts: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """Texts and files by name of the corpus, questions, and name and SHA-256 of the folder."""

    texts: Mapping[str, str]
    paths: Mapping[str, Path]
    questions: tuple[ExcerptQuestion, ...]
    data: str


def load(corpora: Sequence[str] = CORPORA) -> Collection:
    """All questions of these corpora.

    Raises:
        SystemExit: the data set is absent.
        SpanError: the text of an excerpt is not at its span.
    """
    folder = dataset(*FOLDER)
    paths = {name: folder / "corpora" / f"{name}.md" for name in corpora}
    texts = {name: path.read_text("utf-8") for name, path in paths.items()}
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        questions = tuple(_question(row, texts) for row in csv.DictReader(file) if row["corpus_id"] in texts)
    return Collection(texts, paths, questions, fingerprint(folder))


def published(chunker: str, size: int, overlap: int, num_retrieved: int = 5) -> list[dict[str, str]]:
    """Published rows of a chunker with all-MiniLM-L6-v2, one a corpus, also of absent corpora.

    A figure stands in the column of its name, in percent, and its deviation over questions in `<name>_sd`.
    """
    wanted = ("all-MiniLM-L6-v2", chunker, str(size), str(overlap), str(num_retrieved))
    keys = ("embedder", "chunker", "size", "overlap", "retrieve")
    with (dataset(*FOLDER) / "published_results.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if tuple(row[key] for key in keys) == wanted]


def _question(row: Mapping[str, str], texts: Mapping[str, str]) -> ExcerptQuestion:
    corpus, spans = row["corpus_id"], []
    for excerpt in json.loads(row["references"]):
        start, end = int(excerpt["start_index"]), int(excerpt["end_index"])
        if texts[corpus][start:end] != excerpt["content"]:
            raise SpanError(corpus, start, end, len(texts[corpus]))
        spans.append((start, end))
    return ExcerptQuestion(row["question"], corpus, tuple(spans))
