"""Storage ports: a job queue and a cache."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """Work from a queue.

    Attributes:
        key: Unique in the queue.
        payload: The work, as bytes that the queue does not read.
        num_tries: How often it was taken, this time included.
    """

    key: str
    payload: bytes
    num_tries: int


JobState = Literal["waiting", "running", "failed"]


class JobQueue(Protocol):
    """A queue of work, oldest first, that survives a restart. Its methods never raise."""

    def put(self, key: str, payload: bytes) -> bool:
        """Add a job; True if the queue holds it now, False if the queue is full.

        If a job of that key waits or runs, it stays as it is. If one failed, the new one replaces it.
        """
        ...

    def take(self) -> Job | None:
        """Take the oldest waiting job, which is leased to this process; None if no job waits."""
        ...

    def done(self, key: str) -> None:
        """Remove a finished job; an unknown key is no error."""
        ...

    def give_back(self, key: str) -> None:
        """Return a running job to its old place in the queue."""
        ...

    def fail(self, key: str, reason: str) -> None:
        """Mark a running job as failed and keep the reason; it is not taken again until it is put again."""
        ...

    def state(self, key: str) -> tuple[JobState, str] | None:
        """State of a job, and the reason if it failed; None for an unknown key."""
        ...

    def num_waiting(self) -> int:
        """Number of waiting jobs."""
        ...

    def close(self) -> None:
        """Release the files and the taken jobs; a later call opens the queue again."""
        ...


class Cache(Protocol):
    """A cache of bytes by key. A slow or broken cache counts as a miss, never as an error."""

    def get(self, key: str) -> bytes | None:
        """The value that was put last under the key; None if there is none."""
        ...

    def put(self, key: str, value: bytes, tag: str = "") -> None:
        """Store the value if possible; it may be evicted at any time. `drop` removes all values of a tag."""
        ...

    def drop(self, tag: str) -> bool:
        """Remove every value of a tag; False if the cache is slow or broken and some may still be there."""
        ...
