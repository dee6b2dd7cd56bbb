"""Chunkers compared on the corpora that are present: `python -m benchmarks.chunking`.

Vectors of passages are stored in `--keep`, so that an interrupted run continues where it stopped. Rows of
only some `--corpora` are printed and not kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from benchmarks.chunking.chunkers import EMBEDDER, Chunked, KeptPassages, ours, peers
from benchmarks.chunking.corpora import CORPORA, LICENCE, SOURCE, load, published
from benchmarks.chunking.figures import Scored, beside_published, compared, rows, scored
from benchmarks.parts import of_part
from benchmarks.peers.vectors import Store
from benchmarks.rows import Row, Sheet, told
from benchmarks.switches import asked_for
from contextsvc.ports import Embedder
from contextsvc.settings import Settings
from contextsvc.wiring import build_embedder

COMMAND = "python -m benchmarks.chunking"
PUBLISHED = {"RecursiveCharacter 200/0": "Recursive", "TokenText 200/0": "TokenText"}
"""Name in the published table, by name here."""

SEED, SIZE, NUM_RETRIEVED = 7, 200, 5


def main(argv: Sequence[str] | None = None) -> None:
    """Chunk, ask, score, compare."""
    asked = asked_for(COMMAND, __doc__, argv, {"corpora": CORPORA}, part="all", folder="keep")
    settings = replace(Settings.from_env(), embedder=EMBEDDER)
    collection = load(asked.names["corpora"])
    questions = of_part(collection.questions, asked.part)
    store = Store((asked.folder or settings.home / "benchmarks") / "chunking.sqlite")
    embedder = cast(Embedder, KeptPassages(build_embedder(settings), store))
    chosen = {
        "part": asked.part, "num_retrieved": NUM_RETRIEVED, "embedder": embedder.fingerprint,
        "licence": LICENCE, "source": SOURCE,
    }  # fmt: skip
    benchmark = "chunking" if asked.part == "all" else f"chunking_{asked.part}"
    sheet = Sheet(benchmark, collection.data, SEED, asked.command(only=["part"]), chosen)
    found: list[tuple[Chunked, Scored]] = []
    with ours(collection, embedder) as own:
        theirs = peers(collection, embedder, SIZE, settings.home)
        for chunked in (*theirs, *own):
            told(f"{chunked.name}: {len(chunked.passages)} chunks")
            found.append((chunked, scored(chunked, questions, NUM_RETRIEVED)))
    made: list[Row] = []
    for chunked, table in found:
        made += rows(chunked, table, questions, sheet)
        if asked.part == "all" and chunked.name in PUBLISHED:
            said = published(PUBLISHED[chunked.name], SIZE, 0)
            made += beside_published(chunked, table, questions, said, sheet)
    for mine in found[len(theirs) :]:
        made += [row for other in found[: len(theirs)] for row in compared(mine, other, sheet)]
    replace(asked, dry=asked.dry or set(asked.names["corpora"]) != set(CORPORA)).keep(made)


if __name__ == "__main__":
    main()
