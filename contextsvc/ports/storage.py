"""Keeping work and results: a queue of jobs, and a cache."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """Work that waits; `num_tries` counts how often it was taken, this time included."""

    key: str
    payload: bytes
    num_tries: int


JobState = Literal["waiting", "running", "failed"]


class JobQueue(Protocol):
    """Work to be done later, oldest first, kept over a restart; it never raises."""

    def put(self, key: str, payload: bytes) -> bool:
        """Keep a job; True if it is kept now, False if the queue is full.

        A key that waits or runs is kept once, with its first payload; a failed one is tried anew.
        """
        ...

    def take(self) -> Job | None:
        """The oldest waiting job, now leased to this process, or None."""
        ...

    def done(self, key: str) -> None:
        """Forget a job; unknown keys are fine."""
        ...

    def give_back(self, key: str) -> None:
        """Put a running job back at its old place."""
        ...

    def fail(self, key: str, reason: str) -> None:
        """Keep the reason; the job is not taken again until it is put again."""
        ...

    def state(self, key: str) -> tuple[JobState, str] | None:
        """State and, of a failed job, the reason; None if unknown."""
        ...

    def num_waiting(self) -> int:
        """Jobs that wait."""
        ...

    def close(self) -> None:
        """Let go of the files and of the jobs that were taken; a later call opens it again."""
        ...


class Cache(Protocol):
    """Bytes by key. A slow or broken cache is a miss, never an error."""

    def get(self, key: str) -> bytes | None:
        """The value last put under the key, or None."""
        ...

    def put(self, key: str, value: bytes, tag: str = "") -> None:
        """Keep the value if possible; it may be evicted at any time. `drop` removes all values of a tag."""
        ...

    def drop(self, tag: str) -> bool:
        """Remove every value of a tag; False if the cache is slow or broken and some may still be there."""
        ...
