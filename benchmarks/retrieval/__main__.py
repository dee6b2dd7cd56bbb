"""Each side on each collection: `python -m benchmarks.retrieval`.

A side gets whole documents; a document is ranked where its best passage is. Rankings are stored in `--keep`
with the versions that made them, so that an interrupted run continues where it stopped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytrec_eval

from benchmarks.parts import Part, of_part
from benchmarks.peers.asking import EMBEDDER, NUM_PASSAGES, given, kept
from benchmarks.peers.running import BARE, OURS, PEERS, Running, can_run
from benchmarks.retrieval.collections import SOURCES, Collection, Query, load
from benchmarks.rows import Row, Sheet, told
from benchmarks.switches import asked_for, spelled
from contextsvc import assets
from contextsvc.settings import Settings

COMMAND = "python -m benchmarks.retrieval"
SIDES = (OURS, BARE, *PEERS)
SEED = 23

MEASURES = {
    "nDCG@10": "ndcg_cut_10",
    f"recall of {NUM_PASSAGES} passages": f"recall_{NUM_PASSAGES}",
    "reciprocal rank": "recip_rank",
}
"""Names of trec_eval, by figure."""

Rankings = Mapping[str, Sequence[str]]
"""Document ids, best first and each once, by query id."""


def scored(queries: Sequence[Query], ranked: Rankings) -> dict[str, list[float]]:
    """One value a query, by figure of `MEASURES`, as trec_eval computes them."""
    run = {
        q.query_id: {doc_id: -float(rank) for rank, doc_id in enumerate(ranked[q.query_id])} for q in queries
    }
    evaluator = pytrec_eval.RelevanceEvaluator(
        {q.query_id: dict(q.gains) for q in queries}, {"ndcg_cut.10", f"recall.{NUM_PASSAGES}", "recip_rank"}
    )
    found = evaluator.evaluate(run)
    return {figure: [found[q.query_id][name] for q in queries] for figure, name in MEASURES.items()}


def rankings(side: str, collection: Collection, model: Path, keep: Path) -> Rankings:
    """Rankings of a side, read from `keep` if this version of it made them before."""
    queries = [query.text for query in collection.queries]

    def ask(running: Running) -> Rankings:
        answers = running.ask(queries, NUM_PASSAGES)["answers"]
        return {
            query.query_id: list(dict.fromkeys(passage["doc_id"] for passage in answer))
            for query, answer in zip(collection.queries, answers, strict=True)
        }

    texts = (given(document, side) for document in collection.documents)
    asked = [collection.fingerprint, str(NUM_PASSAGES)]
    found: Rankings = kept(side, model, keep, collection.name, texts, asked, ask)
    return found


def rows(collection: Collection, found: Mapping[str, Rankings], part: Part) -> list[Row]:
    """Figures of each side, and the difference between ours and each other side."""
    queries, source = of_part(collection.queries, part), SOURCES[collection.name]
    chosen = {
        "part": part, "num_passages": NUM_PASSAGES, "source": source.where, "licence": source.licence
    }  # fmt: skip
    benchmark, command = f"retrieval_{collection.name}", f"{COMMAND} --collections {collection.name}"
    if tuple(found) != SIDES:
        command += spelled({"sides": list(found)})
    if part != "all":
        benchmark, command = f"{benchmark}_{part}", f"{command} --part {part}"
    sheet, name = Sheet(benchmark, collection.fingerprint, SEED, command, chosen), collection.name
    scores = {side: scored(queries, ranked) for side, ranked in found.items()}
    made = [
        sheet.mean(f"{name}, {side}: {figure}", values, {"scores": [round(value, 4) for value in values]})
        for side, by_figure in scores.items()
        for figure, values in by_figure.items()
    ]
    best, *_ = MEASURES
    return made + [
        sheet.difference(f"{name}, ours less {side}: {best}", scores[OURS][best], scores[side][best])
        for side in scores
        if side != OURS and OURS in scores
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Ask, score, compare; rows are written collection by collection."""
    asked = asked_for(
        COMMAND, __doc__, argv, {"collections": tuple(SOURCES), "sides": SIDES}, part="all",
        limit="documents", folder="keep",
    )  # fmt: skip
    settings = Settings.from_env()
    model, keep = assets.locate(settings.home, EMBEDDER), asked.folder or settings.home / "benchmarks"
    for name in asked.names["collections"]:
        collection, found = load(name), {}
        if asked.limit is not None:
            collection = collection.first(asked.limit)
        for side in asked.names["sides"]:
            if can_run(side):
                told(f"{name}: {side}")
                found[side] = rankings(side, collection, model, keep)
        asked.keep(rows(collection, found, asked.part))


if __name__ == "__main__":
    main()
