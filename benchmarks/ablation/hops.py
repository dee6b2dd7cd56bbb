"""Two supporting paragraphs of ten, and their sentences, on HotpotQA: `python -m benchmarks.ablation.hops`.

The target is the gold answer, a word or two. Sentences of ours are measured in live chunks only.
"""

from collections.abc import Sequence

from benchmarks.ablation import figures
from benchmarks.ablation.figures import Ranked
from benchmarks.ablation.packs import SIDES, Cite, indexed, pack_of, peer_of, progress
from benchmarks.hotpotqa import FILE, HopQuestion, load
from benchmarks.rows import Row, dataset, fingerprint
from benchmarks.switches import asked_for
from contextsvc.measuring.records import Target, Utilization
from contextsvc.service.engine import Engine
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_embedder

COMMAND = "python -m benchmarks.ablation.hops"
SEED, FIRST, NUM_QUESTIONS, NUM_SENTENCES, NUM_PEER = 17, 70, 40, 12, 3
NUM_INDEXED = 130
"""The first 70 questions were used to choose prompt, outcome and masks."""


def rankings(
    engine: Engine, index: LoadedIndex, questions: Sequence[HopQuestion], sentences: bool
) -> dict[str, list[Ranked]]:
    """Scores of paragraphs or sentences by our effects, and by similarity to question and answer."""
    embedder = build_embedder(engine.settings)
    found: dict[str, list[Ranked]] = {"ours": [], "embedding similarity": []}
    for number, question in enumerate(questions, start=1):
        progress(f"{'sentences' if sentences else 'paragraphs'} of {number}/{len(questions)} questions")
        pack = pack_of(engine, index, question.text, question.documents)
        target = Target(question.answer, "response")
        utilization = engine.measurer.measurer.measure(index, pack, target, sentences)
        if sentences:
            scores, (texts, labels) = sentence_scores(utilization, question), sentence_texts(question)
        else:
            scores, labels = [verdict.effect or 0.0 for verdict in utilization.verdicts], list(question.gold)
            texts = [f"{document.title}\n{document.text}" for document in question.documents]
        found["ours"].append((scores, labels))
        (query,) = embedder.embed_queries([f"{question.text} {question.answer}"])
        found["embedding similarity"].append(((embedder.embed_passages(texts) @ query).tolist(), labels))
    return found


def sentence_places(question: HopQuestion) -> list[tuple[int, int]]:
    """(paragraph, sentence) of every sentence that has text, in order."""
    return [
        (paragraph, number)
        for paragraph, spans in enumerate(question.sentences)
        for number, (start, end) in enumerate(spans)
        if question.documents[paragraph].text[start:end].strip()
    ]


def sentence_texts(question: HopQuestion) -> tuple[list[str], list[bool]]:
    """Texts of `sentence_places`, and which of them are supporting facts."""
    places = sentence_places(question)
    texts = [
        question.documents[p].text[slice(*question.sentences[p][number])].strip() for p, number in places
    ]
    return texts, [place in question.facts for place in places]


def sentence_scores(found: Utilization, question: HopQuestion) -> list[float]:
    """Effects of measured sentences; all others follow, by the effects of their chunks."""
    chunk_ids = [verdict.chunk_id for verdict in found.verdicts]
    scores = []
    for paragraph, number in sentence_places(question):
        start, end = question.sentences[paragraph][number]
        inside = [
            s.effect for s in found.sentences
            if s.chunk_id == chunk_ids[paragraph] and s.start < end and start < s.end
        ]  # fmt: skip
        effect = found.verdicts[paragraph].effect or 0.0
        scores.append(max(inside) if inside else effect - 1_000.0)
    return scores


def peer_rankings(cite: Cite, questions: Sequence[HopQuestion]) -> list[Ranked]:
    """ContextCite's attributions of sentences, with 64 masks."""
    found: list[Ranked] = []
    for number, question in enumerate(questions, start=1):
        progress(f"context-cite: {number}/{len(questions)} questions")
        texts, labels = sentence_texts(question)
        found.append((cite(texts, question.text, question.answer, 64, " "), labels))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Paragraphs, then sentences."""
    asked = asked_for(COMMAND, __doc__, argv, SIDES, questions=NUM_QUESTIONS, indexed=NUM_INDEXED)
    most = asked["questions"]
    questions = [q for q in load()[FIRST:][: asked["indexed"]] if sum(q.gold) == 2]
    documents = [document for question in questions for document in question.documents]
    sheet = asked.sheet("ablation_hops", fingerprint(dataset(*FILE)), SEED, num_chunks=10)
    rows: list[Row] = []
    with indexed("hotpotqa", documents) as (engine, index):
        for name, found in rankings(engine, index, questions[:most], sentences=False).items():
            area, around = figures.over_questions(figures.roc_area, [found], SEED, 500)
            label = f"{name}: area under ROC, supporting paragraphs against others"
            rows += [
                sheet.row(label, area, len(found), around),
                sheet.mean(f"{name}: both supporting paragraphs in the top two", figures.gold_on_top(found)),
                sheet.mean(f"{name}: a supporting paragraph first", figures.gold_first(found)),
            ]
        by_way = rankings(engine, index, questions[: min(most, NUM_SENTENCES)], sentences=True)
        if "context-cite" in asked.names["sides"] and (cite := peer_of(engine)):
            by_way["context-cite, 64 masks"] = peer_rankings(cite, questions[: min(most, NUM_PEER)])
    for name, found in by_way.items():
        for some in sorted({min(NUM_PEER, len(found)), len(found)}):
            precision = [figures.average_precision(question) for question in found[:some]]
            label = f"{name}: average precision of supporting sentences, first {some} questions"
            rows.append(sheet.mean(label, precision))
    asked.keep(rows)


if __name__ == "__main__":
    main()
