"""Trial of each benchmark on a few items, in one process, nothing kept: `python -m benchmarks.smoke`.

A trial shows that a benchmark still runs, not how good or fast anything is. It is skipped, with a message, if
a data set is absent. Arguments choose benchmarks: `python -m benchmarks.smoke budget ablation.modes`.
"""

import io
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec

from benchmarks.switches import asked_for

FOLDER = "{folder}"
"""Placeholder of a temporary folder."""

_PACK = "--questions 1 --articles 1 --chunks 2 --tokens 64"
TRIALS: Mapping[str, Sequence[str]] = {
    "ablation.calibration": ["--placebos 20 --each 10 --articles 1 --chunks 1"],
    # A threshold takes 20 placebos, which takes long in the other modes; `ablation.speed` reads in all.
    "ablation.modes": [f"--modes blocks --drawn 10 {_PACK}"],
    "ablation.placebos": ["--questions 1 --articles 1"],
    "ablation.speed": [f"--sides ours {_PACK}"],
    "ablation.controls": [f"--drawn 10 --abstracts 20 {_PACK}"],
    "ablation.hops": ["--sides ours --questions 1 --indexed 2"],
    "ablation.configurations": ["--questions 1 --articles 1"],
    "answerable": [
        "--part tune --articles 1 --questions 2",
        "--articles 6 --questions 2 --collections scifact --abstracts 30",
    ],
    "budget": ["--packs 20 --pages 10"],
    "build": ["chunks --chunks 30 --repeats 1"],
    "chunking": [f"--corpora state_of_the_union --keep {FOLDER}"],
    "latency": ["socket --queries 5 --pages 10", "peers --queries 5 --chunks 30 --sides ours"],
    "packs": [f"--collections chunking --questions 2 --budgets 256 --sides ours oracle --keep {FOLDER}"],
    "retrieval": [f"--collections cacm --documents 100 --sides ours --keep {FOLDER}"],
    "search": ["--chunks 200 --queries 5"],
    "updates": ["exact --documents 50 --updates 2", "approximate --documents 30 --updates 2"],
}
"""Command lines by name under `benchmarks`; each one gets `--dry`."""

Main = Callable[[Sequence[str]], None]


def main_of(name: str) -> Main:
    """The `main` of a benchmark."""
    found = find_spec(f"benchmarks.{name}")
    package = found is not None and found.submodule_search_locations is not None
    main: Main = import_module(f"benchmarks.{name}" + (".__main__" if package else "")).main
    return main


def tried(name: str, line: str, load: Callable[[str], Main]) -> bool:
    """Run one trial and print a line about it; its own output is printed only if it failed."""
    said, started, outcome = io.StringIO(), time.perf_counter(), "ok"
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(said), redirect_stderr(said):
        try:
            load(name)([*line.replace(FOLDER, folder).split(), "--dry"])
        except SystemExit as end:
            outcome = str(end.code) if str(end.code).startswith("skipped: ") else "FAILED"
            said.write(f"{end.code}\n")
        except Exception:  # noqa: BLE001 the others are to run, too
            outcome = "FAILED"
            traceback.print_exc()
    seconds = time.perf_counter() - started
    print(f"{seconds:6.1f} s  benchmarks.{name} {line}: {outcome}", flush=True)
    if outcome == "FAILED":
        print(said.getvalue(), file=sys.stderr)
    return outcome != "FAILED"


def main(argv: Sequence[str] | None = None) -> None:
    """Run all trials, or those of the named benchmarks; exits with 1 if one failed."""
    names = asked_for("python -m benchmarks.smoke", __doc__, argv, runs=tuple(TRIALS)).runs
    started = time.perf_counter()
    went = [tried(name, line, main_of) for name in names for line in TRIALS[name]]
    print(f"{time.perf_counter() - started:6.1f} s  {sum(went)} of {len(went)} ran")
    raise SystemExit(0 if all(went) else 1)


if __name__ == "__main__":
    main()
