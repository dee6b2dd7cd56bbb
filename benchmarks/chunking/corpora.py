"""Corpora and questions of Chroma's chunking evaluation.

Three of its five corpora are given, with all of their questions: `chatlogs` and `finance` are not. All five
are in the repository brandonstarxel/chunking_evaluation at commit d451fc4, where an outsider gets them
(chunking_evaluation/evaluation_framework/general_evaluation_data), under the MIT licence.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chunking.metrics import FIGURES, Span
from benchmarks.parts import Part, part_of
from benchmarks.rows import dataset, fingerprint
from contextsvc.errors import SpanError

FOLDER = ("chunking",)
CORPORA = ("pubmed", "state_of_the_union", "wikitexts")
LICENCE, SOURCE = "MIT", "https://github.com/brandonstarxel/chunking_evaluation at d451fc4"


@dataclass(frozen=True, slots=True)
class ExcerptQuestion:
    """A question and the excerpts of one corpus that answer it."""

    text: str
    corpus: str
    excerpts: tuple[Span, ...]

    @property
    def part(self) -> Part:
        """`tune` or `report`; the published rows are over all."""
        return part_of(self.text)


@dataclass(frozen=True, slots=True)
class Collection:
    """What is chunked and asked.

    Attributes:
        texts: By name of the corpus.
        paths: The files the texts are of.
        data: Name and SHA-256 of the folder.
    """

    texts: Mapping[str, str]
    paths: Mapping[str, Path]
    questions: tuple[ExcerptQuestion, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Published:
    """A row of the published table, in percent, by figure in the order of `FIGURES`.

    Attributes:
        deviations: Over the questions.
    """

    corpus: str
    means: tuple[float, ...]
    deviations: tuple[float, ...]


def load() -> Collection:
    """All questions whose corpus is here.

    Raises:
        SystemExit: the data set is not there.
        SpanError: an excerpt is not what its span says.
    """
    folder = dataset(*FOLDER)
    paths = {name: folder / "corpora" / f"{name}.md" for name in CORPORA}
    texts = {name: path.read_text("utf-8") for name, path in paths.items()}
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        questions = tuple(_question(row, texts) for row in csv.DictReader(file) if row["corpus_id"] in texts)
    return Collection(texts, paths, questions, fingerprint(folder))


def published(chunker: str, size: int, overlap: int, num_retrieved: int = 5) -> list[Published]:
    """Published rows of a chunker with all-MiniLM-L6-v2, one a corpus, also of corpora that are not here."""
    wanted = ("all-MiniLM-L6-v2", chunker, str(size), str(overlap), str(num_retrieved))
    keys = ("embedder", "chunker", "size", "overlap", "retrieve")
    columns = [figure.lower().replace(" ", "_") for figure in FIGURES]
    with (dataset(*FOLDER) / "published_results.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if tuple(row[key] for key in keys) == wanted]
    return [
        Published(
            row["corpus"],
            tuple(float(row[name]) for name in columns),
            tuple(float(row[f"{name}_sd"]) for name in columns),
        )
        for row in rows
    ]


def _question(row: Mapping[str, str], texts: Mapping[str, str]) -> ExcerptQuestion:
    corpus, spans = row["corpus_id"], []
    for excerpt in json.loads(row["references"]):
        start, end = int(excerpt["start_index"]), int(excerpt["end_index"])
        if texts[corpus][start:end] != excerpt["content"]:
            raise SpanError(corpus, start, end, len(texts[corpus]))
        spans.append((start, end))
    return ExcerptQuestion(row["question"], corpus, tuple(spans))
