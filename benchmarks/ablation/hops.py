"""Two supporting paragraphs of ten, and their sentences, on HotpotQA: `python -m benchmarks.ablation.hops`.

The target is the gold answer, a word or two. Sentences: ours are found chunk first, then in live chunks.
"""

from collections.abc import Sequence

from benchmarks.ablation.figures import (
    Ranked,
    average_precision,
    gold_first,
    gold_on_top,
    over_questions,
    roc_area,
)
from benchmarks.ablation.modes import progress
from benchmarks.ablation.packs import SIDES, Cite, indexed, pack_of, peer_of
from benchmarks.hotpotqa import FILE, HopQuestion, load
from benchmarks.rows import Row, dataset, fingerprint, mean_row
from benchmarks.switches import asked_for
from contextsvc.measuring.records import Target, Utilization
from contextsvc.records.arrays import Float64Array
from contextsvc.records.packs import ContextPack
from contextsvc.service.engine import Engine
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_embedder

COMMAND = "python -m benchmarks.ablation.hops"
SEED, FIRST, NUM_QUESTIONS, NUM_SENTENCES, NUM_PEER = 17, 70, 40, 12, 3
NUM_INDEXED = 130
"""The first 70 questions were looked at while prompt, outcome and masks were chosen."""


def chunk_rankings(
    engine: Engine, index: LoadedIndex, questions: Sequence[HopQuestion]
) -> dict[str, list[Ranked]]:
    """Effects of paragraphs, and their likeness to question and answer beside them."""
    embedder = build_embedder(engine.settings)
    found: dict[str, list[Ranked]] = {"ours": [], "embedding similarity": []}
    for number, question in enumerate(questions, start=1):
        progress(f"paragraphs of {number}/{len(questions)} questions")
        pack = pack_of(engine, index, question.text, question.documents)
        found["ours"].append((effects(measure(engine, index, pack, question.answer)), question.gold))
        vectors = embedder.embed_passages([f"{d.title}\n{d.text}" for d in question.documents])
        likeness = vectors @ embedder.embed_queries([f"{question.text} {question.answer}"])[0]
        found["embedding similarity"].append((likeness.tolist(), question.gold))
    return found


def measure(
    engine: Engine, index: LoadedIndex, pack: ContextPack, response: str, sentences: bool = False
) -> Utilization:
    """As the service measures it."""
    return engine.measurer.measurer.measure(index, pack, Target(response, "response"), sentences)


def effects(found: Utilization) -> list[float]:
    """Of each chunk."""
    return [verdict.effect or 0.0 for verdict in found.verdicts]


def sentence_rankings(
    engine: Engine, index: LoadedIndex, questions: Sequence[HopQuestion]
) -> dict[str, list[Ranked]]:
    """Scores of all sentences of a question's paragraphs, by way of finding them."""
    embedder = build_embedder(engine.settings)
    found: dict[str, list[Ranked]] = {"ours": [], "embedding similarity": []}
    for number, question in enumerate(questions, start=1):
        progress(f"sentences of {number}/{len(questions)} questions")
        pack = pack_of(engine, index, question.text, question.documents)
        utilization = measure(engine, index, pack, question.answer, sentences=True)
        labels = sentence_labels(question)
        found["ours"].append((sentence_scores(utilization, question), labels))
        texts = [text for _, text in sentence_texts(question)]
        likeness = (
            embedder.embed_passages(texts) @ embedder.embed_queries([f"{question.text} {question.answer}"])[0]
        )
        found["embedding similarity"].append((likeness.tolist(), labels))
    return found


def sentence_texts(question: HopQuestion) -> list[tuple[tuple[int, int], str]]:
    """((paragraph, sentence), text) of every sentence with text, in order."""
    return [
        ((paragraph, number), question.documents[paragraph].text[start:end].strip())
        for paragraph, spans in enumerate(question.sentences)
        for number, (start, end) in enumerate(spans)
        if question.documents[paragraph].text[start:end].strip()
    ]


def sentence_labels(question: HopQuestion) -> list[bool]:
    """Which of `sentence_texts` are supporting facts."""
    return [place in question.facts for place, _ in sentence_texts(question)]


def sentence_scores(found: Utilization, question: HopQuestion) -> list[float]:
    """Measured sentences by their effects; after them the others, by their chunks' effects."""
    chunk_ids = [verdict.chunk_id for verdict in found.verdicts]
    scores = []
    for (paragraph, number), _ in sentence_texts(question):
        start, end = question.sentences[paragraph][number]
        inside = [
            s.effect for s in found.sentences
            if s.chunk_id == chunk_ids[paragraph] and s.start < end and start < s.end
        ]  # fmt: skip
        effect = found.verdicts[paragraph].effect or 0.0
        scores.append(max(inside) if inside else effect - 1_000.0)
    return scores


def peer_rankings(cite: Cite, questions: Sequence[HopQuestion]) -> list[Ranked]:
    """ContextCite's attributions of sentences, 64 masks."""
    found: list[Ranked] = []
    for number, question in enumerate(questions, start=1):
        progress(f"context-cite: {number}/{len(questions)} questions")
        texts = [text for _, text in sentence_texts(question)]
        values = cite(texts, question.text, question.answer, 64, " ")
        found.append((values, sentence_labels(question)))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Paragraphs, then sentences."""
    asked = asked_for(COMMAND, __doc__, argv, SIDES, questions=NUM_QUESTIONS, indexed=NUM_INDEXED)
    most = asked["questions"]
    data = fingerprint(dataset(*FILE))
    questions = [q for q in load()[FIRST:][: asked["indexed"]] if sum(q.gold) == 2]
    documents = [document for question in questions for document in question.documents]
    rows: list[Row] = []
    chosen = {"num_chunks": 10}

    def keep(figure: str, values: Sequence[float] | Float64Array) -> None:
        rows.append(mean_row("ablation_hops", figure, values, data, chosen, SEED, COMMAND))

    with indexed("hotpotqa", documents) as (engine, index):
        for name, found in chunk_rankings(engine, index, questions[:most]).items():
            area, around = over_questions(roc_area, found, SEED, 500)
            rows.append(
                Row("ablation_hops", f"{name}: area under ROC, supporting paragraphs against others",
                    area, around, len(found), data, chosen, SEED, COMMAND, {})
            )  # fmt: skip
            keep(f"{name}: both supporting paragraphs in the top two", gold_on_top(found))
            keep(f"{name}: a supporting paragraph first", gold_first(found))
        sentences = sentence_rankings(engine, index, questions[: min(most, NUM_SENTENCES)])
        if "context-cite" in asked.names["sides"] and (cite := peer_of(engine)):
            sentences["context-cite, 64 masks"] = peer_rankings(cite, questions[: min(most, NUM_PEER)])
    for name, found in sentences.items():
        for some in sorted({min(NUM_PEER, len(found)), len(found)}):
            precision = [average_precision(question) for question in found[:some]]
            keep(f"{name}: average precision of supporting sentences, first {some} questions", precision)
    asked.keep(rows)


if __name__ == "__main__":
    main()
