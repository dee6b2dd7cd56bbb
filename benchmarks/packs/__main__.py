"""Every side's packs on every collection: `python -m benchmarks.packs`.

Ours is the service's own path with the settings of the environment and as many chunks as fit; its budget
holds for the rendered text, with headings. A peer's best passages are packed in their order into the same
budget, in tokens of the same encoding, joined by a blank line; one that does not fit is skipped. `ours`
trims chunks that do not fit whole, `ours-whole` never does, whatever `CONTEXTSVC_TRIM` says. `bare` is the
encoder alone, a paragraph a chunk; `oracle` packs the evidence itself, which is the ceiling.

What sides said is kept in `--keep` with the versions they said it by, so that a run that was interrupted goes
on where it stopped; of ours and the bare encoder nothing is kept while the tree differs from its commit.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.packs.collections import SOURCES, Collection
from benchmarks.packs.figures import SEED, Scored, compared, rows, scored
from benchmarks.packs.packing import SEPARATOR
from benchmarks.packs.sides import ALL_SIDES, ORACLE, Asking
from benchmarks.parts import PARTS, of_part
from benchmarks.peers.asking import EMBEDDER, NUM_PASSAGES
from benchmarks.peers.running import OURS, OWN, peers_python
from benchmarks.rows import Row, show, write
from contextsvc import assets
from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.adapters.text.tiktoken_counter import TiktokenCounter
from contextsvc.packing.assembler import RetrievalSettings
from contextsvc.packing.trimming import RULE
from contextsvc.settings import Settings
from contextsvc.wiring import INDEX_TOKENIZER

COMMAND = "python -m benchmarks.packs"
SHOWN: Mapping[str, tuple[int, ...]] = {"hotpotqa": (128, 256, 512, 1024), "chunking": (256, 512)}
"""Budgets with rows of their own; the others are there to find how many tokens are needed."""


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--collections", nargs="*", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--sides", nargs="*", default=list(ALL_SIDES), choices=list(ALL_SIDES))
    parser.add_argument(
        "--budgets", nargs="*", type=int, default=[], help="in tokens, and no others; without it all"
    )
    parser.add_argument("--part", choices=PARTS, default="all", help="of the questions")
    parser.add_argument("--questions", type=int, help="the first so many and their documents; writes nothing")
    parser.add_argument("--keep", type=Path, help="folder of what sides said; CONTEXTSVC_HOME/benchmarks")
    parser.add_argument("--dry", action="store_true", help="print, and leave benchmarks/results as it is")
    return parser.parse_args(argv)


def command(asked: argparse.Namespace, name: str) -> str:
    """What makes the rows of a collection again."""
    words = [COMMAND, "--collections", name]
    if asked.sides != list(ALL_SIDES):
        words += ["--sides", *asked.sides]
    if asked.budgets:
        words += ["--budgets", *map(str, asked.budgets)]
    return " ".join(words if asked.part == "all" else [*words, "--part", asked.part])


def common(asked: argparse.Namespace, collection: Collection, settings: Settings) -> dict[str, Any]:
    """What all rows of a collection share; ours adds what its packs are shaped by."""
    source = SOURCES[collection.name]
    return {
        "benchmark": f"packs_{collection.name}" + ("" if asked.part == "all" else f"_{asked.part}"),
        "dataset": collection.data,
        "settings": {"part": asked.part, "tokenizer": INDEX_TOKENIZER, "num_passages": NUM_PASSAGES,
                     "separator": SEPARATOR, "licence": source.licence, "source": source.where,
                     "ours": shaping(settings)},
        "seed": SEED,
        "command": command(asked, collection.name),
    }  # fmt: skip


def shaping(settings: Settings) -> dict[str, object]:
    """The settings that shape a pack of ours."""
    names = [field.name for field in fields(RetrievalSettings)]
    names += ["chunk_min_tokens", "chunk_max_tokens", "ordering", "cross_encoder"]
    return {**{name: getattr(settings, name) for name in names}, "trimming": RULE}


def main(argv: Sequence[str] | None = None) -> None:
    """Ask, pack, score, compare; rows are written collection by collection."""
    asked, settings = arguments(argv), Settings.from_env()
    counter = TiktokenCounter(INDEX_TOKENIZER, assets.locate(settings.home, "tiktoken"))
    splitter = PunktSentenceSplitter(assets.locate(settings.home, "punkt_tab"))
    for name in asked.collections:
        asking = Asking(
            sorted(set(asked.budgets)) or SOURCES[name].budgets, lambda text: counter.count([text])[0],
            splitter.split, assets.locate(settings.home, EMBEDDER),
            asked.keep or settings.home / "benchmarks", told,
        )  # fmt: skip
        collection = SOURCES[name].load(splitter.split)
        if asked.questions is not None:
            collection = collection.first(asked.questions, asked.part)
        made = measured(asked, asking, collection, common(asked, collection, settings))
        (show if asked.dry or asked.questions is not None else write)(made)


def measured(
    asked: argparse.Namespace, asking: Asking, collection: Collection, shared: Mapping[str, Any]
) -> list[Row]:
    """The rows of a collection: each side's, and ours less each other side but the ceiling."""
    questions, found = of_part(collection.questions, asked.part), dict[str, Scored]()
    for side in asked.sides:
        if side not in (*OWN, ORACLE) and peers_python() is None:
            print(f"{side} is left out, for the peers have no environment; make it: make peers")
            continue
        told(f"{collection.name}: {side}")
        found[side] = scored(collection.name, questions, asking.packs(side, collection, questions))
    shown = asking.budgets if asked.budgets else SHOWN[collection.name]
    made = [row for side, table in found.items() for row in rows(side, table, shown, shared)]
    for side in [side for side in found if side not in (OURS, ORACLE) and OURS in found]:
        made += compared(found[OURS], found[side], f"ours less {side}", shown, shared)
    return made


def told(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
