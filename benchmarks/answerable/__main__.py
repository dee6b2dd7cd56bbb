"""Do packs recognise questions that nothing in the index answers? `python -m benchmarks.answerable`.

SQuAD's questions are put to an index of all articles: as they are, with a filter that excludes their
article, and with a filter that excludes only their paragraph. Articles are halved by a hash of their names:
weights were chosen on `--part tune`, the other half reports. The choice is then tested on other collections,
whose own questions are answerable and those of the others are not. The rule for an index's threshold was
chosen on that half, on SQuAD's training set, on Cranfield, on CACM and on the questions of `etcd`. The
weights of words come from the whole index, filter or not; an index that never held the articles measures how
much that matters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.ablation.figures import Ranked
from benchmarks.answerable.asking import BUDGET, Asking, Evidence, asking
from benchmarks.answerable.figures import ALLOWED, SEED, area_row, rows_of_thresholds, rows_of_ways, share_row
from benchmarks.packs.collections import Collection, load_chunking, load_etcd, load_hotpotqa
from benchmarks.parts import part_of
from benchmarks.retrieval.collections import load as load_judged
from benchmarks.rows import Row, Sheet, dataset, fingerprint, told
from benchmarks.squad import FILE, Question, load_articles, sample
from benchmarks.switches import Asked, asked_for
from contextsvc import assets
from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.indexing.sentences import Split
from contextsvc.packing.answerability import COVERAGE_WEIGHT, FULL_TERMS, THRESHOLD
from contextsvc.records.documents import Document
from contextsvc.settings import Settings

COMMAND = "python -m benchmarks.answerable"
EVERY = 5


@dataclass(frozen=True, slots=True)
class Given:
    """Another collection.

    Attributes:
        data: Name and SHA-256.
        questions: Each with the ids of the documents that answer it.
    """

    data: str
    documents: tuple[Document, ...]
    questions: tuple[tuple[str, tuple[str, ...]], ...]


def packed(load: Callable[[Split], Collection], split: Split, _: int) -> Given:
    """All documents and questions of a collection of `benchmarks.packs`."""
    found = load(split)
    ids = [tuple(dict.fromkeys(excerpt.doc_id for excerpt in q.evidence)) for q in found.questions]
    texts = [question.text for question in found.questions]
    return Given(found.data, found.documents, tuple(zip(texts, ids, strict=True)))


def scifact(_: Split, size: int) -> Given:
    """The first `size` abstracts, and the claims that one of them is relevant to."""
    found = load_judged("scifact").first(size)
    return Given(found.fingerprint, found.documents, tuple((q.text, tuple(q.gains)) for q in found.queries))


OTHERS: Mapping[str, Callable[[Split, int], Given]] = {
    "hotpotqa": partial(packed, load_hotpotqa),
    "chunking": partial(packed, load_chunking),
    "scifact": scifact,
    "etcd": partial(packed, load_etcd),
}


def article_of(doc_id: str) -> str:
    """Name of the article in a document id of `benchmarks.squad`.

    >>> article_of("AC/DC/12")
    'AC/DC'
    """
    return doc_id.rpartition("/")[0]


def by_article(questions: Iterable[Question], part: str, most: int) -> dict[str, list[Question]]:
    """At most `most` questions of each article of a part, drawn by seed."""
    found: dict[str, list[Question]] = {}
    for question in questions:
        if part_of(article_of(question.doc_id)) == part:
            found.setdefault(article_of(question.doc_id), []).append(question)
    return {article: sample(of_it, most, SEED) for article, of_it in found.items()}


def without(field: str, *values: str) -> dict[str, Any]:
    """A filter that excludes these values."""
    return {"not": {"field": field, "in": list(values)}}


def squad_rows(index: Asking, groups: Mapping[str, Sequence[Question]], sheet: Sheet) -> list[Row]:
    """Rows of the questions of a half."""
    there, absent, near = [], [], []
    for article, questions in groups.items():
        told(f"squad: {article}")
        title = article.replace("_", " ")
        there.append([index.evidence(q.text) for q in questions])
        absent.append([index.evidence(q.text, without("title", title)) for q in questions])
        near.append([index.evidence(q.text, without("doc_id", q.doc_id)) for q in questions])
    far, close = list(zip(there, absent, strict=True)), list(zip(there, near, strict=True))
    seconds = [evidence.seconds for of_article in there for evidence in of_article]
    cost = sheet.row("what it adds to a query, ms, median", 1000 * float(np.median(seconds)), len(seconds))
    shares = rows_of_thresholds(far, close, index.threshold, sheet)
    return [*shares, *rows_of_ways(far, sheet), threshold_row("", index, sheet), cost]


def held_out_rows(
    index: Asking, documents: Sequence[Document], groups: Mapping[str, Sequence[Question]], sheet: Sheet
) -> list[Row]:
    """The same questions put to an index without the articles of the half, and to one that excludes them."""
    kept = [document for document in documents if article_of(document.doc_id) not in groups]
    texts = [question.text for of_it in groups.values() for question in of_it]
    shut = without("title", *(article.replace("_", " ") for article in groups))
    filtered = [index.evidence(text, shut).score for text in texts]
    with asking("squad-half", kept) as half:
        never = [half.evidence(text).score for text in texts]
    apart = np.array(filtered) - np.array(never)
    return [
        sheet.mean("articles shut out by a filter less never indexed: score", apart),
        sheet.mean("articles never indexed: found", [score < index.threshold for score in never]),
        sheet.mean("articles shut out by a filter: found", [score < index.threshold for score in filtered]),
    ]


def other_rows(name: str, given: Given, foreign: Sequence[str], sheet: Sheet) -> list[Row]:
    """Own and foreign questions of a collection; each question is a group of its own."""
    sheet = replace(sheet, dataset=given.data)
    told(f"building {name}")
    with asking(name, given.documents) as index:
        own = [index.evidence(text) for text, _ in given.questions]
        bare = [index.evidence(text, without("doc_id", *ids)) for text, ids in given.questions]
        alien = [index.evidence(text) for text in foreign]
    there, absent, threshold = scores_of(own, True), scores_of(alien, False), index.threshold
    foreign_found = f"{name}: questions of the other collections, found"
    return [
        share_row(f"{name}: own questions, flagged", there, threshold, True, sheet),
        share_row(foreign_found, absent, threshold, False, sheet),
        share_row(f"{name}: own questions, flagged by the default", there, THRESHOLD, True, sheet),
        share_row(f"{foreign_found} by the default", absent, THRESHOLD, False, sheet),
        area_row(f"{name}: own questions and those of the others", [*there, *absent], sheet),
        share_row(f"{name}: own questions without the documents that answer, found",
                  scores_of(bare, False), threshold, False, sheet),
        threshold_row(f"{name}: ", index, sheet),
    ]  # fmt: skip


def threshold_row(lead: str, index: Asking, sheet: Sheet) -> Row:
    """The threshold of an index, with its expected error in the details."""
    found = index.index.answer_calibration
    expected = {"flagged": found.flagged, "passed": found.passed}
    return sheet.row(
        f"{lead}threshold of the index", index.threshold, found.num_questions or 0, None, expected
    )


def scores_of(found: Iterable[Evidence], answerable: bool) -> list[Ranked]:
    """Each question as a group of its own."""
    return [([evidence.score], [answerable]) for evidence in found]


def main(argv: Sequence[str] | None = None) -> None:
    """Send questions with and without what answers them; the report half also tests other collections."""
    names = {"collections": tuple(OTHERS)}
    asked = asked_for(
        COMMAND, __doc__, argv, names, part="report", articles=24, questions=100, abstracts=1000
    )
    documents, questions = load_articles(0, asked["articles"])
    groups = by_article(questions, asked.part, asked["questions"])
    benchmark = "answerable" if asked.part == "report" else f"answerable_{asked.part}"
    shaping = {"lexical": COVERAGE_WEIGHT, "full_terms": FULL_TERMS, "allowed": ALLOWED}
    settings = {**shaping, "part": asked.part, "budget_tokens": BUDGET, **asked.sizes}
    sheet = Sheet(benchmark, fingerprint(dataset(*FILE)), SEED, asked.command(), settings)
    told("building squad")
    with asking("squad", documents) as index:
        made = squad_rows(index, groups, sheet)
        if asked.part == "report":
            made += held_out_rows(index, documents, groups, sheet)
    if asked.part == "report":
        squad = [question.text for of_it in groups.values() for question in of_it]
        made += tried(asked, squad[::EVERY], sheet)
    asked.keep(made)


def tried(asked: Asked, squad: Sequence[str], sheet: Sheet) -> list[Row]:
    """Rows of the other collections."""
    splitter = PunktSentenceSplitter(assets.locate(Settings.from_env().home, "punkt_tab"))
    given = {name: OTHERS[name](splitter.split, asked["abstracts"]) for name in asked.names["collections"]}
    own = {"squad": squad, **{name: [text for text, _ in one.questions] for name, one in given.items()}}
    made = []
    for name, one in given.items():
        foreign = [text for other, texts in own.items() if other != name for text in texts]
        made += other_rows(name, one, foreign, sheet)
    return made


if __name__ == "__main__":
    main()
