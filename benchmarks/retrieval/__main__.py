"""Each side on each collection: `python -m benchmarks.retrieval`.

A side gets whole documents; a document is ranked where its best passage is. Rankings are stored in `--keep`
with the versions that made them, so that an interrupted run continues where it stopped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytrec_eval

from benchmarks.parts import of_part
from benchmarks.peers.asking import EMBEDDER, NUM_PASSAGES, given, kept
from benchmarks.peers.running import BARE, OURS, PEERS, Running, can_run
from benchmarks.retrieval.collections import SOURCES, Collection, Query, load
from benchmarks.rows import Row, Sheet, told
from benchmarks.switches import Asked, asked_for
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


def rows(collection: Collection, found: Mapping[str, Rankings], asked: Asked) -> list[Row]:
    """Figures of each side, and the difference between ours and each other side."""
    name, part, source = collection.name, asked.part, SOURCES[collection.name]
    queries, benchmark = of_part(collection.queries, part), f"retrieval_{name}"
    chosen = {"part": part, "num_passages": NUM_PASSAGES, "source": source.where, "licence": source.licence}
    command = asked.command("--collections", name, only=("sides", "part"))
    benchmark += "" if part == "all" else f"_{part}"
    sheet = Sheet(benchmark, collection.fingerprint, SEED, command, chosen)
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


def arguments(argv: Sequence[str] | None) -> Asked:
    """The parsed command line."""
    names = {"collections": tuple(SOURCES), "sides": SIDES}
    return asked_for(COMMAND, __doc__, argv, names, part="all", limit="documents", folder="keep")


def main(argv: Sequence[str] | None = None) -> None:
    """Ask, score, compare; rows are written collection by collection."""
    asked = arguments(argv)
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
        asked.keep(rows(collection, found, asked))


if __name__ == "__main__":
    main()
