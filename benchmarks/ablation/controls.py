"""Cases whose right verdict is known: `python -m benchmarks.ablation.controls`.

Two copies of the gold paragraph in one pack; questions put to an index that cannot answer them; the same
measurement twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.ablation import packs as common
from benchmarks.ablation.modes import calibrated
from benchmarks.ablation.packs import Labelled
from benchmarks.retrieval.collections import load
from benchmarks.rows import Row
from benchmarks.squad import Question
from benchmarks.switches import asked_for
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.records import Target, Utilization
from contextsvc.ports.reading import Cost
from contextsvc.service.engine import Engine
from contextsvc.storage.library import LoadedIndex

COMMAND = "python -m benchmarks.ablation.controls"
SEED, NUM_PAIRS, NUM_WRONG, NUM_TWICE = 31, 20, 30, 20
NUM_DRAWN, NUM_ABSTRACTS = 30, 500
COPY = "/copy"


def duplicates(
    engine: Engine, index: LoadedIndex, measurer: Measurer, questions: list[Question], most: int
) -> list[tuple[Utilization, list[bool]]]:
    """At most `most` packs that hold the gold paragraph twice, of answers that depend on the context."""
    copies = {entry.doc_id: number for number, entry in enumerate(index.corpus.entries)}
    found = []
    for question in questions:
        chunks = [packed.candidate for packed in common.pack_for(engine, index, question.text).chunks]
        gold = next(iter(index.corpus.chunks_of(copies[question.doc_id])))
        copy = next(iter(index.corpus.chunks_of(copies[question.doc_id + COPY])))
        others = [c.number for c in chunks if not c.chunk.doc_id.endswith(COPY) and c.number != gold][:4]
        twice = common.packed(engine, index, question.text, [*others[:2], gold, *others[2:], copy])
        utilization = measurer.measure(index, twice, Target(question.answer, "response"))
        if utilization.controls.depends_on_context:
            found.append((utilization, [p.candidate.number in (gold, copy) for p in twice.chunks]))
        common.progress(f"pairs: {len(found)} of {most}")
        if len(found) == most:
            break
    return found


def wrong_index(questions: list[Question], num_abstracts: int) -> list[Utilization]:
    """SQuAD questions and answers, measured on packs of scientific abstracts."""
    with common.indexed("scifact", load("scifact").documents[:num_abstracts], max_chunks=3) as (
        engine,
        index,
    ):
        packs = [Labelled(q, common.pack_for(engine, index, q.text), ()) for q in questions]
        return common.measured(common.measurer_of(engine), "wrong index", index, packs)


def main(argv: Sequence[str] | None = None) -> None:
    """All three."""
    asked = asked_for(
        COMMAND, __doc__, argv, questions=NUM_WRONG, drawn=NUM_DRAWN, abstracts=NUM_ABSTRACTS, **common.SIZES
    )
    most = asked["questions"]
    data, documents, drawn = common.squad(asked, 400, SEED)
    questions = drawn[100:250]
    twice = {question.doc_id for question in questions}
    copies = [replace(d, doc_id=d.doc_id + COPY) for d in documents if d.doc_id in twice]
    sheet, rows = asked.sheet("ablation_controls", data, SEED), list[Row]()
    with common.indexed("squad", [*documents, *copies], **common.sized(asked)) as (engine, index):
        packs = common.labelled_packs(engine, index, drawn[:100], asked["drawn"])
        measurer = calibrated(common.measurer_of(engine), engine.settings.reader_mode, index, packs)
        pairs = duplicates(engine, index, measurer, questions, min(most, NUM_PAIRS))
        again = repeated(engine, index, packs[: min(most, NUM_TWICE)])
    gold = [[v for v, copy in zip(u.verdicts, which, strict=True) if copy] for u, which in pairs]
    eps = pairs[0][0].threshold.eps
    figures = {
        "two copies of gold: both redundant":
            [float([v.verdict for v in both] == ["redundant"] * 2) for both in gold],
        "two copies of gold: leave-one-out calls both useless":
            [float(not any((v.necessity or 0.0) > eps for v in both)) for both in gold],
        "two copies of gold: utilization counts one of them": [counts_one(u, which) for u, which in pairs],
        "measured twice by readers loaded anew: equal bit for bit": again,
    }  # fmt: skip
    rows += [sheet.mean(figure, values) for figure, values in figures.items()]
    says = [
        float(u.controls.depends_on_context is False and u.score == 0.0 and bool(u.note))
        for u in wrong_index(questions[:most], asked["abstracts"])
    ]
    both_sets = replace(sheet, dataset=f"{data}, {load('scifact').fingerprint}")
    rows.append(both_sets.mean("wrong index: says that the answer does not depend on the context", says))
    asked.keep(rows)


def counts_one(found: Utilization, which: list[bool]) -> float:
    """1 if score and strict score differ by one copy: then the copies are not live."""
    tokens = [v.num_tokens for v, gold in zip(found.verdicts, which, strict=True) if gold]
    whole = sum(v.num_tokens for v in found.verdicts)
    gap = ((found.score or 0.0) - (found.strict_score or 0.0)) * whole
    return float(min(tokens) - 0.5 <= gap <= max(tokens) + 0.5)


def repeated(engine: Engine, index: LoadedIndex, packs: list[Labelled]) -> list[float]:
    """1 if two measurers, each with a model of its own, find the same; only the cost may differ."""
    both = []
    for _ in range(2):
        found = common.measured(common.measurer_of(engine), "twice", index, packs)
        both.append([replace(utilization, cost=Cost()) for utilization in found])
    return [float(a == b) for a, b in zip(*both, strict=True)]


if __name__ == "__main__":
    main()
