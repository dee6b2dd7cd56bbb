"""Cases whose right verdict is known: `python -m benchmarks.ablation.controls`.

Two copies of the gold paragraph in one pack; answers asked of an index that cannot hold them; the same
measurement twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.ablation.modes import calibrated, progress
from benchmarks.ablation.packs import (
    BUDGET,
    SIZES,
    Labelled,
    indexed,
    labelled_packs,
    measurer_of,
    packed,
    sized,
)
from benchmarks.rows import Row, dataset, fingerprint, mean_row
from benchmarks.scifact import FILE as SCIFACT
from benchmarks.scifact import load_abstracts
from benchmarks.squad import FILE, Question, load_articles, sample
from benchmarks.switches import Asked, asked_for
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
    """At most `most` packs with the gold paragraph twice, measured where the answer is not known without."""
    copies = {entry.doc_id: number for number, entry in enumerate(index.corpus.entries)}
    found = []
    for question in questions:
        request = engine.request(index.name, question.text, BUDGET)
        pack, _ = engine.assembler.assemble(index, request)
        numbers = [p.candidate.number for p in pack.chunks if not p.candidate.chunk.doc_id.endswith(COPY)]
        gold = next(iter(index.corpus.chunks_of(copies[question.doc_id])))
        copy = next(iter(index.corpus.chunks_of(copies[question.doc_id + COPY])))
        others = [number for number in numbers if number != gold][:4]
        twice = packed(engine, index, question.text, [*others[:2], gold, *others[2:], copy])
        utilization = measurer.measure(index, twice, Target(question.answer, "response"))
        if utilization.controls.depends_on_context:
            found.append((utilization, [p.candidate.number in (gold, copy) for p in twice.chunks]))
        progress(f"pairs: {len(found)} of {most}")
        if len(found) == most:
            break
    return found


def wrong_index(questions: list[Question], num_abstracts: int) -> list[Utilization]:
    """SQuAD questions and answers on packs of scientific abstracts."""
    found = []
    with indexed("scifact", load_abstracts(num_abstracts), max_chunks=3) as (engine, index):
        measurer = measurer_of(engine)
        for question in questions:
            request = engine.request(index.name, question.text, BUDGET)
            pack, _ = engine.assembler.assemble(index, request)
            found.append(measurer.measure(index, pack, Target(question.answer, "response")))
            progress(f"wrong index: {len(found)} of {len(questions)}")
    return found


def arguments(argv: Sequence[str] | None) -> Asked:
    """Sizes: packs of each kind and for placebos, their chunks, articles and abstracts that are indexed."""
    return asked_for(
        COMMAND, __doc__, argv, None, questions=NUM_WRONG, drawn=NUM_DRAWN, articles=12,
        abstracts=NUM_ABSTRACTS, **SIZES,
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """All three."""
    chosen = arguments(argv)
    most = chosen["questions"]
    data, abstracts = fingerprint(dataset(*FILE)), fingerprint(dataset(*SCIFACT))
    documents, questions = load_articles(12, 12 + chosen["articles"])
    drawn = sample(questions, 400, SEED)
    asked = drawn[100:250]
    twice = {question.doc_id for question in asked}
    copies = [replace(d, doc_id=d.doc_id + COPY) for d in documents if d.doc_id in twice]
    rows: list[Row] = []

    def keep(figure: str, values: Sequence[float], source: str = data) -> None:
        rows.append(mean_row("ablation_controls", figure, values, source, {}, SEED, COMMAND))

    with indexed("squad", [*documents, *copies], **sized(chosen)) as (engine, index):
        mode = engine.settings.reader_mode
        packs = labelled_packs(engine, index, drawn[:100], chosen["drawn"])
        measurer = calibrated(measurer_of(engine), mode, index, packs)
        pairs = duplicates(engine, index, measurer, asked, min(most, NUM_PAIRS))
        again = repeated(engine, index, packs[: min(most, NUM_TWICE)])
    verdicts = [[v.verdict for v, gold in zip(u.verdicts, which, strict=True) if gold] for u, which in pairs]
    keep("two copies of gold: both redundant", [float(v == ["redundant"] * 2) for v in verdicts])
    eps = pairs[0][0].threshold.eps
    alone = [
        [(v.necessity or 0.0) > eps for v, gold in zip(u.verdicts, which, strict=True) if gold]
        for u, which in pairs
    ]
    keep("two copies of gold: leave-one-out calls both useless", [float(not any(a)) for a in alone])
    keep("two copies of gold: utilization counts one of them", [counts_one(u, w) for u, w in pairs])
    keep("measured twice by readers loaded anew: equal bit for bit", again)
    says = [
        float(u.controls.depends_on_context is False and u.score == 0.0 and bool(u.note))
        for u in wrong_index(asked[:most], chosen["abstracts"])
    ]
    keep("wrong index: says that the answer does not depend on the context", says, f"{data}, {abstracts}")
    chosen.keep(rows)


def counts_one(found: Utilization, which: list[bool]) -> float:
    """Score and strict score differ by one copy, and the copies are not live."""
    tokens = [v.num_tokens for v, gold in zip(found.verdicts, which, strict=True) if gold]
    whole = sum(v.num_tokens for v in found.verdicts)
    gap = ((found.score or 0.0) - (found.strict_score or 0.0)) * whole
    return float(min(tokens) - 0.5 <= gap <= max(tokens) + 0.5)


def repeated(engine: Engine, index: LoadedIndex, packs: list[Labelled]) -> list[float]:
    """1 where two measurers, each with a model of its own, find the same; only the cost may differ."""
    both = []
    for _ in range(2):
        measurer = measurer_of(engine)
        found = [measurer.measure(index, p.pack, Target(p.question.answer, "response")) for p in packs]
        both.append([replace(utilization, cost=Cost()) for utilization in found])
    return [float(a == b) for a, b in zip(*both, strict=True)]


if __name__ == "__main__":
    main()
