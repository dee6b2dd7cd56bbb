"""Cases whose right verdict is known: `python -m benchmarks.ablation.controls`.

Two copies of the gold paragraph in one pack; answers asked of an index that cannot hold them; the same
measurement twice.
"""

from dataclasses import replace

import numpy as np

from benchmarks.ablation.modes import calibrated, progress
from benchmarks.ablation.packs import BUDGET, Labelled, indexed, labelled_packs, measurer_of, packed
from benchmarks.rows import Row, dataset, fingerprint, write
from benchmarks.squad import FILE, Question, load_articles, sample
from contextsvc.engine import Ask, Engine
from contextsvc.library import LoadedIndex
from contextsvc.measurements import Target, Utilization
from contextsvc.measuring import Measurer
from contextsvc.records import Document
from contextsvc.steps.statistics import mean_interval

COMMAND = "python -m benchmarks.ablation.controls"
SEED, NUM_PAIRS, NUM_WRONG, NUM_TWICE = 31, 30, 30, 5
NUM_DRAWN = 24
COPY = "/copy"
SCIFACT = ("scifact", "corpus.jsonl")


def duplicates(
    engine: Engine, index: LoadedIndex, measurer: Measurer, questions: list[Question]
) -> list[tuple[Utilization, list[bool]]]:
    """Packs with the gold paragraph twice, measured where the answer is not known without it."""
    copies = {entry.doc_id: number for number, entry in enumerate(index.corpus.entries)}
    found = []
    for question in questions:
        request = engine.request(Ask(index.name, question.text, BUDGET))
        pack, _ = engine.assembler.assemble(index, request)
        numbers = [p.candidate.number for p in pack.chunks if not p.candidate.chunk.doc_id.endswith(COPY)]
        gold = next(iter(index.corpus.chunks_of(copies[question.doc_id])))
        copy = next(iter(index.corpus.chunks_of(copies[question.doc_id + COPY])))
        others = [number for number in numbers if number != gold][:4]
        twice = packed(engine, index, question.text, [*others[:2], gold, *others[2:], copy])
        utilization = measurer.measure(index, twice, Target(question.answer, "response"))
        if utilization.controls.depends_on_context:
            found.append((utilization, [p.candidate.number in (gold, copy) for p in twice.chunks]))
        progress(f"pairs: {len(found)} of {NUM_PAIRS}")
        if len(found) == NUM_PAIRS:
            break
    return found


def wrong_index(questions: list[Question]) -> tuple[list[Utilization], str]:
    """SQuAD questions and answers on packs of scientific abstracts."""
    path = dataset(*SCIFACT)
    found = []
    documents = read_scifact(path.parent)
    with indexed("scifact", documents, max_chunks=3) as (engine, index):
        measurer = measurer_of(engine)
        for question in questions[:NUM_WRONG]:
            request = engine.request(Ask(index.name, question.text, BUDGET))
            pack, _ = engine.assembler.assemble(index, request)
            found.append(measurer.measure(index, pack, Target(question.answer, "response")))
            progress(f"wrong index: {len(found)} of {NUM_WRONG}")
    return found, fingerprint(path)


def read_scifact(folder: object) -> list[Document]:
    """The first 500 abstracts."""
    import json
    from pathlib import Path

    lines = (Path(str(folder)) / "corpus.jsonl").read_text("utf-8").splitlines()[:500]
    entries = [json.loads(line) for line in lines]
    return [Document(f"scifact/{e['_id']}", e["text"], e["title"], f"scifact:{e['_id']}") for e in entries]


def main() -> None:
    """All three."""
    data = fingerprint(dataset(*FILE))
    documents, questions = load_articles(12, 24)
    drawn = sample(questions, 400, SEED)
    asked = drawn[100:250]
    twice = {question.doc_id for question in asked}
    copies = [replace(d, doc_id=d.doc_id + COPY) for d in documents if d.doc_id in twice]
    rows: list[Row] = []

    def keep(figure: str, values: np.ndarray, source: str = data) -> None:
        rows.append(Row("ablation_controls", figure, float(values.mean()), mean_interval(values, SEED),
                        len(values), source, {}, SEED, COMMAND, {}))  # fmt: skip

    with indexed("squad", [*documents, *copies]) as (engine, index):
        mode = engine.settings.reader_mode
        packs = labelled_packs(engine, index, drawn[:100], NUM_DRAWN)
        measurer = calibrated(measurer_of(engine), mode, index, packs)
        pairs = duplicates(engine, index, measurer, asked)
        again = repeated(engine, index, packs[:NUM_TWICE])
    verdicts = [[v.verdict for v, gold in zip(u.verdicts, which, strict=True) if gold] for u, which in pairs]
    keep("two copies of gold: both redundant", np.array([float(v == ["redundant"] * 2) for v in verdicts]))
    eps = pairs[0][0].threshold.eps
    alone = [
        [(v.necessity or 0.0) > eps for v, gold in zip(u.verdicts, which, strict=True) if gold]
        for u, which in pairs
    ]
    keep("two copies of gold: leave-one-out calls both useless", np.array([float(not any(a)) for a in alone]))
    keep("two copies of gold: utilization counts one of them", np.array([counts_one(u, w) for u, w in pairs]))
    keep("measured twice by readers loaded anew: equal bit for bit", again)
    wrong, source = wrong_index(asked)
    says = [u.controls.depends_on_context is False and u.score == 0.0 and bool(u.note) for u in wrong]
    keep("wrong index: says that the answer does not depend on the context", np.array(says, dtype=np.float64),
         f"{data}, {source}")  # fmt: skip
    write(rows)


def counts_one(found: Utilization, which: list[bool]) -> float:
    """Score and strict score differ by one copy, and the copies are not live."""
    tokens = [v.num_tokens for v, gold in zip(found.verdicts, which, strict=True) if gold]
    whole = sum(v.num_tokens for v in found.verdicts)
    gap = ((found.score or 0.0) - (found.strict_score or 0.0)) * whole
    return float(min(tokens) - 0.5 <= gap <= max(tokens) + 0.5)


def repeated(engine: Engine, index: LoadedIndex, packs: list[Labelled]) -> np.ndarray:
    """1 where two measurers, each with a model of its own, find the same."""
    both = []
    for _ in range(2):
        measurer = measurer_of(engine)
        both.append(
            [replace(measurer.measure(index, p.pack, Target(p.question.answer, "response")), cost=None)  # type: ignore[arg-type]
             for p in packs]
        )  # fmt: skip
    return np.array([float(a == b) for a, b in zip(*both, strict=True)])


if __name__ == "__main__":
    main()
