"""Asking a machine that may fail: bounded retries (tenacity) and a circuit breaker.

The breaker is our own: pybreaker (1.4) holds one lock through every call, which would queue the callers
of a slow server, and reads the wall clock, which tests cannot turn.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from contextsvc.errors import MissingExtra, ReaderFault

T = TypeVar("T")


class Transient(ReaderFault):
    """A try that failed in a way the next may not.

    Attributes:
        status: HTTP status, 0 where none came.
        wait_seconds: How long the other side asked to wait; None: it did not say.
    """

    def __init__(self, reason: str, status: int = 0, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.wait_seconds = wait_seconds


class GaveUp(ReaderFault):
    """Every try failed; `status` is the last one's, 0 where none came."""

    def __init__(self, last: Transient, num_tries: int) -> None:
        super().__init__(f"{last}; gave up after {num_tries} {'try' if num_tries == 1 else 'tries'}")
        self.status = last.status


class OutOfTime(ReaderFault):
    """The caller's time ran out before an answer came; no fault of the other side."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try and how long to wait in between.

    Attributes:
        max_tries: At least 1.
        first_wait_seconds: Upper end of the first wait; it doubles with every try.
        longest_wait_seconds: No wait is longer, even where the other side asks for more.
    """

    max_tries: int = 4
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 20.0


def with_retries(
    attempt: Callable[[], T],
    patience: Patience,
    seconds_left: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `attempt` returns, tried again while it raises `Transient`; anything else passes through.

    Waits are what the other side asked for, else drawn evenly between 0 and an upper end that doubles
    (full jitter), so that many callers do not come back at one moment.

    Args:
        attempt: Called at least once.
        patience: Number of tries and length of waits.
        seconds_left: Time the caller still has; infinite where there is no limit.
        sleep: Waits that many seconds.

    Raises:
        GaveUp: every try failed.
        OutOfTime: the next wait would outlast the caller's time; it is not begun.
        MissingExtra: tenacity is not installed.

    Source: Brooker, 2015. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    try:
        import tenacity
    except ImportError as error:
        raise MissingExtra("retrying", "endpoint") from error
    longest = patience.longest_wait_seconds
    backoff = tenacity.wait_random_exponential(multiplier=patience.first_wait_seconds, max=longest)

    def wait(state: tenacity.RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.wait_seconds if isinstance(failure, Transient) else None
        return backoff(state) if asked is None else min(asked, longest)

    def pause(seconds: float) -> None:
        left = seconds_left()
        if seconds >= left:
            raise OutOfTime(f"{max(left, 0):.1f} s were left, the next try was due in {seconds:.1f} s")
        sleep(seconds)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(patience.max_tries),
        wait=wait,
        retry=tenacity.retry_if_exception_type(Transient),
        sleep=pause,
        reraise=True,
    )
    try:
        return retrying(attempt)
    except Transient as last:
        raise GaveUp(last, patience.max_tries) from last


class CircuitBreaker:
    """Refuses calls at once after several failed in a row, so that nobody waits for what is down.

    Closed: calls pass. After `max_failures` failures in a row it is open: calls are refused. After
    `open_seconds` it is half open: one call passes on trial; if it succeeds the breaker is closed, if it
    fails it is open again.

    Several threads may use one breaker.

    Source: Nygard, Release It!, 2nd edition, 2018, chapter 5.
    """

    def __init__(
        self,
        what: str,
        max_failures: int = 5,
        open_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._max_failures, self._open_seconds = max_failures, open_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._num_failures = 0
        self._opens_at = 0.0
        self._on_trial = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call: an exception is a failure, but for `OutOfTime`, which says nothing of it.

        Raises:
            ReaderFault: the breaker is open, or half open with its one call under way.
        """
        on_trial = self._enter()
        try:
            yield
        except OutOfTime:
            self._leave(on_trial, failed=None)
            raise
        except Exception:
            self._leave(on_trial, failed=True)
            raise
        except BaseException:  # interrupted: nothing is known
            self._leave(on_trial, failed=None)
            raise
        self._leave(on_trial, failed=False)

    def _enter(self) -> bool:
        """True if the call is on trial."""
        with self._lock:
            if self._num_failures < self._max_failures:
                return False
            left = self._opens_at - self._clock()
            if left > 0 or self._on_trial:
                when = f"in {math.ceil(left)} s" if left > 0 else "when the call on trial is back"
                raise ReaderFault(
                    f"{self._what} failed {self._num_failures} calls in a row and is not asked now; "
                    f"the next call passes {when}"
                )
            self._on_trial = True
            return True

    def _leave(self, on_trial: bool, failed: bool | None) -> None:
        with self._lock:
            if on_trial:
                self._on_trial = False
            if failed is False:
                self._num_failures = 0
            elif failed:
                self._num_failures += 1
                self._opens_at = self._clock() + self._open_seconds
