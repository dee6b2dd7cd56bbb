"""Every side on every collection: `python -m benchmarks.retrieval`.

Documents go to a side as they are; what comes back is ranked by document. A side's rankings are kept in
`--keep` with the versions they were made by, so that a run that was interrupted goes on where it stopped.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.pairs import difference_row
from benchmarks.parts import PARTS, Part, of_part
from benchmarks.peers.asking import EMBEDDER, NUM_PASSAGES, given, kept
from benchmarks.peers.running import BARE, OURS, OWN, PEERS, Running, peers_python
from benchmarks.retrieval.collections import SOURCES, Collection, load
from benchmarks.retrieval.metrics import by_document, ndcg, recall, reciprocal_rank
from benchmarks.rows import Row, mean_row, show, write
from benchmarks.switches import spelled
from contextsvc import assets
from contextsvc.settings import Settings

COMMAND = "python -m benchmarks.retrieval"
SIDES = (OURS, BARE, *PEERS)
SEED = 23

Rankings = Mapping[str, Sequence[str]]
"""Document ids, best first, by query id."""


def rankings(side: str, collection: Collection, model: Path, keep: Path) -> Rankings:
    """What a side finds, from `keep` where this version of it was asked before."""
    queries = [query.text for query in collection.queries]

    def ask(running: Running) -> Rankings:
        answers = running.ask(queries, NUM_PASSAGES)["answers"]
        return {
            query.query_id: by_document([passage["doc_id"] for passage in answer])
            for query, answer in zip(collection.queries, answers, strict=True)
        }

    texts = (given(document, side) for document in collection.documents)
    asked = [collection.fingerprint, str(NUM_PASSAGES)]
    found: Rankings = kept(side, model, keep, collection.name, texts, asked, ask)
    return found


def rows(collection: Collection, found: Mapping[str, Rankings], part: Part) -> list[Row]:
    """Figures of each side, and how far ours is from each other one."""
    asked = of_part(collection.queries, part)
    chosen = {"part": part, "num_passages": NUM_PASSAGES, "source": SOURCES[collection.name].where,
              "licence": SOURCES[collection.name].licence}  # fmt: skip
    benchmark, command = f"retrieval_{collection.name}", f"{COMMAND} --collections {collection.name}"
    if tuple(found) != SIDES:
        command += spelled({"sides": list(found)})
    if part != "all":
        benchmark, command = f"{benchmark}_{part}", f"{command} --part {part}"

    def row(figure: str, values: Sequence[float]) -> Row:
        made = mean_row(benchmark, f"{collection.name}, {figure}", values, collection.fingerprint, chosen,
                        SEED, command)  # fmt: skip
        made.details["scores"] = [round(value, 4) for value in values]
        return made

    made, scores = [], {}
    for side, ranked in found.items():
        scores[side] = [ndcg(ranked[q.query_id], q.gains) for q in asked]
        made += [
            row(f"{side}: nDCG@10", scores[side]),
            row(
                f"{side}: recall of {NUM_PASSAGES} passages",
                [recall(ranked[q.query_id], q.gains, NUM_PASSAGES) for q in asked],
            ),
            row(f"{side}: reciprocal rank", [reciprocal_rank(ranked[q.query_id], q.gains) for q in asked]),
        ]
    for side in [side for side in scores if side != OURS and OURS in scores]:
        label = f"{collection.name}, ours less {side}: nDCG@10"
        made.append(
            difference_row(benchmark, label, scores[OURS], scores[side], collection.fingerprint, chosen,
                           SEED, command)
        )  # fmt: skip
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """Ask, score, compare; rows are written collection by collection."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    parser.add_argument("--collections", nargs="*", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--sides", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--part", choices=PARTS, default="all", help="of the queries")
    parser.add_argument(
        "--keep", type=Path, help="folder of rankings; CONTEXTSVC_HOME/benchmarks if not named"
    )
    parser.add_argument(
        "--documents", type=int, help="the first so many of each collection alone: printed, and not kept"
    )
    parser.add_argument("--dry", action="store_true", help="print, and leave benchmarks/results as it is")
    asked, settings = parser.parse_args(argv), Settings.from_env()
    model, keep = assets.locate(settings.home, EMBEDDER), asked.keep or settings.home / "benchmarks"
    for name in asked.collections:
        collection, found = load(name), {}
        if asked.documents is not None:
            collection = collection.first(asked.documents)
        for side in asked.sides:
            if side not in OWN and peers_python() is None:
                print(f"{side} is left out, for the peers have no environment; make it: make peers")
                continue
            print(f"{name}: {side}", file=sys.stderr, flush=True)
            found[side] = rankings(side, collection, model, keep)
        tried = asked.dry or asked.documents is not None
        (show if tried else write)(rows(collection, found, asked.part))


if __name__ == "__main__":
    main()
