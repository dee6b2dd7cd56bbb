"""Results are rows: one JSON object a line, with all that is needed to make it again."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contextsvc.measuring.statistics import mean_interval
from contextsvc.records.arrays import Float64Array

RESULTS = Path(__file__).parent / "results"
DATA_VARIABLE = "CONTEXTSVC_DATA"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        benchmark: Module under `benchmarks`.
        figure: What was measured, unit included.
        value: The figure.
        interval: 95 % interval, or None where the figure is a count or a single run.
        n: How many observations it rests on.
        dataset: Name and SHA-256 of the data.
        settings: What was chosen.
        command: Makes the row again.
    """

    benchmark: str
    figure: str
    value: float
    interval: tuple[float, float] | None
    n: int
    dataset: str
    settings: dict[str, Any]
    seed: int
    command: str
    details: dict[str, Any]


def mean_row(
    benchmark: str,
    figure: str,
    values: Sequence[float] | Float64Array,
    dataset: str,
    settings: dict[str, Any],
    seed: int,
    command: str,
) -> Row:
    """The mean of one value a question, with its bootstrap interval.

    Args:
        benchmark: This and the others as a `Row` has them.
        figure: What the mean is of.
        values: (n,), n >= 1; shares are means of 0 and 1.
        dataset: Name and SHA-256 of the data.
        settings: What was chosen.
        seed: Of the bootstrap, too.
        command: Makes the row again.

    Raises:
        ShapeError: no values.
    """
    found = np.asarray(values, dtype=np.float64)
    interval = mean_interval(found, seed)
    return Row(
        benchmark, figure, float(found.mean()), interval, len(found), dataset, settings, seed, command, {}
    )


def data_root() -> Path | None:
    """`$CONTEXTSVC_DATA`, else `shared/data` beside the project, else None."""
    places = [os.environ.get(DATA_VARIABLE), Path(__file__).parents[2] / "shared" / "data"]
    return next((Path(place) for place in places if place and Path(place).is_dir()), None)


def dataset(*parts: str) -> Path:
    """A data set's file or folder.

    Raises:
        SystemExit: it is not there; says how to name the place.
    """
    root = data_root()
    path = root.joinpath(*parts) if root else None
    if path is None or not path.exists():
        raise SystemExit(f"skipped: no data set {'/'.join(parts)}; name its folder in {DATA_VARIABLE}")
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, in order."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def fingerprint(path: Path) -> str:
    """Name and the first 16 hex digits of a SHA-256 over the files' names and contents."""
    state = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        state.update(file.relative_to(path.parent).as_posix().encode() + b"\0")
        state.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{path.name}@{state.hexdigest()[:16]}"


def machine() -> str:
    """Processor, cores and memory, for a person."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
        kinds = [kind for kind in ("amx_bf16", "avx512_bf16") if kind in info.read_text()]
        model += f" ({', '.join(kinds)})" if kinds else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def commit() -> str:
    """The commit that was run, `+` where the tree differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False,
                              cwd=RESULTS.parent).stdout.strip()  # fmt: skip

    changed = git("status", "--porcelain", "--", ":/contextsvc", ":/benchmarks/*.py")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


STARTED_AT = commit()
"""What is run: asked when it starts, for a benchmark may write files of the package, or run for an hour."""


def write(rows: list[Row]) -> None:
    """Replace this benchmark's rows in `results/<benchmark>.jsonl` and print them."""
    RESULTS.mkdir(exist_ok=True)
    name = rows[0].benchmark
    where = {"commit": STARTED_AT, "machine": machine()}
    lines = [json.dumps({**asdict(row), **where}, sort_keys=True) for row in rows]
    (RESULTS / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    show(rows)


def show(rows: list[Row]) -> None:
    """Print them."""
    for row in rows:
        around = f" [{row.interval[0]:.4g}, {row.interval[1]:.4g}]" if row.interval else ""
        print(f"{row.benchmark}: {row.figure} = {row.value:.4g}{around} (n = {row.n}, {row.dataset})")


def read() -> list[dict[str, Any]]:
    """Every stored row, by file name."""
    return [row for file in sorted(RESULTS.glob("*.jsonl")) for row in read_lines(file)]
