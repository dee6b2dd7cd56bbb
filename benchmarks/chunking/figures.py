"""Scores of chunkers -> rows: for each corpus and all, against published rows and against each other."""

from collections.abc import Mapping, Sequence

from benchmarks.chunking.chunkers import Chunked
from benchmarks.chunking.corpora import CORPORA, ExcerptQuestion
from benchmarks.chunking.metrics import FIGURES, precision_omega, scores
from benchmarks.rows import Row, Sheet

Scored = Mapping[str, Sequence[float]]
"""One value a question in percent, by figure."""


def scored(chunked: Chunked, questions: Sequence[ExcerptQuestion], num_retrieved: int) -> Scored:
    """Scores of all questions, each put to all corpora at once."""
    found = chunked.search([question.text for question in questions], num_retrieved)
    spans = {corpus: chunked.spans(corpus) for corpus in {question.corpus for question in questions}}
    table: dict[str, list[float]] = {figure: [] for figure in FIGURES}
    for question, numbers in zip(questions, found, strict=True):
        retrieved = [chunked.passages[number] for number in numbers]
        got = scores(question.corpus, question.excerpts, retrieved)
        omega = precision_omega(question.excerpts, spans[question.corpus])
        for figure, value in zip(FIGURES, (got.recall, got.precision, omega, got.iou), strict=True):
            table[figure].append(100 * value)
    return table


def rows(chunked: Chunked, found: Scored, questions: Sequence[ExcerptQuestion], sheet: Sheet) -> list[Row]:
    """A row a figure over all questions, with the score of each, and one a corpus."""
    made = []
    for corpus in ("all", *CORPORA):
        chosen = [number for number, q in enumerate(questions) if corpus in ("all", q.corpus)]
        for figure in FIGURES if chosen else ():
            values = [found[figure][number] for number in chosen]
            every = {"mean_chars": round(chunked.mean_chars, 1), "scores": [round(v, 3) for v in values]}
            details = every if corpus == "all" else {}
            label = f"{chunked.name}, {_where(corpus)}: {figure}, %"
            made.append(sheet.mean(label, values, details, **chunked.settings))
    return made


def beside_published(
    chunked: Chunked, found: Scored, questions: Sequence[ExcerptQuestion], table: Sequence[Mapping[str, str]],
    sheet: Sheet,
) -> list[Row]:  # fmt: skip
    """Ours minus the published mean, in points, of each corpus that is present.

    The details hold the published figure and its standard error, which says what is noise.
    """
    made = []
    for entry in table:
        own = [number for number, question in enumerate(questions) if question.corpus == entry["corpus"]]
        for figure in FIGURES if own else ():
            column = figure.lower().replace(" ", "_")
            value, deviation = float(entry[column]), float(entry[f"{column}_sd"])
            apart = [found[figure][number] - value for number in own]
            label = f"{chunked.name}, {_where(entry['corpus'])}: {figure} minus published, points"
            error = round(deviation / len(own) ** 0.5, 3)
            details = {"published": value, "published_standard_error": error}
            made.append(sheet.mean(label, apart, details, **chunked.settings))
    return made


def compared(first: tuple[Chunked, Scored], second: tuple[Chunked, Scored], sheet: Sheet) -> list[Row]:
    """First minus second in points over all questions."""
    (one, own), (other, others) = first, second
    label = f"{one.name} minus {other.name}"
    return [
        sheet.difference(f"{label}: {figure}, points", own[figure], others[figure], **one.settings)
        for figure in FIGURES
    ]


def _where(corpus: str) -> str:
    return "all three corpora" if corpus == "all" else corpus
