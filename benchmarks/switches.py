"""Command line of a benchmark: `--dry`, sizes, choices of names, and what else several benchmarks take."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts import PARTS, Part
from benchmarks.rows import Row, Sheet, show, write

Value = int | str | Sequence[str]
"""A size, a part, or some names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A parsed command line.

    Attributes:
        base: The command without arguments.
        dry: Print rows and leave `benchmarks/results` as it is.
        sizes: Size by switch.
        names: Chosen names by switch.
        unusual: Value by switch, of those that differ from the default.
        runs: Chosen runs; empty if the benchmark has only one.
        part: Part of the questions.
        limit: Number of items to try the benchmark with; None: all.
        folder: Folder that was named for kept data; None: the default.
    """

    base: str
    dry: bool
    sizes: Mapping[str, int]
    names: Mapping[str, Sequence[str]]
    unusual: Mapping[str, Value]
    runs: Sequence[str]
    part: Part
    limit: int | None
    folder: Path | None

    def __getitem__(self, size: str) -> int:
        return self.sizes[size]

    def command(self, *words: str, only: Collection[str] | None = None) -> str:
        """Command that makes the rows again: base, `words`, and unusual switches (those in `only`)."""
        unusual = {name: value for name, value in self.unusual.items() if only is None or name in only}
        return " ".join([self.base, *words]) + spelled(unusual)

    def sheet(self, benchmark: str, dataset: str, seed: int, **settings: Any) -> Sheet:
        """A sheet whose rows record the command and the unusual switches."""
        return Sheet(benchmark, dataset, seed, self.command(), {**settings, **self.unusual})

    def keep(self, rows: Sequence[Row]) -> None:
        """Write and print rows; only print them in a dry run."""
        (show if self.dry else write)(rows)


def asked_for(
    command: str, about: str | None, argv: Sequence[str] | None,
    names: Mapping[str, Sequence[str]] | None = None, *, runs: Sequence[str] = (), part: Part | None = None,
    limit: str = "", folder: str = "", **usual: int,
) -> Asked:  # fmt: skip
    """Parse a command line.

    Args:
        command: Runs the benchmark with all defaults.
        about: Text of `--help`.
        argv: Arguments without the program's name; None: those of this process.
        names: Names to choose from, by switch. All are chosen by default.
        runs: Runs to choose from, given as positional arguments. All are chosen by default.
        part: Default of `--part`; None: no such switch.
        limit: Name of a switch that takes only the first items; the run is dry then. Empty: no such switch.
        folder: Name of a switch for the folder of kept data. Empty: no such switch.
        usual: Default by switch, of switches that take a whole number of at least 1.

    Raises:
        SystemExit: an argument is unknown or out of range; argparse prints which.
    """
    parser = argparse.ArgumentParser(
        prog=command, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if runs:
        parser.add_argument("runs", nargs="*", metavar="|".join(runs), help="all by default")
    defaults: dict[str, Value] = {switch: tuple(every) for switch, every in (names or {}).items()}
    for switch, every in (names or {}).items():
        parser.add_argument(f"--{switch}", nargs="*", choices=every, default=every, help="all by default")
    if part:
        defaults["part"] = part
        parts = PARTS if part == "all" else PARTS[:2]
        parser.add_argument("--part", choices=parts, default=part, help=f"of the questions; default: {part}")
    for size, number in usual.items():
        defaults[size] = number
        parser.add_argument(f"--{size}", type=_size, default=number, metavar="N", help=f"default: {number}")
    if limit:
        parser.add_argument(f"--{limit}", type=_size, metavar="N", help="only the first N; writes nothing")
    if folder:
        parser.add_argument(
            f"--{folder}", type=Path, help="folder of kept data; under CONTEXTSVC_HOME by default"
        )
    parser.add_argument("--dry", action="store_true", help="print, and leave benchmarks/results as it is")
    given = vars(parser.parse_args(argv))
    if unknown := sorted(set(given.get("runs", ())) - set(runs)):
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(runs)}")
    found = {name: tuple(given[name]) if name in (names or {}) else given[name] for name in defaults}
    return Asked(
        base=command,
        dry=given["dry"] or (given.get(limit) is not None),
        sizes={name: given[name] for name in usual},
        names={name: tuple(given[name]) for name in names or {}},
        unusual={name: value for name, value in found.items() if value != defaults[name]},
        runs=given.get("runs") or list(runs),
        part=given.get("part", "all"),
        limit=given.get(limit),
        folder=given.get(folder),
    )


def spelled(values: Mapping[str, Value]) -> str:
    """Values as switches, each after a space.

    >>> spelled({"queries": 5, "modes": ["blocks", "exact"]})
    ' --queries 5 --modes blocks exact'
    """
    return "".join(
        f" --{name} {value if isinstance(value, int | str) else ' '.join(value)}"
        for name, value in values.items()
    )


def _size(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
