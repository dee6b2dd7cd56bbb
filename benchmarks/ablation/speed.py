"""Seconds to measure a pack of six paragraphs, by method: `python -m benchmarks.ablation.speed`.

Ours, exact leave-one-out, and ContextCite's package (extra `peers`; left out if it is not installed) with 32
and 64 masks. All get the same model, questions and responses. For each question the methods run one after the
other, so that a machine that slows down slows all of them.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.ablation import packs as common
from benchmarks.ablation.figures import gold_first
from benchmarks.ablation.packs import Cite, Labelled
from benchmarks.rows import Row, Sheet
from benchmarks.switches import asked_for
from contextsvc.measuring.masks import required_masks, subset_masks
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.prompts import read_units
from contextsvc.ports import Prompt, Reader
from contextsvc.records.arrays import BoolArray, Float64Array
from contextsvc.storage.library import LoadedIndex

COMMAND = "python -m benchmarks.ablation.speed"
SEED, NUM_QUESTIONS, NUM_CITED = 13, 12, 3
"""ContextCite takes a minute a question, so it gets only the first `NUM_CITED` ones."""

Way = Callable[[Labelled], list[float]]
"""Scores of a question's chunks."""


def read(reader: Reader, found: Labelled, masks: BoolArray) -> Float64Array:
    """Outcome of each mask."""
    prompt = Prompt(read_units(found.pack), found.question.text)
    return reader.score(prompt, masks, found.question.answer).values


def leave_one_out(reader: Reader, found: Labelled) -> list[float]:
    """Effects by plain leave-one-out: the pack, and the pack without each chunk."""
    masks = np.delete(required_masks(len(found.gold), 0)[: 2 + len(found.gold)], 1, axis=0)
    values = read(reader, found, masks)
    return [float(values[0] - value) for value in values[1:]]


def subsets(reader: Reader, found: Labelled) -> list[float]:
    """Time 32 random masks alone, without placebos and controls; the scores are all 0."""
    read(reader, found, subset_masks(len(found.gold), 32, [SEED]))
    return [0.0] * len(found.gold)


def effects(measurer: Measurer, index: LoadedIndex, found: Labelled) -> list[float]:
    """Effects by a whole measurement, controls included."""
    return [verdict.effect or 0.0 for verdict in measurer.measure(index, found.pack, found.target).verdicts]


def cited(cite: Cite, num_masks: int) -> Way:
    """ContextCite's package with this number of masks."""
    return lambda p: cite(
        [unit.strip() for unit in read_units(p.pack)], p.question.text, p.question.answer, num_masks, "\n\n"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Time each method on each question; its first question is a warm-up and is not counted."""
    asked = asked_for(COMMAND, __doc__, argv, common.SIDES, questions=NUM_QUESTIONS, **common.SIZES)
    data, documents, drawn = common.squad(asked, 60, SEED)
    with common.indexed("squad", documents, **common.sized(asked)) as (engine, index):
        packs = common.labelled_packs(engine, index, drawn, asked["questions"] + 1)
        readers = {
            mode: common.measurer_of(engine, reader_mode=mode) for mode in ("masked", "blocks", "exact")
        }
        ways: dict[str, Way] = {
            "blocks, whole measurement": lambda p: effects(readers["blocks"], index, p),
            "blocks, chunks measured before": lambda p: effects(readers["blocks"], index, p),
            "masked, 32 subset masks": lambda p: subsets(readers["masked"].reader, p),
            "exact, leave-one-out": lambda p: leave_one_out(readers["exact"].reader, p),
        }
        if "context-cite" in asked.names["sides"] and (cite := common.peer_of(engine)):
            ways |= {f"context-cite, {num} masks": cited(cite, num) for num in (32, 64)}
        asked.keep(rows(ways, packs, asked.sheet("ablation_speed", data, SEED, num_chunks=6)))


def rows(ways: dict[str, Way], packs: list[Labelled], sheet: Sheet) -> list[Row]:
    """Seconds and ratios of each method."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    first: dict[str, list[float]] = {name: [] for name in ways}
    for number, found in enumerate(packs):
        for name, way in ways.items():
            if name.startswith("context-cite") and number > NUM_CITED:
                continue
            common.progress(f"question {number}/{len(packs) - 1}: {name}")
            started = time.perf_counter()
            values = way(found)
            if number:
                seconds[name].append(time.perf_counter() - started)
                first[name].extend(gold_first([(values, found.gold)]))
    made = []
    yardsticks = [name for name in ("exact, leave-one-out", "context-cite, 64 masks") if name in ways]
    for name, times in seconds.items():
        figures = {"seconds": np.array(times)}
        for yardstick in yardsticks:
            if yardstick != name:
                both = min(len(times), len(seconds[yardstick]))
                shares = np.array(times[:both]) / np.array(seconds[yardstick][:both])
                figures[f"seconds as a share of {yardstick}"] = shares
        if "subset masks" not in name:
            figures["gold chunk has the largest effect"] = np.array(first[name])
        made += [sheet.mean(f"{name}: {figure}", measured) for figure, measured in figures.items()]
    return made


if __name__ == "__main__":
    main()
