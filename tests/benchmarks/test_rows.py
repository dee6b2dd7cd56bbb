"""Rows: what a figure is kept with."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rows
from benchmarks.rows import Sheet, commit, dataset, fingerprint
from contextsvc.errors import ShapeError

SHEET = Sheet("b", "d@1", 3, "c", {"mode": "m"})


def test_a_fingerprint_sees_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a").write_text("one")
    first = fingerprint(folder)
    (folder / "a").write_text("two")
    second = fingerprint(folder)
    (folder / "a").rename(folder / "b")
    assert len({first, second, fingerprint(folder)}) == 3
    assert first.startswith("set@")


def test_absent_data_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONTEXTSVC_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="skipped: no data set nowhere; name its folder in CONTEXTSVC_DATA"):
        dataset("nowhere")


def test_a_mean_row_has_mean_interval_and_number() -> None:
    row = SHEET.mean("share", [1.0, 0.0, 1.0, 1.0], {"more": 1}, num_chunks=2)
    assert (row.value, row.n, row.details) == (0.75, 4, {"more": 1})
    assert (row.benchmark, row.dataset, row.seed, row.command) == ("b", "d@1", 3, "c")
    assert row.settings == {"mode": "m", "num_chunks": 2}
    assert row.interval is not None
    low, high = row.interval
    assert 0.0 <= low < 0.75 < high <= 1.0
    assert SHEET.mean("share", np.ones(3)).interval == (1.0, 1.0)


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least one value"):
        SHEET.mean("share", [])


def test_a_changed_package_is_marked_wherever_it_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True
        )

    for folder in ("contextsvc", "benchmarks/results"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(rows, "RESULTS", tmp_path / "benchmarks" / "results")
    clean = commit()
    assert len(clean) == 12
    (tmp_path / "benchmarks" / "results" / "a.jsonl").write_text("{}")
    assert commit() == clean
    (tmp_path / "contextsvc" / "a.py").write_text("2\n")
    assert commit() == clean + "+"
