"""The same candidates packed in several ways: `python -m benchmarks.selection`.

Chunks are found once a question, with the settings of the environment but no floor under their scores, and
stay whole. Then each way packs them into each budget: greedily, as the service does, with several floors
under the gain; greedily by gain a token; and as a 0/1 knapsack, which adds up scores and knows no likeness.
Likeness to what is packed is not taken off in the first comparison, so that all ways add up the same.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.packs.collections import SOURCES, Collection, PackQuestion
from benchmarks.packs.evidence import Pack
from benchmarks.packs.figures import SCORES
from benchmarks.packs.locating import Place
from benchmarks.pairs import difference_row
from benchmarks.parts import PARTS, of_part
from benchmarks.rows import Row, mean_row, show, write
from contextsvc import assets
from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.errors import BudgetTooSmall
from contextsvc.indexing.build import build_index
from contextsvc.packing.ordering import by_relevance
from contextsvc.packing.selection import Limits, pack_greedily
from contextsvc.records.arrays import Float32Array
from contextsvc.records.packs import Candidate
from contextsvc.records.rendering import render_units
from contextsvc.records.requests import MAX_BUDGET_TOKENS, MAX_CHUNKS
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_counters, build_engine, build_index_parts

COMMAND = "python -m benchmarks.selection"
BUDGETS = (256, 512, 1024)
FLOORS = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Under the gain, as shares of the best score."""

USUAL = "greedy"
SEED = 37

Count = Callable[[str], int]
Pick = Callable[["Found", int], Sequence[Candidate]]
"""(candidates, budget) -> those that are packed."""


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates of a question, best first, with their unit vectors, and how tokens are counted."""

    candidates: Sequence[Candidate]
    vectors: Float32Array
    count: Count


@contextmanager
def served(collection: Collection) -> Iterator[tuple[Engine, LoadedIndex]]:
    """The collection, indexed, behind an engine that drops nothing; gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder), cache=False, score_floor=0.0,
                           diversity_weight=0.0, near_duplicate_similarity=1.0, trim=False)  # fmt: skip
        build_index(settings.root, collection.name, collection.documents, build_index_parts(settings))
        engine = build_engine(settings)
        yield engine, engine.library.get(collection.name)


def found(engine: Engine, index: LoadedIndex, question: PackQuestion, count: Count) -> Found:
    """What the service finds, as many chunks as a request can have."""
    request = engine.request(index.name, question.text, MAX_BUDGET_TOKENS, max_chunks=MAX_CHUNKS)
    pack, _ = engine.assembler.assemble(index, request)
    candidates = sorted((packed.candidate for packed in pack.chunks), key=lambda c: c.rank)
    numbers = np.array([c.number for c in candidates], dtype=np.int64)
    return Found(candidates, index.corpus.chunk_vectors[numbers].astype(np.float32), count)


def greedily(asked: Found, budget: int, floor: float, diversity: float, alike: float) -> list[Candidate]:
    """As the service packs."""
    least = floor * asked.candidates[0].score
    limits = Limits(budget, MAX_CHUNKS, alike, diversity, least)
    try:
        sizes = [asked.count(candidate.chunk.text) for candidate in asked.candidates]
        packed = pack_greedily(asked.candidates, asked.vectors, sizes, limits, by_relevance, asked.count)
        return list(packed.kept)
    except BudgetTooSmall:
        return []


def by_density(asked: Found, budget: int) -> list[Candidate]:
    """The greatest score a token first; one that does not fit is skipped."""
    kept: list[Candidate] = []
    for candidate in sorted(asked.candidates, key=lambda c: (-c.score / c.chunk.num_tokens, c.rank)):
        if fits([*kept, candidate], budget, asked.count):
            kept.append(candidate)
    return kept


def knapsack(asked: Found, budget: int) -> list[Candidate]:
    """The greatest sum of scores whose sizes, each chunk rendered alone, add up to the budget at most.

    By dynamic programming over tokens (Kellerer, Pferschy, Pisinger, Knapsack Problems, 2004, section 2.3).
    If the rendered whole takes more, the lowest score goes until it fits.
    """
    sizes = [asked.count("".join(render_units([c.chunk])) + "\n\n") for c in asked.candidates]
    best = np.zeros(budget + 1)
    taken = np.zeros((len(sizes), budget + 1), dtype=np.bool_)
    for number, (candidate, size) in enumerate(zip(asked.candidates, sizes, strict=True)):
        if size <= budget:
            with_it = best[: budget + 1 - size] + candidate.score
            taken[number, size:] = with_it > best[size:]
            best[size:] = np.maximum(best[size:], with_it)
    kept, room = [], budget
    for number in reversed(range(len(sizes))):
        if taken[number, room]:
            kept.append(asked.candidates[number])
            room -= sizes[number]
    while kept and not fits(kept, budget, asked.count):
        kept.remove(min(kept, key=lambda c: (c.score, -c.rank)))
    return kept


def fits(candidates: Sequence[Candidate], budget: int, count: Count) -> bool:
    """Whether the rendered pack does."""
    return size_of(candidates, count) <= budget


def size_of(candidates: Sequence[Candidate], count: Count) -> int:
    """Tokens of the rendered pack."""
    return count("".join(render_units([c.chunk for c in by_relevance(candidates)]))) if candidates else 0


def ways(settings: Settings) -> Mapping[str, Pick]:
    """By name; `USUAL` first, with which the others are compared."""
    alone = partial(greedily, diversity=0.0, alike=1.0)
    ours = partial(greedily, diversity=settings.diversity_weight, alike=settings.near_duplicate_similarity)
    return {
        USUAL: partial(alone, floor=0.0),
        "greedy by score a token": by_density,
        "knapsack": knapsack,
        **{
            f"greedy, likeness taken off, gain at least {floor}": partial(ours, floor=floor)
            for floor in FLOORS
        },
    }


def scored(name: str, question: PackQuestion, asked: Found, pick: Pick, budget: int) -> Mapping[str, float]:
    """The figures of one pack."""
    kept = pick(asked, budget)
    places = tuple(Place(c.chunk.doc_id, c.chunk.start, c.chunk.end) for c in kept)
    return SCORES[name](question, Pack(places, size_of(kept, asked.count)))


def measured(collection: Collection, questions: Sequence[PackQuestion], part: str) -> list[Row]:
    """Every way at every budget, and how far each is from the usual one."""
    settings = Settings.from_env()
    counter = build_counters(settings)[settings.tokenizer]
    tables: dict[tuple[str, int], list[Mapping[str, float]]] = {}
    with served(collection) as (engine, index):
        for number, question in enumerate(questions, 1):
            asked = found(engine, index, question, lambda text: counter.count([text])[0])
            for name, pick in ways(settings).items():
                for budget in BUDGETS:
                    one = scored(collection.name, question, asked, pick, budget)
                    tables.setdefault((name, budget), []).append(one)
            if number % 20 == 0:
                print(f"{collection.name}: {number} of {len(questions)}", file=sys.stderr, flush=True)
    command = f"{COMMAND} --collections {collection.name} --part {part}"
    benchmark = f"selection_{collection.name}_{part}"
    chosen = {"diversity_weight": settings.diversity_weight,
              "near_duplicate_similarity": settings.near_duplicate_similarity}  # fmt: skip
    made = []
    for (name, budget), table in tables.items():
        for figure in table[0]:
            values = [one[figure] for one in table]
            label = f"{name}, {budget} tokens: {figure}"
            made.append(mean_row(benchmark, label, values, collection.data, chosen, SEED, command))
            if name != USUAL:
                usual = [one[figure] for one in tables[USUAL, budget]]
                label = f"{name} less {USUAL}, {budget} tokens: {figure}"
                made.append(
                    difference_row(benchmark, label, values, usual, collection.data, chosen, SEED, command)
                )
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """Find, pack in every way, compare."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--collections", nargs="*", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--part", choices=PARTS, default="all", help="of the questions")
    parser.add_argument("--questions", type=int, help="the first so many and their documents; writes nothing")
    parser.add_argument("--dry", action="store_true", help="print, and leave benchmarks/results as it is")
    asked, settings = parser.parse_args(argv), Settings.from_env()
    splitter = PunktSentenceSplitter(assets.locate(settings.home, "punkt_tab"))
    for name in asked.collections:
        collection = SOURCES[name].load(splitter.split)
        if asked.questions is not None:
            collection = collection.first(asked.questions, asked.part)
        made = measured(collection, of_part(collection.questions, asked.part), asked.part)
        (show if asked.dry or asked.questions is not None else write)(made)


if __name__ == "__main__":
    main()
