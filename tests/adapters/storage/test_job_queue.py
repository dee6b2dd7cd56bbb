import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contextsvc.adapters.storage.job_queue import SqliteJobQueue
from contextsvc.ports import Job

Open = Callable[[], SqliteJobQueue]
IMPORTS = (
    "import sys, time; from pathlib import Path; "
    "from contextsvc.adapters.storage.job_queue import SqliteJobQueue; "
)


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue" / "jobs.sqlite3"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_queue(path: Path, clock: Clock) -> Iterator[Open]:
    """Another queue on the same file each time, leased for 100 s of the clock: another process to SQLite."""
    made: list[SqliteJobQueue] = []

    def run() -> SqliteJobQueue:
        made.append(SqliteJobQueue(path, 1000, lease_seconds=100, clock=clock))
        return made[-1]

    yield run
    for queue in made:
        queue.close()


def run_and_kill(path: Path, code: str) -> str:
    """What the process wrote before it was killed, as `kill -9` would."""
    code = f"{IMPORTS} queue = SqliteJobQueue(Path(sys.argv[1]), 1000); {code}; time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    return line


def test_a_job_whose_process_was_killed_is_taken_again_at_once(path: Path, open_queue: Open) -> None:
    queue = open_queue()
    queue.put("a", b"1")
    queue.put("b", b"2")
    assert run_and_kill(path, "print(queue.take().key, flush=True)") == "a\n"
    assert queue.state("a") == ("waiting", "")
    assert queue.take() == Job("a", b"1", 2)


def test_a_job_that_was_accepted_survives_the_kill(path: Path, open_queue: Open) -> None:
    assert run_and_kill(path, "print(queue.put('a', b'1'), flush=True)") == "True\n"
    assert open_queue().take() == Job("a", b"1", 1)


def test_jobs_wait_and_failures_are_known_after_a_restart(open_queue: Open) -> None:
    queue = open_queue()
    for key in "abc":
        queue.put(key, key.encode())
    queue.take()
    queue.fail("a", "why")
    queue.close()
    queue = open_queue()
    assert queue.state("a") == ("failed", "why")
    assert [queue.take(), queue.take(), queue.take()] == [Job("b", b"b", 1), Job("c", b"c", 1), None]


def test_two_processes_lose_and_double_nothing(path: Path) -> None:
    code = IMPORTS + (
        "queue = SqliteJobQueue(Path(sys.argv[1]), 1000)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for number in range(50):\n"
        "    while not queue.put(f'{sys.argv[2]}{number}', b''): pass\n"
        "while job := queue.take():\n"
        "    print(job.key)\n"
        "    queue.done(job.key)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, text=True) for name in "xy"]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:  # so that they overlap
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = "".join(process.communicate(timeout=60)[0] for process in both).split()
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(taken) == sorted(f"{name}{number}" for name in "xy" for number in range(50))


def test_a_job_of_a_living_owner_is_left_to_it_until_its_lease_is_over(
    open_queue: Open, clock: Clock
) -> None:
    first, second = open_queue(), open_queue()
    first.put("a", b"1")
    first.take()
    clock.now += 99.9
    assert second.take() is None
    assert second.state("a") == ("running", "")
    clock.now += 0.1
    assert second.num_waiting() == 1
    assert second.take() == Job("a", b"1", 2)
    # The first is late: what it says of the job no longer counts, but that it is done.
    first.give_back("a")
    first.fail("a", "no")
    assert second.state("a") == ("running", "")
    first.done("a")
    assert second.state("a") is None


def test_a_clock_that_was_set_back_ends_a_lease(open_queue: Open, clock: Clock) -> None:
    first, second = open_queue(), open_queue()
    first.put("a", b"")
    first.take()
    clock.now -= 99.9
    assert second.take() is None
    clock.now -= 0.1
    assert second.take() == Job("a", b"", 2)


def test_a_closed_queue_leaves_its_jobs_at_once(open_queue: Open) -> None:
    first, second = open_queue(), open_queue()
    first.put("a", b"")
    first.take()
    first.close()
    assert second.take() == Job("a", b"", 2)
    assert first.put("b", b""), "a closed queue opens again"


def test_a_job_that_was_begun_three_times_has_failed(open_queue: Open) -> None:
    queue = open_queue()
    queue.put("a", b"deadly")
    queue.put("b", b"")
    for num_tries in (1, 2, 3):
        assert queue.take() == Job("a", b"deadly", num_tries)
        queue.close()
        queue = open_queue()
    assert queue.state("a") == ("failed", "it was started 3 times and never finished")
    assert queue.take() == Job("b", b"", 1)
    assert queue.put("a", b"mended")
    assert queue.take() == Job("a", b"mended", 1)


def test_the_payload_of_a_failed_job_is_not_kept(path: Path, open_queue: Open) -> None:
    queue = open_queue()
    queue.put("a", b"what a user wrote")
    queue.take()
    queue.fail("a", "why")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT payload FROM jobs").fetchall() == [(b"",)]
    connection.close()


def test_files_of_dead_owners_are_tidied(path: Path, open_queue: Open) -> None:
    run_and_kill(path, "print(flush=True)")
    assert len(list(path.parent.glob("*.owner-*"))) == 1
    queue = open_queue()
    assert len(list(path.parent.glob("*.owner-*"))) == 1
    queue.close()
    assert list(path.parent.glob("*.owner-*")) == []


@pytest.mark.parametrize("name", ["/../../secret", "", "x" * 32, "\x00"])
def test_an_owner_of_another_form_is_gone_and_leads_to_no_file(
    path: Path, open_queue: Open, name: str
) -> None:
    queue = open_queue()
    queue.put("a", b"")
    queue.take()
    (path.parent / "jobs.sqlite3.owner-").mkdir()
    secret = path.parent.parent / "secret"
    secret.touch()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE jobs SET owner = ?", (name,))
    connection.close()
    assert queue.take() == Job("a", b"", 2)
    assert secret.exists()
