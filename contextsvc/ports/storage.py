"""Storage ports: a queue of jobs and a cache."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was taken from a queue.

    Attributes:
        key: Key of the job, unique in the queue.
        payload: Description of the job's work, as bytes that the queue does not read.
        num_tries: How often the job was taken from the queue, this time included.
    """

    key: str
    payload: bytes
    num_tries: int


JobState = Literal["waiting", "running", "failed"]


class JobQueue(Protocol):
    """A queue of jobs that survives a restart. The oldest job is taken first. The methods never raise."""

    def put(self, key: str, payload: bytes) -> bool:
        """Add a job to the queue.

        If a job with this key waits or runs, that job stays as it is and the new job is not added. If a job
        with this key failed, the new job replaces it.

        Returns:
            True if the queue now holds a job with this key, False if the queue is full.
        """
        ...

    def take(self) -> Job | None:
        """Take the oldest waiting job and lease it to this process. Return None if no job waits."""
        ...

    def done(self, key: str) -> None:
        """Remove a finished job from the queue. An unknown key is not an error."""
        ...

    def give_back(self, key: str) -> None:
        """Put a running job back into the queue, at its old position."""
        ...

    def fail(self, key: str, reason: str) -> None:
        """Mark a running job as failed and store the reason. It runs again only after `put` adds it again."""
        ...

    def state(self, key: str) -> tuple[JobState, str] | None:
        """Return the state of a job, and the reason if the job failed. Return None for an unknown key."""
        ...

    def num_waiting(self) -> int:
        """Return the number of waiting jobs."""
        ...

    def close(self) -> None:
        """Close the files and release the jobs that were taken. A later call opens the queue again."""
        ...


class Cache(Protocol):
    """A cache of bytes by key. If the cache is slow or broken, a lookup is a miss and never an error."""

    def get(self, key: str) -> bytes | None:
        """Return the value that was put last under the key, or None if the cache holds no value."""
        ...

    def put(self, key: str, value: bytes, tag: str = "") -> None:
        """Store a value if possible. The cache may evict the value at any time.

        Args:
            key: Key of the value.
            value: The bytes to store.
            tag: Name of a group of values, which `drop` removes together.
        """
        ...

    def drop(self, tag: str) -> bool:
        """Remove every value that has this tag. Return False if a slow or broken cache may keep some."""
        ...
