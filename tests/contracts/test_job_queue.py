"""The contract of every JobQueue."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contextsvc.adapters.storage.job_queue import SqliteJobQueue
from contextsvc.ports import Job, JobQueue
from tests.fakes.job_queue import MemoryJobQueue

Build = Callable[[int], JobQueue]


@pytest.fixture(params=["memory", "sqlite"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Build]:
    """A function that makes a queue for a number of jobs."""
    made: list[SqliteJobQueue] = []

    def run(max_jobs: int) -> JobQueue:
        if request.param == "memory":
            return MemoryJobQueue(max_jobs)
        made.append(SqliteJobQueue(tmp_path / "jobs.sqlite3", max_jobs))
        return made[-1]

    yield run
    for queue in made:
        queue.close()


def test_the_oldest_is_taken_first_and_once(build: Build) -> None:
    queue = build(9)
    assert queue.take() is None
    assert [queue.put(key, key.encode()) for key in "cab"] == [True, True, True]
    assert queue.num_waiting() == 3
    assert queue.take() == Job("c", b"c", 1)
    assert queue.state("c") == ("running", "")
    assert queue.state("a") == ("waiting", "")
    assert queue.num_waiting() == 2
    assert [queue.take(), queue.take(), queue.take()] == [Job("a", b"a", 1), Job("b", b"b", 1), None]
    assert queue.num_waiting() == 0


def test_a_finished_job_is_removed(build: Build) -> None:
    queue = build(9)
    queue.put("a", b"1")
    queue.put("b", b"2")
    queue.take()
    queue.done("a")
    queue.done("unknown")
    assert queue.state("a") is None
    assert queue.take() == Job("b", b"2", 1)
    queue.put("a", b"3")
    assert queue.take() == Job("a", b"3", 1)


def test_a_job_that_waits_or_runs_is_kept_once_as_it_was_put_first(build: Build) -> None:
    queue = build(2)
    queue.put("a", b"first")
    assert queue.put("a", b"second")
    assert queue.num_waiting() == 1
    assert queue.take() == Job("a", b"first", 1)
    assert queue.put("a", b"third")
    assert queue.take() is None
    assert queue.put("b", b"")
    assert queue.put("a", b"fourth"), "a full queue still holds what it holds"


def test_waiting_and_running_jobs_are_bounded_together(build: Build) -> None:
    queue = build(2)
    queue.put("a", b"")
    queue.take()
    queue.put("b", b"")
    assert not queue.put("c", b"")
    assert queue.state("c") is None
    queue.done("a")
    assert queue.put("c", b"")
    assert not queue.put("d", b"")


def test_a_job_given_back_keeps_its_place_and_its_tries(build: Build) -> None:
    queue = build(9)
    for key in "abc":
        queue.put(key, b"")
    queue.take()
    queue.take()
    queue.give_back("b")
    queue.give_back("a")
    assert queue.num_waiting() == 3
    assert [queue.take(), queue.take(), queue.take()] == [
        Job("a", b"", 1),
        Job("b", b"", 1),
        Job("c", b"", 1),
    ]


def test_a_failed_job_is_not_taken_until_it_is_put_again(build: Build) -> None:
    queue = build(2)
    queue.put("a", b"old")
    queue.take()
    queue.fail("a", "the pack is gone \ud800")
    state = queue.state("a")
    assert state is not None
    assert state[0] == "failed"
    assert state[1].startswith("the pack is gone")
    assert queue.take() is None
    assert queue.num_waiting() == 0
    assert queue.put("b", b"")
    assert queue.put("a", b"new"), "a failed job takes up no room"
    assert queue.state("a") == ("waiting", "")
    assert [queue.take(), queue.take()] == [Job("b", b"", 1), Job("a", b"new", 1)]


def test_a_failed_job_stays_failed_when_the_queue_is_full(build: Build) -> None:
    queue = build(1)
    queue.put("a", b"")
    queue.take()
    queue.fail("a", "why")
    queue.put("b", b"")
    assert not queue.put("a", b"")
    assert queue.state("a") == ("failed", "why")


def test_the_oldest_failed_jobs_are_removed_first(build: Build) -> None:
    queue = build(2)
    for key in "ab":
        queue.put(key, b"")
        queue.take()
    queue.fail("b", "1")
    queue.fail("a", "2")
    queue.put("c", b"")
    queue.take()
    queue.fail("c", "3")
    assert queue.state("b") is None
    assert queue.state("a") == ("failed", "2")
    assert queue.state("c") == ("failed", "3")


def test_only_a_running_job_is_given_back_or_fails(build: Build) -> None:
    queue = build(9)
    queue.put("a", b"")
    for key in ("a", "unknown"):
        queue.give_back(key)
        queue.fail(key, "no")
    assert queue.state("a") == ("waiting", "")
    assert queue.state("unknown") is None
    assert queue.take() == Job("a", b"", 1)
    queue.fail("a", "why")
    queue.give_back("a")
    assert queue.state("a") == ("failed", "why")
    queue.done("a")
    assert queue.state("a") is None


def test_a_closed_queue_lets_its_jobs_go_and_opens_again(build: Build) -> None:
    queue = build(9)
    queue.put("a", b"1")
    queue.put("b", b"2")
    queue.take()
    queue.close()
    queue.close()
    assert queue.state("a") == ("waiting", "")
    assert queue.num_waiting() == 2
    assert [queue.take(), queue.take(), queue.take()] == [Job("a", b"1", 2), Job("b", b"2", 1), None]


def test_any_text_is_a_key_and_any_bytes_a_payload(build: Build) -> None:
    queue = build(9)
    jobs = [("", b""), ("ü", b"\x00\xff"), ("a\x00b", b"x" * 100_000), ("\ud800", b"1"), ("a'; --", b"2")]
    for key, payload in jobs:
        assert queue.put(key, payload)
    for key, payload in jobs:
        assert queue.take() == Job(key, payload, 1)
        queue.done(key)
        assert queue.state(key) is None


def test_only_bytes_are_kept(build: Build) -> None:
    queue = build(9)
    with pytest.raises(TypeError, match="bytes"):
        queue.put("a", "text")  # type: ignore[arg-type]
    assert queue.num_waiting() == 0


def test_threads_share_it(build: Build) -> None:
    queue = build(40)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda number: queue.put(str(number), b""), range(40)))
        taken = list(pool.map(lambda _: queue.take(), range(40)))
    assert {job.key for job in taken if job is not None} == {str(number) for number in range(40)}


KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
MAX_JOBS = 3


class QueueMachine(RuleBasedStateMachine):
    """Any calls in any order give what two plain lists give: those to do, and those that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = self.make()
        self.jobs: list[tuple[str, bytes]] = []  # waiting or running, oldest first
        self.running: set[str] = set()
        self.failed: list[tuple[str, str]] = []

    def make(self) -> JobQueue:
        """The queue under test."""
        return MemoryJobQueue(MAX_JOBS)

    @rule(key=KEYS, payload=st.binary(max_size=2))
    def put(self, key: str, payload: bytes) -> None:
        known = key in dict(self.jobs)
        fits = known or len(self.jobs) < MAX_JOBS
        assert self.queue.put(key, payload) is fits
        if fits and not known:
            self.jobs.append((key, payload))
            self.failed = [entry for entry in self.failed if entry[0] != key]

    @rule()
    def take(self) -> None:
        waiting = [job for job in self.jobs if job[0] not in self.running]
        expected = Job(*waiting[0], num_tries=1) if waiting else None
        assert self.queue.take() == expected
        if expected is not None:
            self.running.add(expected.key)

    @rule(key=KEYS)
    def done(self, key: str) -> None:
        self.queue.done(key)
        self._leave(key)
        self.failed = [entry for entry in self.failed if entry[0] != key]

    @rule(key=KEYS)
    def give_back(self, key: str) -> None:
        self.queue.give_back(key)
        self.running.discard(key)

    @rule(key=KEYS, reason=st.text(st.characters(codec="utf-8"), max_size=2))
    def fail(self, key: str, reason: str) -> None:
        self.queue.fail(key, reason)
        if key in self.running:
            self._leave(key)
            self.failed = [*self.failed, (key, reason)][-MAX_JOBS:]

    @invariant()
    def states_agree(self) -> None:
        for key in "abcde":
            expected: tuple[str, str] | None = None
            if key in dict(self.jobs):
                expected = ("running" if key in self.running else "waiting", "")
            elif key in dict(self.failed):
                expected = ("failed", dict(self.failed)[key])
            assert self.queue.state(key) == expected
        assert self.queue.num_waiting() == len(self.jobs) - len(self.running)

    def _leave(self, key: str) -> None:
        self.jobs = [job for job in self.jobs if job[0] != key]
        self.running.discard(key)


class SqliteQueueMachine(QueueMachine):
    """The same in a file, with restarts."""

    def make(self) -> JobQueue:
        self.folder = TemporaryDirectory()
        self.file = Path(self.folder.name) / "jobs.sqlite3"
        return SqliteJobQueue(self.file, MAX_JOBS)

    @rule()
    def restart(self) -> None:
        # What runs is given back first: a restart counts as a try, which is tested with the adapter.
        for key in self.running:
            self.queue.give_back(key)
        self.running.clear()
        assert isinstance(self.queue, SqliteJobQueue)
        self.queue.close()
        self.queue = SqliteJobQueue(self.file, MAX_JOBS)

    def teardown(self) -> None:
        assert isinstance(self.queue, SqliteJobQueue)
        self.queue.close()
        self.folder.cleanup()


TestAnyCallsInMemory = QueueMachine.TestCase
TestAnyCallsInMemory.settings = settings(max_examples=50, deadline=None)
TestAnyCallsInAFile = SqliteQueueMachine.TestCase
TestAnyCallsInAFile.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
