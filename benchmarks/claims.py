"""The claims of the figures page (`claims.toml`): what was asked for, and the stored row that answers."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Any, Literal

from benchmarks.peers.running import DEFAULTS, HYBRIDS, LARGER, PEERS

Rows = Mapping[tuple[str, str], dict[str, Any]]
Relation = Literal["at least", "at most", "more than", "under"]
HOLDS = {"at least": ge, "at most": le, "more than": gt, "under": lt}


@dataclass(frozen=True, slots=True)
class Shown:
    """A number, its interval and its unit."""

    value: float
    interval: Sequence[float] | None
    unit: str


@dataclass(frozen=True, slots=True)
class Limit:
    """What was asked of a figure.

    Attributes:
        relation: How the figure must lie to the bound.
        bound: In the figure's own unit; of shares, 0 to 1.
        words: Said instead of relation and bound; empty: these are said.
        of: Figures of the same benchmark; the bound is a share of the smallest of them.
    """

    relation: Relation
    bound: float
    words: str = ""
    of: tuple[str, ...] = ()

    def holds(self, value: float, bound: float) -> bool:
        """Whether a value keeps the limit.

        >>> Limit("at most", 0.05).holds(0.05, 0.05), Limit("under", 0.05).holds(0.05, 0.05)
        (True, False)
        """
        return bool(HOLDS[self.relation](value, bound))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One line of the figures page.

    Attributes:
        what: The claim, as a clause that a reader without the code understands.
        limit: What was asked; None: nothing was, the figure is there to compare with.
        benchmark: Benchmark of the row.
        figure: Figure of the row; with `{side}` in it, of one row for each of `sides`.
        unit: `%` for shares, printed as percent; any other unit is printed behind the number.
        sides: Pipelines to compare with; the ratio to the nearest one is shown.
        fewer: Whether less is better, so that the nearest pipeline has the largest ratio.
        timed: Whether the figure depends on the machine, which is then named.
    """

    what: str
    limit: Limit | None = None
    benchmark: str
    figure: str
    unit: str = ""
    sides: tuple[str, ...] = ()
    fewer: bool = False
    timed: bool = False

    def found(self, rows: Rows) -> tuple[dict[str, Any], Shown] | None:
        """The row that answers, and what is shown of it; None if there is no such row yet."""
        if not self.sides:
            row = rows.get((self.benchmark, self.figure))
            return None if row is None else (row, Shown(row["value"], row["interval"], self.unit))
        made = {side: rows.get((self.benchmark, self.figure.format(side=side))) for side in self.sides}
        known = {side: row for side, row in made.items() if row and row["details"]["ratio"] is not None}
        if len(known) < len(self.sides):
            return None
        choose = max if self.fewer else min
        side = choose(known, key=lambda name: known[name]["details"]["ratio"])
        told = known[side]["details"]
        return known[side], Shown(told["ratio"], told["ratio_interval"], f"times {side}")

    def bound(self, rows: Rows) -> float | None:
        """The number that the figure must keep; None without a limit, or if a row it needs is missing."""
        if self.limit is None:
            return None
        if not self.limit.of:
            return self.limit.bound
        others = [rows.get((self.benchmark, figure)) for figure in self.limit.of]
        values = [row["value"] for row in others if row is not None]
        return self.limit.bound * min(values) if len(values) == len(others) else None

    def asked(self) -> str:
        """The limit in words; empty if there is none."""
        if self.limit is None:
            return ""
        unit = "times" if self.sides else self.unit
        return self.limit.words or f"{self.limit.relation} {shown(self.limit.bound, unit, named=True)}"


LONGEST_COMMAND = 72
"""In characters, of a command on the figures page."""

_SIDES = {"defaults": DEFAULTS, "hybrids": HYBRIDS, "larger": LARGER, "peers": PEERS}
"""Names of groups of pipelines, as a claim may give them."""


def _read(path: Path) -> tuple[Claim, ...]:
    claims = tomllib.loads(path.read_text("utf-8"))["claim"]
    for claim in claims:
        sides = claim.get("sides", ())
        claim["sides"] = _SIDES[sides] if isinstance(sides, str) else tuple(sides)
        if "limit" in claim:
            claim["limit"] = Limit(**{**claim["limit"], "of": tuple(claim["limit"].get("of", ()))})
    return tuple(Claim(**claim) for claim in claims)


CLAIMS = _read(Path(__file__).with_name("claims.toml"))
"""All claims, in the order of the page."""


def claim_tables(rows: Sequence[dict[str, Any]]) -> str:
    """The claims as Markdown: what holds, what falls short, what is there to compare with, the machines.

    A claim holds if the measured value keeps the limit; an interval that contains the limit gets a star.
    A claim whose row was never made stands under "No row yet".
    """
    by_key = {(row["benchmark"], row["figure"]): row for row in rows}
    machines: dict[str, int] = {}
    holds: list[str] = []
    short: list[str] = []
    beside, missing = [], []
    for claim in CLAIMS:
        found = claim.found(by_key)
        bound = claim.bound(by_key)
        if found is None or (claim.limit is not None and bound is None):
            missing.append(f"- {claim.what} (`{claim.benchmark}`)")
            continue
        row, told = found
        number = str(machines.setdefault(row["machine"], len(machines) + 1)) if claim.timed else ""
        line = _line(claim, row, told, bound, number)
        if claim.limit is None or bound is None:
            beside.append(line)
        else:
            (holds if claim.limit.holds(told.value, bound) else short).append(line)
    parts = [_table("What holds", holds), _table("What falls short", short)]
    parts.append(_table("To compare with", beside))
    if missing:
        parts.append("\n".join(["## No row yet", "", *missing]))
    listed = [f"{number}. {machine}" for machine, number in machines.items()]
    parts.append("\n".join(["## Machines", "", *listed]))
    return "\n\n".join(parts)


def _line(claim: Claim, row: Mapping[str, Any], told: Shown, bound: float | None, machine: str) -> str:
    around = ""
    if told.interval is not None:
        low, high = told.interval
        unsure = bound is not None and low < bound < high
        around = f"{shown(low, told.unit)} to {shown(high, told.unit)}{' *' * unsure}"
    value, command = shown(told.value, told.unit, named=True), shortened(row["command"])
    cells = (claim.what, claim.asked(), value, around, str(row["n"]), machine, f"`{command}`")
    return "| " + " | ".join(cells) + " |"


def _table(title: str, lines: Sequence[str]) -> str:
    head = ["| claim | asked | measured | 95 % interval | n | machine | command |",
            "|---|---|---:|---|---:|---|---|"]  # fmt: skip
    return "\n".join([f"## {title}", "", *head, *lines])


def shortened(command: str) -> str:
    """A command without its last words if it is long; `benchmarks/results/README.md` has it whole.

    >>> shortened("python -m benchmarks.packs --collections hotpotqa --sides " + "ours bare " * 9)
    'python -m benchmarks.packs --collections hotpotqa --sides ours bare ...'
    """
    if len(command) <= LONGEST_COMMAND:
        return command
    return command[:LONGEST_COMMAND].rpartition(" ")[0] + " ..."


def shown(value: float, unit: str, named: bool = False) -> str:
    """Three digits; percent as whole numbers or with one decimal."""
    number = f"{100 * value:.3g}" if unit == "%" else f"{value:.3g}"
    return f"{number} {unit}".rstrip() if named else number
