"""A full disk: a clean refusal, the published generation serves, and there is no harm once there is room."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MOUNTED = "mount -t tmpfs -o size=6m none {0} && exec {1} -m tests.full_disks {0}"


def _ran(command: list[str]) -> dict[str, object]:
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr[-4000:]
    found: dict[str, object] = json.loads(run.stdout)
    return found


def _may_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _holds(found: dict[str, object], reason: str) -> None:
    told = found["told"]
    assert isinstance(told, list)
    assert all(reason in text for text in told), told
    assert "nothing was kept" in told[0]
    assert "the published generation still serves" in told[1]
    assert (found["num_documents"], found["problems"]) == (20, [])
    assert "parts" not in found["left"]  # type: ignore[operator]


def test_a_full_file_system(tmp_path: Path) -> None:
    if not _may_mount(tmp_path):
        pytest.skip("no file system may be mounted here; the next test limits the length of files instead")
    _holds(_ran(["unshare", "-rm", "sh", "-c", MOUNTED.format(tmp_path, sys.executable)]), "No space left")


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.full_disks", str(tmp_path), "--limit", "200000"]
    _holds(_ran(command), "File too large")
