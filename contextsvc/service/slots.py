"""A bounded number of requests at work, a bounded number waiting, a bounded wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contextsvc.errors import Overloaded

RETRY_SECONDS = 1


class Slots:
    """Slots for costly work.

    Args:
        num_slots: At work at one time.
        max_waiting: Allowed to wait for a slot; one more is refused at once.
        wait_seconds: Longest wait.
    """

    def __init__(self, num_slots: int, max_waiting: int, wait_seconds: float) -> None:
        self._slots = threading.BoundedSemaphore(num_slots)
        self._max_waiting, self._wait_seconds = max_waiting, wait_seconds
        self._num_waiting = self._num_taken = 0
        self._lock = threading.Lock()

    @property
    def idle(self) -> bool:
        """Nobody is at work and nobody waits."""
        with self._lock:
            return self._num_waiting == 0 and self._num_taken == 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Overloaded: too many are waiting (429), or no slot came free in time (503).
        """
        if not self._slots.acquire(blocking=False):
            self._wait()
        with self._lock:
            self._num_taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_taken -= 1
            self._slots.release()

    def _wait(self) -> None:
        with self._lock:
            if self._num_waiting >= self._max_waiting:
                raise Overloaded(waited=False, retry_after_seconds=RETRY_SECONDS)
            self._num_waiting += 1
        try:
            if not self._slots.acquire(timeout=self._wait_seconds):
                raise Overloaded(waited=True, retry_after_seconds=RETRY_SECONDS)
        finally:
            with self._lock:
                self._num_waiting -= 1
