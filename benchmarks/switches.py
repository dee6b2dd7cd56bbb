"""A benchmark's command line: `--dry`, and sizes smaller than the usual ones to try it with."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.rows import Row, show, write

Value = int | Sequence[str]
"""A size, or some names to choose from."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for.

    Attributes:
        command: Makes the rows again: the usual one, with what is other than usual.
        dry: Leave `benchmarks/results` as it is.
        sizes: By the names of their switches.
        names: What was chosen, by the names of the switches that take names.
        unusual: Those of both that are other than usual.
    """

    command: str
    dry: bool
    sizes: Mapping[str, int]
    names: Mapping[str, Sequence[str]]
    unusual: Mapping[str, Value]

    def __getitem__(self, name: str) -> int:
        return self.sizes[name]

    def keep(self, rows: Sequence[Row]) -> None:
        """Write the rows, each with its command and what is unusual; only print them in a dry run."""
        said = [replace(row, command=self.command, settings={**row.settings, **self.unusual}) for row in rows]
        (show if self.dry else write)(said)


def asked_for(
    command: str,
    about: str | None,
    argv: Sequence[str] | None,
    names: Mapping[str, Sequence[str]] | None = None,
    **usual: int,
) -> Asked:
    """Read a command line.

    Args:
        command: Runs the benchmark in its usual size.
        about: Printed by `--help`.
        argv: Without the program's name; None: this process's own.
        names: By the name of each switch that takes some of them; all, unless it is said.
        usual: By the name of each switch that takes a size, a whole number of at least 1.

    Raises:
        SystemExit: a switch is unknown or what it is given is none of these; argparse says which.
    """
    parser = argparse.ArgumentParser(
        prog=command, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for switch, every in (names or {}).items():
        parser.add_argument(f"--{switch}", nargs="+", choices=every, default=list(every))
    add_switches(parser, **usual)
    given = vars(parser.parse_args(argv))
    sizes = {name: int(given[name]) for name in usual}
    chosen = {switch: tuple(given[switch]) for switch in names or {}}
    every_usual: dict[str, Value] = {switch: tuple(every) for switch, every in (names or {}).items()}
    every_usual.update(usual)
    all_given: dict[str, Value] = {**chosen, **sizes}
    unusual = {name: value for name, value in all_given.items() if value != every_usual[name]}
    return Asked(command + spelled(unusual), bool(given["dry"]), sizes, chosen, unusual)


def add_switches(parser: argparse.ArgumentParser, **usual: int) -> None:
    """Add `--dry` and a switch a size, for a benchmark that takes more than these."""
    for name, size in usual.items():
        parser.add_argument(f"--{name}", type=_size, default=size, metavar="N", help=f"{size} if not said")
    parser.add_argument("--dry", action="store_true", help="print, and leave benchmarks/results as it is")


def runs_asked(parser: argparse.ArgumentParser, named: Sequence[str], runs: Iterable[str]) -> list[str]:
    """Of a benchmark's runs those that were named, all where none was.

    Raises:
        SystemExit: there is no such run.
    """
    known = list(runs)
    if unknown := sorted(set(named) - set(known)):
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}")
    return list(named) or known


def spelled(values: Mapping[str, Value]) -> str:
    """Values as switches, each after a space.

    >>> spelled({"queries": 5, "modes": ["blocks", "exact"]})
    ' --queries 5 --modes blocks exact'
    """
    return "".join(
        f" --{name} {value if isinstance(value, int) else ' '.join(value)}" for name, value in values.items()
    )


def _size(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
