"""Every side on every collection: `python -m benchmarks.retrieval`.

Documents go to a side as they are; what comes back is ranked by document. A side's rankings are kept in
`--keep` with the versions they were made by, so that a run that was interrupted goes on where it stopped.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.pairs import difference
from benchmarks.parts import PARTS
from benchmarks.peers.protocol import Text, write_texts
from benchmarks.peers.running import OWN, Running, peers_python
from benchmarks.retrieval.collections import SOURCES, Collection, load
from benchmarks.retrieval.metrics import by_document, ndcg, recall, reciprocal_rank
from benchmarks.rows import STARTED_AT, Row, mean_row, show, write
from contextsvc import assets
from contextsvc.records import Document
from contextsvc.settings import Settings

COMMAND = "python -m benchmarks.retrieval"
SIDES = ("ours", "bare", "langchain-plain", "llamaindex-plain")
OURS, NUM_PASSAGES, SEED = "ours", 50, 23
EMBEDDER = "all-MiniLM-L6-v2"
"""Of every side."""

Rankings = Mapping[str, Sequence[str]]
"""Document ids, best first, by query id."""


def rankings(side: str, collection: Collection, model: Path, keep: Path) -> Rankings:
    """What a side finds, from `keep` where this version of it was asked before."""
    with tempfile.TemporaryDirectory() as folder, Running(side, model) as running:
        made_by = json.dumps([running.about["versions"], STARTED_AT if side in OWN else ""], sort_keys=True)
        key = hashlib.sha256(f"{collection.fingerprint} {side} {made_by}".encode()).hexdigest()[:16]
        path = keep / f"{collection.name}-{side}-{key}.json"
        if path.exists():
            found: Rankings = json.loads(path.read_text("utf-8"))
            return found
        texts = Path(folder) / "documents.jsonl"
        write_texts(texts, (_given(document, side) for document in collection.documents))
        running.build(texts)
        answers = running.ask([query.text for query in collection.queries], NUM_PASSAGES)["answers"]
        found = {
            query.query_id: by_document([passage["doc_id"] for passage in answer])
            for query, answer in zip(collection.queries, answers, strict=True)
        }
        keep.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found), "utf-8")
        return found


def _given(document: Document, side: str) -> Text:
    """Ours takes titles by themselves; the others get them as the first line, as is usual."""
    apart = side == OURS or document.text.startswith(document.title)
    text = document.text if apart else f"{document.title}\n\n{document.text}"
    return Text(document.doc_id, text, document.title)


def rows(collection: Collection, found: Mapping[str, Rankings], part: str) -> list[Row]:
    """Figures of each side, and how far ours is from each other one."""
    asked = [query for query in collection.queries if part in ("all", query.part)]
    chosen = {"part": part, "num_passages": NUM_PASSAGES, "source": SOURCES[collection.name].where,
              "licence": SOURCES[collection.name].licence}  # fmt: skip
    command = COMMAND if part == "all" else f"{COMMAND} --part {part}"

    def row(figure: str, values: Sequence[float]) -> Row:
        return mean_row("retrieval", f"{collection.name}, {figure}", values, collection.fingerprint, chosen,
                        SEED, command)  # fmt: skip

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
        apart = difference(scores[OURS], scores[side], SEED)
        made.append(
            Row("retrieval", f"{collection.name}, ours less {side}: nDCG@10", apart.mean, apart.interval,
                len(asked), collection.fingerprint, chosen, SEED, command,
                {"p": apart.p, "ratio": sum(scores[OURS]) / sum(scores[side])})
        )  # fmt: skip
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """Ask, score, compare."""
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
    made: list[Row] = []
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
        made += rows(collection, found, asked.part)
    (show if asked.dry or asked.documents is not None else write)(made)


if __name__ == "__main__":
    main()
