"""Does a pack know that nothing in the index answers? `python -m benchmarks.answerable`.

Questions of SQuAD are asked of an index of all articles: as they are, with a filter that shuts out their
whole article, and with one that shuts out their paragraph alone. Articles are halved by a hash of their
names, so that nothing of one is in both halves: `--part tune` is what the weights and the threshold were
chosen on, the other half reports. What was chosen on SQuAD is then tried on other collections, whose own
questions are answerable and those of the others not. Words weigh what they weigh in the whole index, filter
or not; how much that tells is measured on an index that never held the articles.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ablation.figures import Ranked
from benchmarks.answerable.asking import BUDGET, Asking, Evidence, asking
from benchmarks.answerable.collections import OTHERS, Asked
from benchmarks.answerable.figures import (
    SEED,
    area_row,
    chosen,
    rows_of_thresholds,
    rows_of_ways,
    share_row,
)
from benchmarks.parts import part_of
from benchmarks.rows import Row, dataset, fingerprint, mean_row, show, write
from benchmarks.squad import FILE, Question, load_articles, sample
from benchmarks.switches import add_switches, spelled
from contextsvc import assets
from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.packing.answerability import THRESHOLD
from contextsvc.records.documents import Document
from contextsvc.settings import Settings

COMMAND = "python -m benchmarks.answerable"
NUM_ARTICLES, NUM_QUESTIONS, NUM_ABSTRACTS, EVERY = 24, 100, 1000, 5
SIZES = {"articles": NUM_ARTICLES, "questions": NUM_QUESTIONS, "abstracts": NUM_ABSTRACTS}


def article_of(doc_id: str) -> str:
    """The article's name in an id of `benchmarks.squad`.

    >>> article_of("AC/DC/12")
    'AC/DC'
    """
    return doc_id.rpartition("/")[0]


def by_article(questions: Iterable[Question], part: str, most: int) -> dict[str, list[Question]]:
    """At most so many questions of each article of a part, drawn by seed."""
    found: dict[str, list[Question]] = {}
    for question in questions:
        if part_of(article_of(question.doc_id)) == part:
            found.setdefault(article_of(question.doc_id), []).append(question)
    return {article: sample(of_it, most, SEED) for article, of_it in found.items()}


def without(field: str, *values: str) -> dict[str, Any]:
    """The filter that shuts these out."""
    return {"not": {"field": field, "in": list(values)}}


def squad_rows(
    index: Asking, groups: Mapping[str, Sequence[Question]], shared: Mapping[str, Any]
) -> list[Row]:
    """Rows of the half's own questions."""
    there, absent, near = [], [], []
    for article, questions in groups.items():
        told(f"squad: {article}")
        title = article.replace("_", " ")
        there.append([index.evidence(q.text) for q in questions])
        absent.append([index.evidence(q.text, without("title", title)) for q in questions])
        near.append([index.evidence(q.text, without("doc_id", q.doc_id)) for q in questions])
    far, close = list(zip(there, absent, strict=True)), list(zip(there, near, strict=True))
    seconds = [evidence.seconds for of_article in there for evidence in of_article]
    cost = Row(figure="what it adds to a query, ms, median", value=1000 * float(np.median(seconds)),
               interval=None, n=len(seconds), details={}, **shared)  # fmt: skip
    return [*rows_of_thresholds(far, close, shared), *rows_of_ways(far, shared), cost]


def held_out_rows(
    index: Asking, documents: Sequence[Document], groups: Mapping[str, Sequence[Question]],
    shared: Mapping[str, Any],
) -> list[Row]:  # fmt: skip
    """The same questions of an index that never held the half's articles, and of one that shuts them out."""
    kept = [document for document in documents if article_of(document.doc_id) not in groups]
    texts = [question.text for of_it in groups.values() for question in of_it]
    shut = without("title", *(article.replace("_", " ") for article in groups))
    filtered = [index.evidence(text, shut).score for text in texts]
    with asking("squad-half", kept) as half:
        never = [half.evidence(text).score for text in texts]
    apart = np.array(filtered) - np.array(never)

    def mean(figure: str, values: NDArray[Any]) -> Row:
        return mean_row(figure=figure, values=values.astype(np.float64), **shared)

    return [
        mean("articles shut out by a filter less never indexed: score", apart),
        mean("articles never indexed: found", (np.array(never) < THRESHOLD)),
        mean("articles shut out by a filter: found", (np.array(filtered) < THRESHOLD)),
    ]


def other_rows(name: str, given: Asked, foreign: Sequence[str], common: Mapping[str, Any]) -> list[Row]:
    """Own and foreign questions of a collection that chose nothing; each question a group of its own."""
    shared = {**common, "dataset": given.data}
    told(f"building {name}")
    with asking(name, given.documents) as index:
        own = [index.evidence(text) for text, _ in given.questions]
        bare = [index.evidence(text, without("doc_id", *ids)) for text, ids in given.questions]
        alien = [index.evidence(text) for text in foreign]
    there, absent = scores_of(own, True), scores_of(alien, False)
    return [
        share_row(f"{name}: own questions, flagged", there, THRESHOLD, True, shared),
        share_row(f"{name}: questions of the other collections, found", absent, THRESHOLD, False, shared),
        area_row(f"{name}: own questions and those of the others", [*there, *absent], shared),
        share_row(f"{name}: own questions without the documents that answer, found",
                  scores_of(bare, False), THRESHOLD, False, shared),
    ]  # fmt: skip


def scores_of(found: Iterable[Evidence], answerable: bool) -> list[Ranked]:
    """Each question by itself."""
    return [([evidence.score], [answerable]) for evidence in found]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("tune", "report"), default="report", help="half of the articles")
    parser.add_argument("--collections", nargs="*", default=list(OTHERS), choices=list(OTHERS),
                        help="the others to try; with --part report alone")  # fmt: skip
    add_switches(parser, **SIZES)
    return parser.parse_args(argv)


def command_of(asked: argparse.Namespace) -> str:
    """What makes the rows again."""
    part = "" if asked.part == "report" else f" --part {asked.part}"
    names = {} if asked.collections == list(OTHERS) else {"collections": asked.collections}
    sizes = {name: getattr(asked, name) for name, usual in SIZES.items() if getattr(asked, name) != usual}
    return COMMAND + part + spelled({**names, **sizes})


def main(argv: Sequence[str] | None = None) -> None:
    """Ask with and without what answers, score, and on the report half try what was chosen elsewhere."""
    asked = arguments(argv)
    documents, questions = load_articles(0, asked.articles)
    groups = by_article(questions, asked.part, asked.questions)
    common: dict[str, Any] = {
        "benchmark": "answerable" if asked.part == "report" else f"answerable_{asked.part}",
        "settings": {**chosen(), "part": asked.part, "budget_tokens": BUDGET,
                     **{name: getattr(asked, name) for name in SIZES}},
        "seed": SEED,
        "command": command_of(asked),
    }  # fmt: skip
    shared = {**common, "dataset": fingerprint(dataset(*FILE))}
    told("building squad")
    with asking("squad", documents) as index:
        made = squad_rows(index, groups, shared)
        if asked.part == "report":
            made += held_out_rows(index, documents, groups, shared)
    if asked.part == "report":
        squad = [question.text for of_it in groups.values() for question in of_it]
        made += tried(asked, squad[::EVERY], common)
    (show if asked.dry else write)(made)


def tried(asked: argparse.Namespace, squad: Sequence[str], common: Mapping[str, Any]) -> list[Row]:
    """Rows of the collections that chose nothing."""
    splitter = PunktSentenceSplitter(assets.locate(Settings.from_env().home, "punkt_tab"))
    given = {name: OTHERS[name](splitter.split, asked.abstracts) for name in asked.collections}
    own = {"squad": squad, **{name: [text for text, _ in one.questions] for name, one in given.items()}}
    made = []
    for name, one in given.items():
        foreign = [text for other, texts in own.items() if other != name for text in texts]
        made += other_rows(name, one, foreign, common)
    return made


def told(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
