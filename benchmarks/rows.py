"""Result rows: one JSON object a line, with everything that is needed to make a figure again."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs import Values, difference, ratio_interval
from contextsvc.measuring.statistics import mean_interval

RESULTS = Path(__file__).parent / "results"
DATA_VARIABLE = "CONTEXTSVC_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        benchmark: Name of the file in `results` that keeps the row.
        figure: What was measured, unit included.
        value: The figure.
        interval: 95 % interval; None for a count or a single run.
        n: Number of observations.
        dataset: Name and SHA-256 of the data.
        settings: Settings that the figure depends on.
        seed: Seed of samples and of bootstrap intervals.
        command: Command that makes the row again.
        details: Anything else, for example the score of each question.
    """

    benchmark: str
    figure: str
    value: float
    interval: tuple[float, float] | None = None
    n: int
    dataset: str
    settings: Mapping[str, Any]
    seed: int
    command: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Makes rows that share these five attributes; see `Row`."""

    benchmark: str
    dataset: str
    seed: int
    command: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def row(
        self, figure: str, value: float, n: int, interval: tuple[float, float] | None = None,
        details: Mapping[str, Any] | None = None, **settings: Any,
    ) -> Row:  # fmt: skip
        """A row; `settings` are added to the shared ones."""
        return Row(
            benchmark=self.benchmark, figure=figure, value=float(value), interval=interval, n=n,
            dataset=self.dataset, settings={**self.settings, **settings}, seed=self.seed,
            command=self.command, details=dict(details or {}),
        )  # fmt: skip

    def mean(
        self, figure: str, values: Values, details: Mapping[str, Any] | None = None, **settings: Any
    ) -> Row:
        """The mean of some values with its bootstrap interval.

        Raises:
            ShapeError: no values.
        """
        found = np.asarray(values, dtype=np.float64)
        interval = mean_interval(found, self.seed)
        return self.row(figure, found.mean(), len(found), interval, details, **settings)

    def difference(
        self, figure: str, first: Sequence[float], second: Sequence[float], **settings: Any
    ) -> Row:
        """First minus second, question by question.

        The details hold `p`, `ratio` and `ratio_interval`. `ratio` is the mean of the first over the mean of
        the second, None if the second is 0.

        Raises:
            ShapeError: there is no pair, or the numbers of values differ.
        """
        found, whole = difference(first, second, self.seed), sum(second)
        details = {
            "p": found.p,
            "ratio": sum(first) / whole if whole else None,
            "ratio_interval": ratio_interval(first, second, self.seed),
        }
        return self.row(figure, found.mean, len(first), found.interval, details, **settings)


def data_root() -> Path | None:
    """The folder `$CONTEXTSVC_DATA`, else `shared/data` beside the project, else None."""
    places = [os.environ.get(DATA_VARIABLE), Path(__file__).parents[2] / "shared" / "data"]
    return next((Path(place) for place in places if place and Path(place).is_dir()), None)


def dataset(*parts: str) -> Path:
    """File or folder of a data set.

    Raises:
        SystemExit: it is absent; the message names the variable that says where data sets are.
    """
    root = data_root()
    path = root.joinpath(*parts) if root else None
    if path is None or not path.exists():
        raise SystemExit(f"skipped: no data set {'/'.join(parts)}; name its folder in {DATA_VARIABLE}")
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSON Lines file, in file order."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def fingerprint(path: Path) -> str:
    """Name of the data and the first 16 hex digits of a SHA-256 over file names and contents."""
    state = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        state.update(file.relative_to(path.parent).as_posix().encode() + b"\0")
        state.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{path.name}@{state.hexdigest()[:16]}"


def machine() -> str:
    """Processor, cores, memory and Python version, for a reader."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        text = info.read_text()
        names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
        kinds = [kind for kind in ("amx_bf16", "avx512_bf16") if kind in text]
        model = (names or [model])[0] + (f" ({', '.join(kinds)})" if kinds else "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def commit() -> str:
    """First 12 digits of the commit; a `+` follows if package or benchmarks were changed since."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False,
                              cwd=RESULTS.parent).stdout.strip()  # fmt: skip

    changed = git("status", "--porcelain", "--", ":/contextsvc", ":/benchmarks/*.py")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


STARTED_AT = commit()
"""Commit at the start of the run: a benchmark may write files of the package or run for an hour."""


def write(rows: Sequence[Row]) -> None:
    """Replace the rows in `results/<benchmark>.jsonl` and print the new ones."""
    RESULTS.mkdir(exist_ok=True)
    name = rows[0].benchmark
    where = {"commit": STARTED_AT, "machine": machine()}
    lines = [json.dumps({**asdict(row), **where}, sort_keys=True) for row in rows]
    (RESULTS / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    show(rows)


def show(rows: Sequence[Row]) -> None:
    """Print rows, one a line."""
    for row in rows:
        around = f" [{row.interval[0]:.4g}, {row.interval[1]:.4g}]" if row.interval else ""
        print(f"{row.benchmark}: {row.figure} = {row.value:.4g}{around} (n = {row.n}, {row.dataset})")


def told(line: str) -> None:
    """Print a line of progress on standard error."""
    print(line, file=sys.stderr, flush=True)


def read() -> list[dict[str, Any]]:
    """Every stored row, files in order of their names."""
    return [row for file in sorted(RESULTS.glob("*.jsonl")) for row in read_lines(file)]
