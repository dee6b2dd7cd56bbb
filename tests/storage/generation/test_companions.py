"""Calibrations and scores beside generations: written by many at once, removed with their generation."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contextsvc.storage.generation import collect, current, generations
from contextsvc.storage.generation.companions import write_companion
from contextsvc.storage.generation.disk import WriteError, replace_file
from contextsvc.storage.generation.verified import VERIFIED, drop_partial_files, write_seen
from tests.storage.generation.test_retention import published

KINDS = ("calibrations", "utilization")


def companions(index: Path) -> list[str]:
    return sorted(str(path.relative_to(index)) for kind in KINDS for path in (index / kind).rglob("*.json"))


def measured(index: Path, generation: str) -> None:
    write_companion(index / "calibrations" / generation / "answer-0123.json", b"{}")
    write_companion(index / "utilization" / f"{generation}.json", b"{}")


def of(*ids: str) -> list[str]:
    return sorted(
        [f"calibrations/{generation}/answer-0123.json" for generation in ids]
        + [f"utilization/{generation}.json" for generation in ids]
    )


def test_what_was_measured_goes_with_its_generation(tmp_path: Path) -> None:
    index = tmp_path / "docs"
    ids = published(tmp_path, "abc")
    for generation in ids:
        measured(index, generation)
    (index / "utilization" / "notes.json").write_text("not of a generation")
    # Left by a process that was killed.
    (index / "utilization" / f".{ids[0]}.json.0123.tmp").touch()
    assert collect(tmp_path, "docs", 2) == ids[:1]
    assert companions(index) == sorted([*of(*ids[1:]), "utilization/notes.json"])
    assert not list((index / "utilization").glob(".*"))
    assert not (index / "calibrations" / ids[0]).exists()


def test_so_it_does_when_a_publish_removes_the_generation(tmp_path: Path) -> None:
    index = tmp_path / "docs"
    ids = published(tmp_path, "ab")
    for generation in ids:
        measured(index, generation)
    ids += published(tmp_path, "c", keep=2)
    assert generations(index) == ids[1:]
    assert companions(index) == of(ids[1])


def test_what_was_measured_after_its_generation_was_gone_goes_next_time(tmp_path: Path) -> None:
    ids = published(tmp_path, "abc", keep=1)
    assert current(tmp_path, "docs") == ids[2]
    measured(tmp_path / "docs", ids[0])
    assert collect(tmp_path, "docs", 1) == []
    assert companions(tmp_path / "docs") == []


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inner").mkdir(parents=True)
    with pytest.raises(WriteError, match="taken"):
        replace_file(tmp_path / "taken", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    with pytest.raises(WriteError, match="nowhere"):
        replace_file(tmp_path / "nowhere" / "file", b"data")


def test_threads_that_store_what_they_verified_never_leave_a_mixture(tmp_path: Path) -> None:
    ids = published(tmp_path, "ab")
    index, ended = tmp_path / "docs", threading.Event()

    def write(number: int) -> None:
        for length in range(60):
            write_seen(index, ids[number % 2], {f"file{number}": ["x" * (length * 997 % 5_000)]})

    def read() -> int:
        count = 0
        while not ended.is_set():
            found = json.loads((index / VERIFIED).read_bytes())
            assert set(found) <= set(ids)
            count += 1
        return count

    write(0)
    with ThreadPoolExecutor(7) as pool:
        reader = pool.submit(read)
        list(pool.map(write, range(6)))
        ended.set()
        assert reader.result() > 0
    assert not list(index.glob(f".{VERIFIED}*"))


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    published(tmp_path, "a")
    left = tmp_path / "docs" / f".{VERIFIED}.0123.tmp"
    left.touch()
    drop_partial_files(tmp_path / "docs")
    assert not left.exists()
