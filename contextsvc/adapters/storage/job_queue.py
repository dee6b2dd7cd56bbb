"""Implement `ports.JobQueue` in an SQLite file that threads and processes may share."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from contextsvc.adapters.storage.owner_locks import Owner
from contextsvc.adapters.storage.sqlite_file import SqliteFile
from contextsvc.errors import SettingError
from contextsvc.ports import Job, JobState

MAX_TRIES = 3
LEASE_SECONDS = 3600.0

# Constraints check these types, because a column of SQLite otherwise accepts every type.
_TYPES = {
    "state": "text", "num_tries": "integer", "owner": "text", "leased_at": "real", "reason": "text",
    "key": "blob", "payload": "blob",
}  # fmt: skip
_SCHEMA = (
    "CREATE TABLE jobs (place INTEGER PRIMARY KEY, "
    + "".join(f"{name} {kind} CHECK (typeof({name}) = '{kind}'), " for name, kind in _TYPES.items())
    + "UNIQUE (key))",
    "CREATE INDEX jobs_by_state ON jobs (state, place)",
)
_Result = TypeVar("_Result")

log = logging.getLogger("contextsvc.background")


class SqliteJobQueue:
    """A `ports.JobQueue` in an SQLite file.

    A job whose owner (the queue object that took the job) is gone, or whose lease expired, waits again at its
    old position. A job that was started MAX_TRIES times without being finished or given back has failed. So a
    job that kills its process cannot do so forever. A failed job keeps the reason for its failure but not its
    payload.

    A damaged or foreign file is moved to NAME.damaged with a warning, and the queue starts empty. While the
    file is locked or the disk is full, `put` returns False and `take` returns None. If a job cannot be marked
    as done, it is started again after its lease. The same trouble is logged only once, until another trouble
    occurs or a call succeeds.

    Create the queue after a fork, not before, because connections do not survive a fork. Thread-safe.

    Args:
        path: The file, created with its folder. Beside it lie NAME.lock and one file NAME.owner-* per user.
        max_jobs: Maximum number of waiting and running jobs together. The same maximum applies to failed
            jobs, of which the oldest are dropped.
        lease_seconds: Time after which a running job is started again, even if its owner is alive.
        clock: Function that returns seconds since a moment that is the same for all processes.

    Raises:
        SettingError: an argument is out of its range, or the file cannot be created. Later failures do not
            raise.
    """

    def __init__(
        self,
        path: Path,
        max_jobs: int,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_jobs < 1 or lease_seconds <= 0:
            raise SettingError(
                f"the job queue has max_jobs {max_jobs} and lease_seconds {lease_seconds}; "
                "expected at least 1 job and more than 0 s"
            )
        self._max_jobs, self._lease_seconds, self._clock = max_jobs, lease_seconds, clock
        self._path, self._owner = path, Owner(path)
        self._file = SqliteFile(path, _SCHEMA, self._owner.enter, log)
        self._lock = threading.Lock()
        self._trouble = ""
        try:
            self._file.connection()
        except (BlockingIOError, sqlite3.Error) as error:
            self._report(error)
        except OSError as error:
            raise SettingError(
                f"the job queue {path} cannot be used: {error}; set CONTEXTSVC_HOME to a folder that can be "
                "written"
            ) from error

    def put(self, key: str, payload: bytes) -> bool:
        """Add a job; see `ports.JobQueue.put`. If the job cannot be written, False is returned.

        Raises:
            TypeError: the payload is not bytes, which is a defect of the caller.
        """
        if not isinstance(payload, bytes):
            raise TypeError(f"the queue holds bytes, found {type(payload).__name__}")
        return self._guarded(lambda: self._put(_key_bytes(key), payload), False)

    def take(self) -> Job | None:
        """Lease the oldest waiting job; see `ports.JobQueue.take`.

        If the file cannot be used, None is returned, as when no job waits.
        """
        return self._guarded(self._take, None)

    def done(self, key: str) -> None:
        """Remove a finished job, whichever owner runs it; see `ports.JobQueue.done`."""
        self._change("DELETE FROM jobs WHERE key = ?", _key_bytes(key))

    def give_back(self, key: str) -> None:
        """Put back a job that this queue took, and do not count the try; see `ports.JobQueue.give_back`."""
        self._change(
            "UPDATE jobs SET state = 'waiting', num_tries = num_tries - 1 "
            "WHERE key = ? AND state = 'running' AND owner = ?",
            _key_bytes(key),
            self._owner.name,
        )

    def fail(self, key: str, reason: str) -> None:
        """Mark a job that this queue took as failed; see `ports.JobQueue.fail`."""
        self._guarded(lambda: self._fail_own(_key_bytes(key), reason), None)

    def state(self, key: str) -> tuple[JobState, str] | None:
        """Return the state of a job; see `ports.JobQueue.state`.

        If the file cannot be read, None is returned, as for an unknown job.
        """
        return self._guarded(lambda: self._state(_key_bytes(key)), None)

    def num_waiting(self) -> int:
        """Return the number of waiting jobs, or 0 if the file cannot be read."""
        query = "SELECT count(*) FROM jobs WHERE state = 'waiting'"
        return self._guarded(lambda: int(self._without_lapsed().execute(query).fetchone()[0]), 0)

    def close(self) -> None:
        """End the connection and the leases; see `ports.JobQueue.close`."""
        with self._lock:
            self._owner.leave()
            self._file.close()

    def _put(self, key: bytes, payload: bytes) -> bool:
        with self._writing() as connection:
            found = connection.execute("SELECT state FROM jobs WHERE key = ?", (key,)).fetchone()
            if found is not None and found[0] != "failed":
                return True
            query = "SELECT count(*) FROM jobs WHERE state IN ('waiting', 'running')"
            if connection.execute(query).fetchone()[0] >= self._max_jobs:
                return False
            connection.execute("DELETE FROM jobs WHERE key = ?", (key,))
            connection.execute(
                "INSERT INTO jobs "
                "SELECT coalesce(max(place), 0) + 1, 'waiting', 0, '', 0.0, '', ?, ? FROM jobs",
                (key, payload),
            )
        return True

    def _state(self, key: bytes) -> tuple[JobState, str] | None:
        found: tuple[JobState, str] | None = (
            self._without_lapsed().execute("SELECT state, reason FROM jobs WHERE key = ?", (key,)).fetchone()
        )
        return found

    def _take(self) -> Job | None:
        columns = "place, key, payload, num_tries"
        oldest = f"SELECT {columns} FROM jobs WHERE state = 'waiting' ORDER BY place LIMIT 1"
        # This first read needs no write lock, so a worker that polls an empty queue does not block writers.
        if self._without_lapsed().execute(oldest).fetchone() is None:
            return None
        with self._writing() as connection:
            found = connection.execute(oldest).fetchone()
            if found is None:
                return None
            place, key, payload, num_tries = found
            connection.execute(
                "UPDATE jobs SET state = 'running', num_tries = ?, owner = ?, leased_at = ? WHERE place = ?",
                (num_tries + 1, self._owner.name, self._clock(), place),
            )
        return Job(key.decode("utf-8", "surrogatepass"), payload, num_tries + 1)

    def _fail_own(self, key: bytes, reason: str) -> None:
        query = "SELECT place FROM jobs WHERE key = ? AND state = 'running' AND owner = ?"
        with self._writing() as connection:
            for (place,) in connection.execute(query, (key, self._owner.name)).fetchall():
                self._fail(connection, place, reason)

    def _fail(self, connection: sqlite3.Connection, place: int, reason: str) -> None:
        # A failed job moves to the last position, so that the jobs that failed first are dropped first.
        connection.execute(
            "UPDATE jobs SET state = 'failed', reason = ?, payload = x'', "
            "place = (SELECT max(place) + 1 FROM jobs) WHERE place = ?",
            (reason.encode("utf-8", "replace").decode(), place),
        )
        connection.execute(
            "DELETE FROM jobs WHERE place IN (SELECT place FROM jobs WHERE state = 'failed' "
            "ORDER BY place DESC LIMIT -1 OFFSET ?)",
            (self._max_jobs,),
        )

    def _change(self, statement: str, *values: object) -> None:
        def run() -> None:
            with self._writing() as connection:
                connection.execute(statement, values)

        self._guarded(run, None)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._file.writing() as connection:
            for place, num_tries in self._lapsed(connection):
                if num_tries >= MAX_TRIES:
                    self._fail(connection, place, f"it was started {num_tries} times and never finished")
                else:
                    connection.execute("UPDATE jobs SET state = 'waiting' WHERE place = ?", (place,))
            yield connection

    def _without_lapsed(self) -> sqlite3.Connection:
        """Put back the jobs with an expired lease or a dead owner, and return a connection for reading."""
        connection = self._file.connection()
        if self._lapsed(connection):
            with self._writing():
                pass
        return connection

    def _lapsed(self, connection: sqlite3.Connection) -> list[tuple[int, int]]:
        """Return the running jobs whose owner is gone or whose lease expired.

        Returns:
            (position in the queue, number of tries) of each such job, in order.
        """
        rows = connection.execute(
            "SELECT place, num_tries, owner, leased_at FROM jobs WHERE state = 'running' ORDER BY place"
        ).fetchall()
        now = self._clock()
        # `abs` is used because a clock that is set back must not extend a lease.
        return [
            (place, num_tries)
            for place, num_tries, owner, leased_at in rows
            if abs(now - leased_at) >= self._lease_seconds or self._owner.is_gone(owner)
        ]

    def _guarded(self, call: Callable[[], _Result], otherwise: _Result) -> _Result:
        with self._lock:
            try:
                found = call()
            except (sqlite3.Error, OSError, ValueError, TypeError) as error:
                # ValueError and TypeError: a file that was damaged while open may hold values of other types.
                self._report(error)
                self._file.recover(error)
                return otherwise
            self._trouble = ""
            return found

    def _report(self, error: Exception) -> None:
        if self._trouble != str(error):
            self._trouble = str(error)
            event = {"event": "queue_trouble", "path": str(self._path), "error": str(error)}
            log.warning(json.dumps(event, sort_keys=True))


def _key_bytes(key: str) -> bytes:
    # Keys are stored as bytes, because SQLite accepts no lone surrogate in a text.
    return key.encode("utf-8", "surrogatepass")
