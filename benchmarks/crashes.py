"""Killed writers and damaged files, many times: `python -m benchmarks.crashes`."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row, Sheet
from benchmarks.switches import asked_for
from contextsvc.errors import CorruptIndex
from contextsvc.indexing.build import Update, build_index, update_index
from contextsvc.storage.generation import open_manifest
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.fakes.embedder import FakeEmbedder
from tests.world import documents, fake_parts

COMMAND = "python -m benchmarks.crashes"
SEED = 7


def killed(num_trials: int, sheet: Sheet) -> list[Row]:
    """Kill writers at random moments of build, update, publish, roll back and collect."""
    with tempfile.TemporaryDirectory() as root:
        command = [sys.executable, "-m", "tests.killed_writers", root, "--trials", str(num_trials)]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        run = subprocess.run([*command, "--seed", str(SEED)], env=env, stdout=subprocess.PIPE, check=True)
    found = json.loads(run.stdout)
    for fault in found["faults"]:
        print(fault, file=sys.stderr)
    lost = "kill -9: trials after which something acknowledged was missing or the index unsound"
    figures = {
        lost: len(found["faults"]),
        "kill -9: operations acknowledged meanwhile": found["acknowledged"],
    }
    within = found["killed_within"]
    return [sheet.row(name, value, num_trials, details=within) for name, value in figures.items()]


def damaged(num_damages: int, sheet: Sheet) -> list[Row]:
    """Change each byte of CURRENT and of the manifest; change or cut other files at random places."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build_index(root, "pages", documents()[:4], fake_parts())
        update_index(root, "pages", lambda _: Update(documents()), fake_parts())
        generation, manifest = open_manifest(root, "pages")
        draw = random.Random(SEED)
        described = [root / "pages" / "CURRENT", generation / "manifest.json"]
        places = [(path, at) for path in described for at in range(path.stat().st_size)]
        files = [generation / name for name, entry in sorted(manifest.files.items()) if entry.num_bytes]
        drawn = [draw.choice(files) for _ in range(num_damages)]
        places += [(path, draw.randrange(path.stat().st_size)) for path in drawn]
        missed = [
            f"{path.name} at {at}" for number, (path, at) in enumerate(places)
            if not _detected(root, path, at, draw, number >= len(places) - num_damages and number % 2 == 0)
        ]  # fmt: skip
    for place in missed:
        print(f"not detected: {place}", file=sys.stderr)
    figure = "corruption: share detected before an answer"
    return [sheet.row(figure, 1 - len(missed) / len(places), len(places), details={"missed": missed})]


def _detected(root: Path, path: Path, at: int, draw: random.Random, cut: bool) -> bool:
    whole = path.read_bytes()
    rest = b"" if cut else bytes([whole[at] ^ draw.randint(1, 255)]) + whole[at + 1 :]
    path.write_bytes(whole[:at] + rest)
    try:
        Library(root, FakeEmbedder().fingerprint, open_search, falls_back=False).get("pages")
    except CorruptIndex:
        return True
    else:
        return False
    finally:
        path.write_bytes(whole)


def main(argv: Sequence[str] | None = None) -> None:
    """Both."""
    asked = asked_for(COMMAND, __doc__, argv, trials=1_000, damages=1_000)
    sheet = asked.sheet("crashes", "made up", SEED, embedder="hashed words", documents="a few, made up")
    asked.keep([*killed(asked["trials"], sheet), *damaged(asked["damages"], sheet)])


if __name__ == "__main__":
    main()
