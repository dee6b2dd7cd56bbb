import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.adapters.storage.job_queue import SqliteJobQueue
from contextsvc.errors import Overloaded, ReaderFault, UnknownPack
from contextsvc.ports import Job, JobQueue
from contextsvc.service.background import BackgroundMeasuring
from tests.fakes.job_queue import MemoryJobQueue
from tests.fakes.work import LONG, ScriptedWork, put

Work = Callable[[bytes], None]
MayRun = Callable[[], bool]
Start = Callable[..., BackgroundMeasuring]


@pytest.fixture
def queue() -> MemoryJobQueue:
    return MemoryJobQueue(100)


@pytest.fixture
def start(queue: MemoryJobQueue) -> Iterator[Start]:
    """Starts a worker that neither polls nor pauses for long."""
    made: list[BackgroundMeasuring] = []

    def run(
        work: Work, may_run: MayRun = lambda: True, jobs: JobQueue = queue, pause_seconds: float = 0
    ) -> BackgroundMeasuring:
        made.append(BackgroundMeasuring(jobs, work, may_run, poll_seconds=0.01, pause_seconds=pause_seconds))
        made[-1].start()
        return made[-1]

    yield run
    for worker in made:
        assert worker.stop(LONG)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    found = [record.message for record in caplog.records if record.name == "contextsvc.background"]
    assert not any("\n" in line for line in found)
    return [json.loads(line) for line in found]


def test_jobs_are_done_in_order_and_forgotten(queue: MemoryJobQueue, start: Start) -> None:
    put(queue, "c", "a")
    work = ScriptedWork()
    worker = start(work)
    assert worker.drain(LONG)
    put(queue, "b")
    worker.wake()
    assert worker.drain(LONG)
    assert work.calls == ["c", "a", "b"]
    assert [queue.state(name) for name in "abc"] == [None, None, None]


def test_nothing_is_taken_while_a_request_waits_or_runs(queue: MemoryJobQueue, start: Start) -> None:
    put(queue, "a")
    asked, is_idle = threading.Semaphore(0), threading.Event()

    def may_run() -> bool:
        asked.release()
        return is_idle.is_set()

    work = ScriptedWork()
    worker = start(work, may_run)
    for _ in range(3):
        assert asked.acquire(timeout=LONG)
    assert not worker.drain(0.05)
    assert work.calls == []
    assert queue.state("a") == ("waiting", "")
    is_idle.set()
    assert worker.drain(LONG)
    assert work.calls == ["a"]


def test_an_overloaded_job_is_given_back_and_done_later(
    queue: MemoryJobQueue, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    put(queue, "a", "b")
    work = ScriptedWork(a=[Overloaded(waited=False, retry_after_seconds=0) for _ in range(5)])
    assert start(work).drain(LONG)
    assert work.calls == [*"aaaaaa", "b"]
    assert lines(caplog) == [], "to give way is no failure"


def test_a_refusal_fails_a_job_at_once_with_its_message(
    queue: MemoryJobQueue, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    put(queue, "a", "b")
    work = ScriptedWork(a=[UnknownPack("p1")])
    assert start(work).drain(LONG)
    assert work.calls == ["a", "b"]
    assert queue.state("a") == ("failed", str(UnknownPack("p1")))
    expected = {"event": "job_failed", "job": "a", "num_tries": 1, "type": "UnknownPack"}
    assert lines(caplog) == [{**expected, "error": str(UnknownPack("p1"))}]


def test_a_fault_is_tried_again_twice(
    queue: MemoryJobQueue, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    put(queue, "a", "b", "c")
    work = ScriptedWork(
        a=[ReaderFault("gone")] * 2, b=[ReaderFault("gone"), ReaderFault("no"), ReaderFault("off")]
    )
    assert start(work).drain(LONG)
    assert work.calls == [*"aaa", *"bbb", "c"]
    assert queue.state("a") is None
    assert queue.state("b") == (
        "failed",
        f"it failed 3 times, the last time: {ReaderFault('off').public_text}",
    )
    events = [(line["event"], line["job"], line["error"]) for line in lines(caplog)]
    assert events == [
        ("job_tried", "a", "gone"), ("job_tried", "a", "gone"),
        ("job_tried", "b", "gone"), ("job_tried", "b", "no"), ("job_failed", "b", "off"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [ValueError, MemoryError, SystemExit, KeyboardInterrupt])
def test_nothing_ends_the_thread_and_what_is_unforeseen_is_for_the_log_alone(
    queue: MemoryJobQueue, start: Start, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    put(queue, "a", "b")
    work = ScriptedWork(a=[kind("secret\nof the house")] * 3)
    assert start(work).drain(LONG)
    assert work.calls == [*"aaa", "b"]
    state = queue.state("a")
    assert state is not None
    assert state[0] == "failed"
    assert "secret" not in state[1]
    assert "see the service's log" in state[1]
    for line in lines(caplog):
        assert line["error"] == "secret\nof the house"
        assert kind.__name__ in str(line["traceback"])


class BrokenQueue(MemoryJobQueue):
    """A queue that raises, as none should."""

    def __init__(self) -> None:
        super().__init__(100)
        self.raised: list[str] = []

    def _break(self, what: str) -> None:
        if what not in self.raised:
            self.raised.append(what)
            raise ValueError(what)

    def take(self) -> Job | None:
        self._break("take")
        return super().take()

    def done(self, key: str) -> None:
        self._break("done")
        super().done(key)


def test_a_broken_queue_or_question_does_not_end_it(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    queue = BrokenQueue()
    put(queue, "a", "b")
    answers = iter([ValueError("may_run")])

    def may_run() -> bool:
        for error in answers:
            raise error
        return True

    work = ScriptedWork()
    assert start(work, may_run, queue).drain(LONG)
    assert work.calls == ["a", "b"]
    assert [line["error"] for line in lines(caplog)] == ["may_run", "take", "done"]
    assert queue.state("a") == ("running", ""), "its lease will end"
    assert queue.state("b") is None


OUTCOMES = st.lists(st.sampled_from(["busy", "refused", "fault"]), max_size=6)


@settings(max_examples=30, deadline=None)
@given(st.lists(OUTCOMES, max_size=4))
def test_every_job_ends_done_or_failed_after_as_many_calls_as_the_rules_say(jobs: list[list[str]]) -> None:
    make: dict[str, Callable[[], BaseException]] = {
        "busy": lambda: Overloaded(waited=True, retry_after_seconds=0),
        "refused": lambda: UnknownPack("p"),
        "fault": lambda: ReaderFault("gone"),
    }
    queue = MemoryJobQueue(9)
    work = ScriptedWork(**{str(n): [make[name]() for name in names] for n, names in enumerate(jobs)})
    put(queue, *map(str, range(len(jobs))))
    worker = BackgroundMeasuring(queue, work, lambda: True, poll_seconds=0.001, pause_seconds=0)
    worker.start()
    assert worker.drain(LONG)
    assert worker.stop(LONG)
    expected = []
    for number, names in enumerate(jobs):
        num_calls, is_done = followed(names)
        expected += [str(number)] * num_calls
        state = queue.state(str(number))
        assert (state is None) == is_done
    assert work.calls == expected


def followed(names: list[str]) -> tuple[int, bool]:
    """(number of calls, whether the job is done), by the rules."""
    num_faults = 0
    for number, name in enumerate(names, start=1):
        num_faults += name == "fault"
        if name == "refused" or num_faults == 3:
            return number, False
    return len(names) + 1, True


def test_a_job_whose_worker_was_killed_is_done_by_the_next(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path;"
        "from contextsvc.service.background import BackgroundMeasuring;"
        "from contextsvc.adapters.storage.job_queue import SqliteJobQueue;"
        "queue = SqliteJobQueue(Path(sys.argv[1]), 9); queue.put('a', b'a'); queue.put('b', b'b');"
        "work = lambda payload: (print(payload.decode(), flush=True), time.sleep(600));"
        "BackgroundMeasuring(queue, work, lambda: True).start(); time.sleep(600)"
    )
    path = tmp_path / "jobs.sqlite3"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "a\n"
        process.send_signal(signal.SIGKILL)
    queue, work = SqliteJobQueue(path, 9), ScriptedWork()
    worker = BackgroundMeasuring(queue, work, lambda: True)
    worker.start()
    assert worker.drain(LONG)
    assert worker.stop(LONG)
    assert work.calls == ["a", "b"]
    assert queue.num_waiting() == 0
    queue.close()
