import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contextsvc.adapters.storage.job_queue import SqliteJobQueue
from contextsvc.errors import ReaderFault
from contextsvc.ports import Job, JobQueue
from contextsvc.service.background import BackgroundMeasuring
from tests.fakes.job_queue import MemoryJobQueue
from tests.fakes.work import LONG, ScriptedWork, put

Start = Callable[[JobQueue, Callable[[bytes], None]], BackgroundMeasuring]


@pytest.fixture
def queue() -> MemoryJobQueue:
    return MemoryJobQueue(100)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a worker that, left alone, would sleep and pause for longer than any test waits."""
    made: list[BackgroundMeasuring] = []

    def run(queue: JobQueue, work: Callable[[bytes], None]) -> BackgroundMeasuring:
        made.append(BackgroundMeasuring(queue, work, lambda: True, 10 * LONG, 10 * LONG))
        made[-1].start()
        return made[-1]

    yield run
    for worker in made:
        assert worker.stop(LONG)


def test_stop_waits_for_the_job_that_runs_and_takes_no_other(queue: MemoryJobQueue, start: Start) -> None:
    put(queue, "a", "b")
    begun, may_end = threading.Event(), threading.Event()

    def work(_: bytes) -> None:
        begun.set()
        assert may_end.wait(LONG)

    worker = start(queue, work)
    assert begun.wait(LONG)
    assert not worker.stop(0.01), "not in time"
    assert queue.state("a") == ("running", "")
    assert not worker.drain(LONG), "it is stopping"
    may_end.set()
    assert worker.stop(LONG)
    assert queue.state("a") is None
    assert queue.state("b") == ("waiting", "")
    assert not worker.drain(LONG)


def test_stop_ends_a_pause_and_gives_the_job_back(queue: MemoryJobQueue, start: Start) -> None:
    put(queue, "a")
    begun = threading.Event()

    def work(_: bytes) -> None:
        begun.set()
        raise ReaderFault("gone")

    worker = start(queue, work)
    assert begun.wait(LONG)
    assert worker.stop(LONG)
    assert queue.state("a") == ("waiting", "")
    assert queue.take() == Job("a", b"a", 1)


def test_a_job_taken_while_stopping_is_given_back(start: Start) -> None:
    taken, may_go = threading.Event(), threading.Event()

    class SlowQueue(MemoryJobQueue):
        def take(self) -> Job | None:
            job = super().take()
            taken.set()
            assert may_go.wait(LONG)
            return job

    queue, work = SlowQueue(9), ScriptedWork()
    put(queue, "a")
    worker = start(queue, work)
    assert taken.wait(LONG)
    assert not worker.stop(0)
    may_go.set()
    assert worker.stop(LONG)
    assert work.calls == []
    assert queue.state("a") == ("waiting", "")


def test_the_queue_is_closed_once_the_worker_has_ended(start: Start) -> None:
    class WatchedQueue(MemoryJobQueue):
        num_closed = 0

        def close(self) -> None:
            self.num_closed += 1
            super().close()

    queue, begun, may_end = WatchedQueue(9), threading.Event(), threading.Event()
    put(queue, "a")

    def work(_: bytes) -> None:
        begun.set()
        assert may_end.wait(LONG)

    worker = start(queue, work)
    assert begun.wait(LONG)
    assert not worker.stop(0)
    assert queue.num_closed == 0
    assert queue.state("a") == ("running", ""), "it is still at work"
    may_end.set()
    assert worker.stop(LONG)
    assert queue.num_closed == 1
    assert queue.state("a") is None


def test_a_stopped_worker_leaves_no_connection_and_no_owner(tmp_path: Path, start: Start) -> None:
    path = tmp_path / "jobs.sqlite3"
    queue = SqliteJobQueue(path, 9)
    put(queue, "a")
    worker = start(queue, ScriptedWork())
    assert worker.drain(LONG)
    assert list(tmp_path.glob("*.owner-*"))
    assert worker.stop(LONG)
    # SQLite removes the log when the last connection is closed.
    assert sorted(file.name for file in tmp_path.iterdir()) == ["jobs.sqlite3", "jobs.sqlite3.lock"]


def test_an_idle_worker_sleeps_until_it_is_woken(start: Start) -> None:
    class CountedQueue(MemoryJobQueue):
        num_looks = 0

        def take(self) -> Job | None:
            self.num_looks += 1
            return super().take()

    queue, work = CountedQueue(9), ScriptedWork()
    worker = start(queue, work)
    assert worker.drain(LONG)
    looks = queue.num_looks
    assert looks <= 2, "its own first, and that of drain"
    put(queue, "a")
    worker.wake()
    assert worker.drain(LONG)
    assert work.calls == ["a"]
    assert queue.num_looks <= looks + 3, "the job, then nothing, then for drain"


def test_a_worker_that_never_started_is_not_drained_and_stops_at_once(queue: MemoryJobQueue) -> None:
    worker = BackgroundMeasuring(queue, ScriptedWork(), lambda: True)
    assert not worker.drain(LONG)
    worker.wake()
    assert worker.stop(LONG)


def test_it_starts_once(queue: MemoryJobQueue, start: Start) -> None:
    worker = start(queue, ScriptedWork())
    with pytest.raises(RuntimeError, match="once"):
        worker.start()
