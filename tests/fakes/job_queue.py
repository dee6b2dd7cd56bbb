"""A job queue in memory."""

import threading
from dataclasses import dataclass

from contextsvc.ports import Job, JobState


@dataclass(slots=True)
class Entry:
    """A job with its state."""

    key: str
    payload: bytes
    num_tries: int = 0
    state: JobState = "waiting"
    reason: str = ""


class MemoryJobQueue:
    """A list of jobs by age, failed ones by the time of failure; nothing survives the process."""

    def __init__(self, max_jobs: int) -> None:
        self._max_jobs = max_jobs
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def put(self, key: str, payload: bytes) -> bool:
        """As `JobQueue.put` says."""
        if not isinstance(payload, bytes):
            raise TypeError(f"the queue holds bytes, found {type(payload).__name__}")
        with self._lock:
            known = self._find(key)
            if known is not None and known.state != "failed":
                return True
            if sum(entry.state != "failed" for entry in self._entries) >= self._max_jobs:
                return False
            if known is not None:
                self._entries.remove(known)
            self._entries.append(Entry(key, payload))
            return True

    def take(self) -> Job | None:
        """As `JobQueue.take` says."""
        with self._lock:
            for entry in self._entries:
                if entry.state == "waiting":
                    entry.state = "running"
                    entry.num_tries += 1
                    return Job(entry.key, entry.payload, entry.num_tries)
            return None

    def done(self, key: str) -> None:
        """As `JobQueue.done` says."""
        with self._lock:
            self._entries = [entry for entry in self._entries if entry.key != key]

    def give_back(self, key: str) -> None:
        """As `JobQueue.give_back` says."""
        with self._lock:
            entry = self._find(key)
            if entry is not None and entry.state == "running":
                entry.state = "waiting"
                entry.num_tries -= 1

    def fail(self, key: str, reason: str) -> None:
        """As `JobQueue.fail` says."""
        with self._lock:
            entry = self._find(key)
            if entry is None or entry.state != "running":
                return
            entry.state, entry.reason = "failed", reason
            self._entries.remove(entry)
            self._entries.append(entry)
            failed = [each for each in self._entries if each.state == "failed"]
            for oldest in failed[: -self._max_jobs]:
                self._entries.remove(oldest)

    def state(self, key: str) -> tuple[JobState, str] | None:
        """As `JobQueue.state` says."""
        with self._lock:
            entry = self._find(key)
            return None if entry is None else (entry.state, entry.reason)

    def num_waiting(self) -> int:
        """As `JobQueue.num_waiting` says."""
        with self._lock:
            return sum(entry.state == "waiting" for entry in self._entries)

    def close(self) -> None:
        """As `JobQueue.close` says."""
        with self._lock:
            for entry in self._entries:
                if entry.state == "running":
                    entry.state = "waiting"

    def _find(self, key: str) -> Entry | None:
        return next((entry for entry in self._entries if entry.key == key), None)
