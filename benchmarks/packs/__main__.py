"""Packs of each side on each collection: `python -m benchmarks.packs`.

Ours is the service's own path with the settings of the environment; its budget holds for the rendered text,
labels included. A peer's best passages are packed in their order into the same
budget, counted in the same encoding and joined by a blank line; one that does not fit is skipped, and so is
one that came before. Rows of questions with kinds have each figure also by kind, in their details. `ours`
takes the best units of chunks, `ours-whole` whole chunks, whatever `CONTEXTSVC_TRIM` says. `bare` is the
encoder alone with a paragraph a chunk; `oracle` packs the evidence itself, which is the upper bound.

Answers of sides are stored in `--keep` with the versions that gave them, so that an interrupted run continues
where it stopped; those of ours and of the bare encoder only if the tree is its commit. `--budgets` are
tokens; by default each collection has its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields

from benchmarks.packs.collections import SOURCES, Collection
from benchmarks.packs.figures import Scored, compared, rows, scored
from benchmarks.packs.sides import ALL_SIDES, ORACLE, SEPARATOR, Asking
from benchmarks.parts import of_part
from benchmarks.peers.asking import EMBEDDER, NUM_PASSAGES
from benchmarks.peers.running import OURS, can_run
from benchmarks.rows import Row, Sheet, told
from benchmarks.switches import Asked, asked_for
from contextsvc import assets
from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.adapters.text.tiktoken_counter import TiktokenCounter
from contextsvc.packing.assembler import RetrievalSettings
from contextsvc.packing.units import RULE
from contextsvc.settings import Settings
from contextsvc.wiring import INDEX_TOKENIZER

COMMAND = "python -m benchmarks.packs"
SEED = 29
SHOWN: Mapping[str, tuple[int, ...]] = {"hotpotqa": (128, 256, 512, 1024), "chunking": (256, 512),
                                        "etcd": (150, 300, 500, 800, 1500)}  # fmt: skip
"""Budgets with rows of their own; the others are packed to find how many tokens are needed."""


def arguments(argv: Sequence[str] | None) -> Asked:
    """The parsed command line."""
    every = sorted({budget for source in SOURCES.values() for budget in source.budgets})
    names = {"collections": tuple(SOURCES), "sides": ALL_SIDES, "budgets": tuple(map(str, every))}
    return asked_for(COMMAND, __doc__, argv, names, part="all", limit="questions", folder="keep")


def sheet_for(asked: Asked, collection: Collection, settings: Settings) -> Sheet:
    """The sheet of a collection."""
    source, part = SOURCES[collection.name], asked.part
    benchmark = f"packs_{collection.name}" + ("" if part == "all" else f"_{part}")
    command = asked.command("--collections", collection.name, only=("sides", "budgets", "part"))
    chosen = {
        "part": part, "tokenizer": INDEX_TOKENIZER, "num_passages": NUM_PASSAGES, "separator": SEPARATOR,
        "licence": source.licence, "source": source.where, "ours": shaping(settings),
    }  # fmt: skip
    return Sheet(benchmark, collection.data, SEED, command, chosen)


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
    chosen = sorted(map(int, asked.names["budgets"])) if "budgets" in asked.unusual else []
    for name in asked.names["collections"]:
        asking = Asking(
            chosen or SOURCES[name].budgets, lambda text: counter.count([text])[0], splitter.split,
            assets.locate(settings.home, EMBEDDER), asked.folder or settings.home / "benchmarks", told,
        )  # fmt: skip
        collection = SOURCES[name].load(splitter.split)
        if asked.limit is not None:
            collection = collection.first(asked.limit, asked.part)
        shown = chosen or SHOWN[name]
        asked.keep(measured(asked, asking, collection, shown, sheet_for(asked, collection, settings)))


def measured(
    asked: Asked, asking: Asking, collection: Collection, shown: Sequence[int], sheet: Sheet
) -> list[Row]:
    """Rows of a collection: of each side, and of ours minus each side except the upper bound."""
    questions, found = of_part(collection.questions, asked.part), dict[str, Scored]()
    for side in asked.names["sides"]:
        if side == ORACLE or can_run(side):
            told(f"{collection.name}: {side}")
            found[side] = scored(collection.name, questions, asking.packs(side, collection, questions))
    kinds = [question.kind for question in questions if question.kind]
    made = [row for side, table in found.items() for row in rows(side, table, shown, sheet, kinds)]
    for side in [side for side in found if side not in (OURS, ORACLE) and OURS in found]:
        made += compared(found[OURS], found[side], f"ours less {side}", shown, sheet)
    return made


if __name__ == "__main__":
    main()
