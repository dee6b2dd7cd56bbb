"""Chunkers side by side on the corpora that are here: `python -m benchmarks.chunking`.

Vectors of passages are kept by content, so a run that was interrupted goes on where it stopped. One line
of progress a chunker, on standard error.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.chunking.chunkers import EMBEDDER, Chunked, ours, peers
from benchmarks.chunking.corpora import CORPORA, LICENCE, SOURCE, load, published
from benchmarks.chunking.figures import Scored, beside_published, compared, rows, scored
from benchmarks.chunking.keeping import KeptPassages
from benchmarks.parts import PARTS, of_part
from benchmarks.rows import Row, show, write
from contextsvc.adapters.storage.disk_cache import DiskcacheCache
from contextsvc.settings import Settings
from contextsvc.wiring import build_embedder

COMMAND = "python -m benchmarks.chunking"
PUBLISHED = {"RecursiveCharacter 200/0": "Recursive", "TokenText 200/0": "TokenText"}
"""Ours of their rows, and what the published table calls them."""

SIZE, NUM_RETRIEVED = 200, 5


def progress(done: int, total: int) -> None:
    """How far embedding has come."""
    print(
        f"\r{done}/{total} passages embedded ", end="" if done < total else "\n", file=sys.stderr, flush=True
    )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "--corpora",
        nargs="+",
        choices=CORPORA,
        default=list(CORPORA),
        help="some alone: printed, and not kept",
    )
    parser.add_argument(
        "--part", choices=PARTS, default="all", help="questions: half to tune on, half to report"
    )
    parser.add_argument(
        "--cache", type=Path, help="folder of kept vectors; CONTEXTSVC_HOME/cache if not named"
    )
    parser.add_argument("--dry", action="store_true", help="print, and leave benchmarks/results as it is")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Chunk, ask, score, compare."""
    asked, settings = arguments(argv), replace(Settings.from_env(), embedder=EMBEDDER)
    collection = load(asked.corpora)
    questions = of_part(collection.questions, asked.part)
    cache = DiskcacheCache(asked.cache or settings.home / "cache", settings.cache_bytes)
    embedder = KeptPassages(build_embedder(settings), cache, progress)
    common = {
        "benchmark": "chunking" if asked.part == "all" else f"chunking_{asked.part}",
        "dataset": collection.data,
        "settings": {"part": asked.part, "num_retrieved": NUM_RETRIEVED, "embedder": embedder.fingerprint,
                     "licence": LICENCE, "source": SOURCE},
        "command": COMMAND + (f" --part {asked.part}" if asked.part != "all" else ""),
    }  # fmt: skip
    found: list[tuple[Chunked, Scored]] = []
    with ours(collection, settings, embedder) as own:
        theirs = peers(collection, embedder, SIZE, settings.home)
        for chunked in (*theirs, *own):
            print(f"{chunked.name}: {len(chunked.passages)} chunks", file=sys.stderr)
            found.append((chunked, scored(chunked, questions, NUM_RETRIEVED)))
    made: list[Row] = []
    for chunked, table in found:
        made += rows(chunked, table, questions, common)
        if asked.part == "all" and chunked.name in PUBLISHED:
            said = published(PUBLISHED[chunked.name], SIZE, 0)
            made += beside_published(chunked.name, table, questions, said, chunked.settings, common)
    for mine in found[len(theirs) :]:
        made += [row for other in found[: len(theirs)] for row in compared(mine, other, common)]
    tried = asked.dry or set(asked.corpora) != set(CORPORA)
    (show if tried else write)(made)


if __name__ == "__main__":
    main()
