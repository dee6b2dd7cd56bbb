"""Seconds a pack of six paragraphs, side by side in one run: `python -m benchmarks.ablation.speed`.

Ours, exact leave-one-out, and ContextCite's package (extra `peers`, left out where it is not installed)
with its 64 and with 32 masks: same model, same questions, same response, one after the other for each
question, so that a machine that slows down slows all of them.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.ablation.figures import gold_first
from benchmarks.ablation.modes import progress
from benchmarks.ablation.packs import (
    SIDES,
    SIZES,
    Cite,
    Labelled,
    indexed,
    labelled_packs,
    measurer_of,
    peer_of,
    sized,
)
from benchmarks.rows import Row, dataset, fingerprint, mean_row
from benchmarks.squad import FILE, load_articles, sample
from benchmarks.switches import asked_for
from contextsvc.measuring.masks import required_masks, subset_masks
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.prompts import read_units
from contextsvc.measuring.records import Target
from contextsvc.ports import Prompt, Reader
from contextsvc.storage.library import LoadedIndex

COMMAND = "python -m benchmarks.ablation.speed"
SEED, NUM_QUESTIONS, NUM_CITED = 13, 12, 3
"""Of a package that takes a minute a question, fewer questions are asked: the first ones."""

Way = Callable[[Labelled], list[float]]
"""Scores of a question's chunks."""


def leave_one_out(reader: Reader, found: Labelled) -> list[float]:
    """Effects of the plain way: the pack, and the pack without each chunk."""
    masks = np.delete(required_masks(len(found.gold), 0)[: 2 + len(found.gold)], 1, axis=0)
    prompt = Prompt(read_units(found.pack), found.question.text)
    values = reader.score(prompt, masks, found.question.answer).values
    return [float(values[0] - value) for value in values[1:]]


def subsets(reader: Reader, found: Labelled) -> list[float]:
    """32 random masks alone, without placebos and controls."""
    masks = subset_masks(len(found.gold), 32, [SEED])
    prompt = Prompt(read_units(found.pack), found.question.text)
    reader.score(prompt, masks, found.question.answer)
    return [0.0] * len(found.gold)


def effects(measurer: Measurer, index: LoadedIndex, found: Labelled) -> list[float]:
    """A whole measurement, controls included."""
    utilization = measurer.measure(index, found.pack, Target(found.question.answer, "response"))
    return [verdict.effect or 0.0 for verdict in utilization.verdicts]


def cited(cite: Cite, num_masks: int) -> Way:
    """The package with so many masks."""
    return lambda p: cite(
        [unit.strip() for unit in read_units(p.pack)], p.question.text, p.question.answer, num_masks, "\n\n"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Each way on each question; a way's first question is its warm-up and is not counted."""
    asked = asked_for(COMMAND, __doc__, argv, SIDES, questions=NUM_QUESTIONS, articles=12, **SIZES)
    documents, questions = load_articles(12, 12 + asked["articles"])
    with indexed("squad", documents, **sized(asked)) as (engine, index):
        packs = labelled_packs(engine, index, sample(questions, 60, SEED), asked["questions"] + 1)
        readers = {mode: measurer_of(engine, reader_mode=mode) for mode in ("masked", "blocks", "exact")}
        ways: dict[str, Way] = {
            "blocks, whole measurement": lambda p: effects(readers["blocks"], index, p),
            "blocks, chunks measured before": lambda p: effects(readers["blocks"], index, p),
            "masked, 32 subset masks": lambda p: subsets(readers["masked"].reader, p),
            "exact, leave-one-out": lambda p: leave_one_out(readers["exact"].reader, p),
        }  # fmt: skip
        if "context-cite" in asked.names["sides"] and (cite := peer_of(engine)):
            ways |= {f"context-cite, {num} masks": cited(cite, num) for num in (32, 64)}
        asked.keep(rows(ways, packs))


def rows(ways: dict[str, Way], packs: list[Labelled]) -> list[Row]:
    """Seconds and ratios of each way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    first: dict[str, list[float]] = {name: [] for name in ways}
    for number, found in enumerate(packs):
        for name, way in ways.items():
            if name.startswith("context-cite") and number > NUM_CITED:
                continue
            progress(f"question {number}/{len(packs) - 1}: {name}")
            started = time.perf_counter()
            values = way(found)
            if number:
                seconds[name].append(time.perf_counter() - started)
                first[name].extend(gold_first([(values, found.gold)]))
    data, made = fingerprint(dataset(*FILE)), []
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
        for figure, measured in figures.items():
            made.append(
                mean_row("ablation_speed", f"{name}: {figure}", measured, data, {"num_chunks": 6}, SEED,
                         COMMAND)
            )  # fmt: skip
    return made


if __name__ == "__main__":
    main()
