"""Rows: what a figure is kept with."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.report import END, START, table, updated
from benchmarks.rows import dataset, fingerprint, mean_row
from contextsvc.errors import ShapeError


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


def test_a_table_holds_every_row() -> None:
    row = {
        "benchmark": "b", "figure": "f, ms", "value": 1.23456, "interval": [1.0, 2.0], "n": 3,
        "dataset": "d@1", "command": "c", "machine": "m", "commit": "abc",
    }  # fmt: skip
    found = table([row, {**row, "interval": None}])
    assert "| b | f, ms | 1.235 | 1 to 2 | 3 | d@1 | `c` |" in found
    assert "| b | f, ms | 1.235 |  | 3 | d@1 | `c` |" in found
    assert found.endswith("Machine: m; commit abc.")
    assert table([row, {**row, "figure": "of a part", "details": {"breakdown": True}}]) == table([row])


def test_only_the_marked_part_of_the_readme_changes() -> None:
    text = f"before\n{START}\nstale line\n{END}\nafter"
    assert updated(text).startswith(f"before\n{START}\n")
    assert updated(text).endswith(f"{END}\nafter")
    assert "stale line" not in updated(text)


def test_a_mean_row_has_mean_interval_and_number() -> None:
    row = mean_row("b", "share", [1.0, 0.0, 1.0, 1.0], "d@1", {"mode": "m"}, 3, "c")
    assert (row.value, row.n, row.dataset, row.settings, row.seed) == (0.75, 4, "d@1", {"mode": "m"}, 3)
    assert row.interval is not None
    low, high = row.interval
    assert 0.0 <= low < 0.75 < high <= 1.0
    assert mean_row("b", "share", np.ones(3), "d@1", {}, 3, "c").interval == (1.0, 1.0)


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least one value"):
        mean_row("b", "share", [], "d@1", {}, 3, "c")
