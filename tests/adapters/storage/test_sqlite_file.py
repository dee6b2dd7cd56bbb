import json
import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.adapters.storage.job_queue import SqliteJobQueue
from contextsvc.errors import SettingError
from contextsvc.ports import Job

Open = Callable[[], SqliteJobQueue]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue" / "jobs.sqlite3"


@pytest.fixture
def open_queue(path: Path) -> Iterator[Open]:
    """Another queue on the same file each time: another process to SQLite."""
    made: list[SqliteJobQueue] = []

    def run() -> SqliteJobQueue:
        made.append(SqliteJobQueue(path, 1000))
        return made[-1]

    yield run
    for queue in made:
        queue.close()


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.message for record in caplog.records if record.name == "contextsvc.background"]
    return [json.loads(line)["event"] for line in lines]


@cache
def sound_file() -> bytes:
    """A queue of 40 jobs as it lies on disk."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.sqlite3"
        queue = SqliteJobQueue(path, 1000)
        for number in range(40):
            queue.put(str(number), b"x" * 500)
        queue.close()
        return path.read_bytes()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda _: b"no database" * 1000,
    "a few bytes": lambda _: b"hello",
    "cut off": lambda data: data[: len(data) // 2],
    "cut off in a page": lambda data: data[:5000],
    "zeros inside": lambda data: data[:8192] + bytes(8192) + data[16384:],
    "another header": lambda data: b"x" * 100 + data[100:],
    "a schema that is no text": lambda data: data.replace(b"CREATE TABLE jobs", b"CR\xdcATE TABLE jobs"),
    "another schema": lambda data: data.replace(b"jobs_by_state", b"jobs_by_other"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_moved_aside_and_the_queue_begins_anew(
    path: Path, open_queue: Open, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    path.parent.mkdir()
    data = damage(sound_file())
    path.write_bytes(data)
    aside = path.with_name("jobs.sqlite3.damaged")
    aside.write_bytes(b"an older one")
    queue = open_queue()
    assert aside.read_bytes() == data
    assert queue.num_waiting() == 0
    assert queue.put("a", b"1")
    assert queue.take() == Job("a", b"1", 1)
    assert events(caplog) == ["file_damaged"]
    (line,) = [json.loads(record.message) for record in caplog.records]
    assert line["moved_to"] == str(aside)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=99)), max_size=9))
def test_no_damage_raises_or_stops_a_queue(damages: list[tuple[float, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.sqlite3"
        data = bytearray(sound_file())
        for share, damage in damages:
            start = int(share * len(data))
            data[start : start + len(damage)] = damage
        path.write_bytes(data)
        queue = SqliteJobQueue(path, 1000)
        assert queue.put("new", b"1")
        while job := queue.take():
            queue.done(job.key)
        assert queue.num_waiting() == 0
        queue.close()


def test_another_programs_database_is_moved_aside_as_it_is(path: Path, open_queue: Open) -> None:
    path.parent.mkdir()
    foreign = sqlite3.connect(path)
    foreign.execute("PRAGMA journal_mode = WAL")
    foreign.execute("CREATE TABLE jobs (name TEXT)")
    foreign.execute("INSERT INTO jobs VALUES ('theirs')")
    foreign.commit()
    assert Path(f"{path}-wal").stat().st_size > 0
    queue = open_queue()
    assert queue.put("a", b"1")
    foreign.close()
    with sqlite3.connect(f"{path}.damaged") as moved:
        assert moved.execute("SELECT name FROM jobs").fetchall() == [("theirs",)]
    moved.close()
    assert queue.take() == Job("a", b"1", 1)


def test_an_empty_file_is_a_new_queue(path: Path, open_queue: Open, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.touch()
    assert open_queue().put("a", b"")
    assert events(caplog) == []


def test_those_that_start_together_on_a_damaged_file_share_one_queue(path: Path, open_queue: Open) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda number: open_queue().put(str(number), b""), range(6)))
    assert open_queue().num_waiting() == 6
    assert Path(f"{path}.damaged").read_bytes() == b"no database" * 1000


def test_a_file_that_is_damaged_while_open_is_begun_anew(path: Path, open_queue: Open) -> None:
    queue, other = open_queue(), open_queue()
    for number in range(100):
        queue.put(str(number), b"x" * 500)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        file.write(b"x" * path.stat().st_size)
    for number in range(100, 110):  # some of them may say False, none raises
        queue.put(str(number), b"")
        other.take()
    assert Path(f"{path}.damaged").exists()
    assert queue.put("a", b"1")
    assert other.state("a") == ("waiting", "")


def test_a_file_removed_or_moved_while_open_is_begun_anew(path: Path, open_queue: Open) -> None:
    queue, other = open_queue(), open_queue()
    assert queue.put("a", b"")
    shutil.rmtree(path.parent)
    assert queue.put("b", b"")
    assert other.take() == Job("b", b"", 1)
    assert queue.state("b") == ("running", "")
    path.rename(f"{path}.damaged")
    assert other.put("c", b"")
    assert queue.take() == Job("c", b"", 1)


def test_another_writers_lock_breaks_nothing(
    path: Path, open_queue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue()
    queue.put("a", b"1")
    queue.put("b", b"2")
    queue.take()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    started = open_queue()
    assert not started.put("c", b"")
    assert queue.take() is None
    queue.done("a")
    assert queue.state("a") == ("running", "")
    assert queue.num_waiting() == 1
    other.execute("ROLLBACK")
    other.close()
    assert set(events(caplog)) == {"queue_trouble"}
    assert queue.take() == Job("b", b"2", 1)
    queue.done("a")
    assert started.put("c", b"")
    assert queue.state("a") is None


def test_a_start_while_another_holds_the_file_waits_for_better_times(
    path: Path, open_queue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    queue = open_queue()
    assert events(caplog) == ["queue_trouble"]
    assert queue.num_waiting() == 0
    assert events(caplog) == ["queue_trouble"], "the same trouble is logged once"
    other.execute("ROLLBACK")
    other.close()
    assert queue.put("a", b"")
    assert not Path(f"{path}.damaged").exists()


def test_a_full_disk_refuses_jobs_and_breaks_nothing(
    open_queue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue()
    assert queue.put("a", b"1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files fails as a full disk does: after a part was written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        assert not queue.put("b", b"x" * 200_000)
        assert queue.state("b") is None
        while queue.put(f"c{queue.num_waiting()}", b"x" * 10_000):
            pass
        found = queue.num_waiting()
        queue.done("a")
        queue.take()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert set(events(caplog)) == {"queue_trouble"}
    assert found >= 2
    assert queue.put("b", b"x" * 200_000)
    assert queue.num_waiting() >= found - 1


def test_only_its_user_can_read_it(path: Path, open_queue: Open) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    before = os.umask(0)
    try:
        queue = open_queue()
        queue.put("a", b"")
        queue.take()
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert {"jobs.sqlite3", "jobs.sqlite3-wal", "jobs.sqlite3.lock"} < set(modes)


def test_what_cannot_be_used_is_seen_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "jobs.sqlite3", tmp_path / "folder"):
        with pytest.raises(SettingError, match=r"cannot be used.*CONTEXTSVC_HOME"):
            SqliteJobQueue(path, 10)
    for max_jobs, lease_seconds in ((0, 1.0), (1, 0.0)):
        with pytest.raises(SettingError, match="at least 1 job and more than 0 s"):
            SqliteJobQueue(tmp_path / "jobs.sqlite3", max_jobs, lease_seconds)


def test_a_folder_that_is_lost_later_breaks_nothing(
    path: Path, open_queue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue()
    shutil.rmtree(path.parent)
    path.parent.touch()
    assert not queue.put("a", b"")
    assert queue.take() is None
    assert queue.state("a") is None
    assert events(caplog) == ["queue_trouble"]
    path.parent.unlink()
    assert queue.put("a", b"")
    shutil.rmtree(path.parent)
    path.parent.touch()
    assert not queue.put("b", b"")
    assert events(caplog) == ["queue_trouble"] * 2, "new trouble is logged again"
    path.parent.unlink()
