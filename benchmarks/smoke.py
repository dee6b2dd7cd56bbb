"""Every benchmark from end to end on a few items, in one process, nothing kept: `python -m benchmarks.smoke`.

It says nothing of quality or speed; it says that a benchmark still runs. One whose data set is not there is
skipped, and said to be. Names of benchmarks choose some: `python -m benchmarks.smoke budget ablation.modes`.
"""

import argparse
import io
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec

from benchmarks.switches import runs_asked

FOLDER = "{folder}"
"""Stands for a folder that is gone afterwards."""

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
    "chunking": [f"--corpora state_of_the_union --cache {FOLDER}"],
    "latency": ["socket --queries 5 --pages 10", "peers --queries 5 --chunks 30 --sides ours"],
    "packs": [f"--collections chunking --questions 2 --budgets 256 --sides ours oracle --keep {FOLDER}"],
    "retrieval": [f"--collections cacm --documents 100 --sides ours --keep {FOLDER}"],
    "search": ["--chunks 200 --queries 5"],
    "updates": ["exact --documents 50 --updates 2", "approximate --documents 30 --updates 2"],
}
"""By name under `benchmarks`: command lines, each of which gets `--dry`."""

ELSEWHERE: Mapping[str, str] = {
    "crashes": "needs no data set; the tests kill writers and damage files by the same means",
}
"""Benchmarks that are not tried here, and why."""

LEFT_THE_TREE: Mapping[str, str] = {
    "ablation.choices": "0005-effects.md",
    "second_stage": "0012-second-stage.md",
    "selection": "0014-greedy-packing.md",
}
"""Finished benchmarks whose rows stay. The decision named here says at which commit the command runs."""

Main = Callable[[Sequence[str]], None]


def main_of(name: str) -> Main:
    """What a benchmark's command calls."""
    found = find_spec(f"benchmarks.{name}")
    package = found is not None and found.submodule_search_locations is not None
    main: Main = import_module(f"benchmarks.{name}" + (".__main__" if package else "")).main
    return main


def tried(name: str, line: str, load: Callable[[str], Main]) -> bool:
    """Run one and say in a line how it went; what it printed only where it failed."""
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
    """All, or those that are named; ends with 1 where one failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.smoke", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TRIALS))
    names = runs_asked(parser, parser.parse_args(argv).names, TRIALS)
    started = time.perf_counter()
    went = [tried(name, line, main_of) for name in names for line in TRIALS[name]]
    print(f"{time.perf_counter() - started:6.1f} s  {sum(went)} of {len(went)} ran")
    raise SystemExit(0 if all(went) else 1)


if __name__ == "__main__":
    main()
