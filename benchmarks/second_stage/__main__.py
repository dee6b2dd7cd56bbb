"""Whether learning beats the fixed weights where it was not taught: `python -m benchmarks.second_stage`.

Of four collections each is left out in turn. A learner is taught by the tune halves of the three others and
ranks the candidates that reach the second stage of the fourth: of its tune half, by which a learner would be
chosen, and of its report half. For how much there is to learn at all, each is also taught by all four tune
halves and ranks the report halves.

The fixed weights were chosen on the tune halves of all four collections, so they have seen the one that is
left out, and the learners have not; `weights-anew` is the same form without that advantage.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs import difference_row
from benchmarks.parts import Part, of_part
from benchmarks.peers.asking import EMBEDDER
from benchmarks.rows import Row, mean_row, show, write
from benchmarks.second_stage.features import Candidates
from benchmarks.second_stage.indexing import asking_with, shaping
from benchmarks.second_stage.judged import NAMES, JudgedCollection, load_judged, source_of
from benchmarks.second_stage.learning import (
    LEARNERS,
    SEED,
    Learned,
    Learner,
    Taught,
    best_score,
    fixed_score,
    values,
)
from benchmarks.switches import spelled
from contextsvc import assets
from contextsvc.records.arrays import Float64Array
from contextsvc.settings import Settings

COMMAND = "python -m benchmarks.second_stage"
OTHERS, ALL = "taught by the others", "taught by all"
HALVES: tuple[Part, ...] = ("tune", "report")
ROUNDS = 2_000


@dataclass(frozen=True, slots=True)
class Field:
    """What is ranked.

    Attributes:
        found: By collection, of all its queries.
        data: By collection, name and SHA-256.
        settings: What all rows share.
        command: Makes them again.
    """

    found: Taught
    data: Mapping[str, str]
    settings: Mapping[str, Any]
    command: str

    def part(self, name: str, part: Part) -> list[Candidates]:
        """Of a collection the queries of a part."""
        return [one for one in self.found[name] if one.query.part == part]

    def source(self, name: str) -> Mapping[str, str]:
        """What the rows of a collection say of where it comes from."""
        return dict(zip(("source", "licence"), source_of(name), strict=True))

    def teachers(self, left_out: str | None) -> Taught:
        """The tune halves of all collections but one."""
        return {name: self.part(name, "tune") for name in self.found if name != left_out}


def rows(field: Field, learners: Mapping[str, Learner]) -> list[Row]:
    """The fixed weights' figures and the best there can be; every learner's less the fixed weights'."""
    ranked = {
        (name, half, way): values(field.part(name, half), score)
        for name, half in product(field.found, HALVES)
        for way, score in (("fixed weights", fixed_score), ("candidates in the best order", best_score))
    }
    made = [
        mean_row("second_stage", f"{name}, {half} half, {way}: nDCG@10", scores, field.data[name],
                 {**field.settings, **field.source(name), "part": half}, SEED, field.command)
        for (name, half, way), scores in ranked.items()
    ]  # fmt: skip
    for label, learner in learners.items():
        alone = {name: learner(field.teachers(name)) for name in field.found}
        together = dict.fromkeys(field.found, learner(field.teachers(None)))
        for half, taught, learned in (*((half, OTHERS, alone) for half in HALVES), ("report", ALL, together)):
            said = f"{half} half, {label}, {taught}, less fixed weights: nDCG@10"
            baseline = {name: ranked[name, half, "fixed weights"] for name in field.found}
            made += compared(field, learned, baseline, half, said, {"learner": label, "taught": taught})
    return made


def compared(
    field: Field,
    learned: Mapping[str, Learned],
    fixed: Mapping[str, Sequence[float]],
    half: Part,
    said: str,
    chosen: Mapping[str, str],
) -> list[Row]:
    """A row a collection, with what was learned, and one of the mean over the collections."""
    made, apart = [], []
    settings = {**field.settings, **chosen, "part": half}
    for name in field.found:
        scores = values(field.part(name, half), learned[name].score)
        apart.append(np.asarray(scores) - np.asarray(fixed[name]))
        row = difference_row("second_stage", f"{name}, {said}", scores, fixed[name], field.data[name],
                             {**settings, **field.source(name)}, SEED, field.command)  # fmt: skip
        made.append(replace(row, details={**row.details, "learned": dict(learned[name].record)}))
    mean, interval = float(np.mean([one.mean() for one in apart])), mean_of_means(apart, SEED)
    whole = Row("second_stage", f"mean of collections, {said}", mean, interval, sum(map(len, apart)),
                ", ".join(field.data.values()), settings, SEED, field.command, {})  # fmt: skip
    return [*made, whole]


def mean_of_means(groups: Sequence[Float64Array], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of some groups' means, each group resampled by itself."""
    rng = np.random.default_rng(seed)
    draws = [group[rng.integers(0, len(group), (ROUNDS, len(group)))].mean(axis=1) for group in groups]
    low, high = np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    return float(low), float(high)


def field_of(collections: Sequence[JudgedCollection], settings: Settings, keep: Path, said: str) -> Field:
    """Index and ask."""
    asking = asking_with(settings, assets.locate(settings.home, EMBEDDER), keep, told)
    shared = {
        "rerank_depth": asking.retrieval.rerank_depth, "num_candidates": asking.retrieval.num_candidates,
        "weights": [asking.retrieval.lexical_weight, asking.retrieval.semantic_weight,
                    asking.retrieval.link_weight],
        "embedder": asking.embedder.fingerprint, **shaping(settings),
    }  # fmt: skip
    found = {one.name: asking.candidates(one) for one in collections}
    return Field(found, {one.name: one.data for one in collections}, shared, said)


def main(argv: Sequence[str] | None = None) -> None:
    """Index, ask, teach, compare."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--collections", nargs="*", default=list(NAMES), choices=NAMES, help="two or more")
    parser.add_argument("--learners", nargs="*", default=list(LEARNERS), choices=list(LEARNERS))
    parser.add_argument(
        "--keep", type=Path, help="folder of indexes; CONTEXTSVC_HOME/benchmarks if not named"
    )
    parser.add_argument(
        "--documents", type=int, help="the first so many of each alone: printed, and not kept"
    )
    parser.add_argument("--dry", action="store_true", help="print, and leave benchmarks/results as it is")
    asked, settings = parser.parse_args(argv), Settings.from_env()
    if len(set(asked.collections)) < 2:
        parser.error("one collection is left out, so name two or more")
    collections = [load_judged(name) for name in dict.fromkeys(asked.collections)]
    if asked.documents is not None:
        collections = [collection.first(asked.documents) for collection in collections]
    for collection, half in product(collections, HALVES):
        if not of_part(collection.queries, half):
            parser.error(f"{collection.name} has no query of the {half} half: take more documents")
    field = field_of(collections, settings, asked.keep or settings.home / "benchmarks", command(asked))
    made = rows(field, {label: LEARNERS[label] for label in asked.learners})
    (show if asked.dry or asked.documents is not None else write)(made)


def command(asked: argparse.Namespace) -> str:
    """What makes the rows again."""
    usual = {"collections": list(NAMES), "learners": list(LEARNERS)}
    return COMMAND + spelled(
        {switch: vars(asked)[switch] for switch in usual if vars(asked)[switch] != usual[switch]}
    )


def told(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
