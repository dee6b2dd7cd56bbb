"""Scores of chunkers -> rows: each corpus and all, beside the published rows and beside each other."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.chunking.chunkers import Chunked
from benchmarks.chunking.corpora import CORPORA, ExcerptQuestion, Published
from benchmarks.chunking.metrics import FIGURES, precision_omega, scores
from benchmarks.pairs import difference
from benchmarks.rows import Row, mean_row

SEED = 7

Scored = Mapping[str, Sequence[float]]
"""One value a question, by figure, in percent."""


def scored(chunked: Chunked, questions: Sequence[ExcerptQuestion], num_retrieved: int) -> Scored:
    """Ask every question of all corpora at once."""
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


def rows(
    chunked: Chunked, found: Scored, questions: Sequence[ExcerptQuestion], common: Mapping[str, Any]
) -> list[Row]:
    """A row a figure over all questions, with each question's score, and one a corpus.

    `common`: benchmark, dataset, settings and command of all rows.
    """
    made = []
    for corpus in ("all", *CORPORA):
        chosen = [number for number, q in enumerate(questions) if corpus in ("all", q.corpus)]
        for figure in FIGURES if chosen else ():
            values = [found[figure][number] for number in chosen]
            row = _mean(f"{chunked.name}, {_where(corpus)}: {figure}, %", values, chunked.settings, common)
            if corpus == "all":
                row.details["mean_chars"] = round(chunked.mean_chars, 1)
                row.details["scores"] = [round(value, 3) for value in values]
            else:
                row.details["breakdown"] = True
            made.append(row)
    return made


def beside_published(
    name: str, found: Scored, questions: Sequence[ExcerptQuestion], table: Sequence[Published],
    settings: Mapping[str, object], common: Mapping[str, Any],
) -> list[Row]:  # fmt: skip
    """Ours minus the published mean, in points, for each corpus that is here.

    The details say the published figure and its standard error, to judge what is within noise.
    """
    made = []
    for entry in table:
        own = [number for number, question in enumerate(questions) if question.corpus == entry.corpus]
        for figure, value, deviation in zip(FIGURES, entry.means, entry.deviations, strict=True):
            if not own:
                continue
            apart = [found[figure][number] - value for number in own]
            label = f"{name}, {_where(entry.corpus)}: {figure} minus published, points"
            row = _mean(label, apart, settings, common)
            error = deviation / len(own) ** 0.5
            row.details.update(published=value, published_standard_error=round(error, 3), breakdown=True)
            made.append(row)
    return made


def compared(
    first: tuple[Chunked, Scored], second: tuple[Chunked, Scored], common: Mapping[str, Any]
) -> list[Row]:
    """First minus second in points over all questions, with the paired randomisation test's p."""
    made = []
    num = len(first[1][FIGURES[0]])
    for figure in FIGURES:
        apart = difference(first[1][figure], second[1][figure], SEED)
        label = f"{first[0].name} minus {second[0].name}: {figure}, points (p {_shown(apart.p)})"
        settings = {**common["settings"], **first[0].settings}
        made.append(
            Row(common["benchmark"], label, apart.mean, apart.interval, num, common["dataset"],
                settings, SEED, common["command"], {"p": apart.p})
        )  # fmt: skip
    return made


def _mean(
    figure: str, values: Sequence[float], chosen: Mapping[str, object], common: Mapping[str, Any]
) -> Row:
    settings = {**common["settings"], **chosen}
    return mean_row(common["benchmark"], figure, values, common["dataset"], settings, SEED, common["command"])


def _where(corpus: str) -> str:
    return "all three corpora" if corpus == "all" else corpus


def _shown(p: float) -> str:
    return f"{p:.4f}" if p >= 0.001 else "< 0.001"
