"""Calls to a server that may fail: retries with the library tenacity, and a circuit breaker.

Rejected: pybreaker 1.4. It holds one lock during every call, so the callers of a slow server would wait for
each other. It also reads the wall clock, which a test cannot set.
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


class TransientFault(ReaderFault):
    """A failure that may not occur again in a retry.

    Attributes:
        status: HTTP status; 0 if there was no reply.
        wait_seconds: Wait that the server requested (Retry-After); None if it requested none.
    """

    def __init__(self, reason: str, status: int = 0, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.wait_seconds = wait_seconds


class RetriesExhausted(ReaderFault):
    """Error for the case that every try failed.

    Attributes:
        status: HTTP status of the last try; 0 if there was no reply.
    """

    def __init__(self, last: TransientFault, num_tries: int) -> None:
        super().__init__(f"{last}; gave up after {num_tries} {'try' if num_tries == 1 else 'tries'}")
        self.status = last.status


class DeadlineExceeded(ReaderFault):
    """Error for the case that the caller's deadline passed before a reply came.

    This error says nothing about the state of the server.
    """


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Number of tries and the waits between them.

    Attributes:
        max_tries: Maximum number of tries, the first included; at least 1.
        first_wait_seconds: Upper bound of the first wait. The bound doubles with every try.
        longest_wait_seconds: Upper bound of every wait, also of a wait that the server requests.
    """

    max_tries: int = 4
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 20.0


def with_retries(
    attempt: Callable[[], T],
    policy: RetryPolicy,
    seconds_left: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call `attempt` again while it raises `TransientFault`, and return its result.

    If the server requests a wait, that wait is used. Otherwise the wait is uniform between 0 and an upper
    bound that doubles with every try (full jitter), so that many callers do not return at the same time.

    Args:
        attempt: Function that makes one try; called at least once.
        policy: Number of tries and length of waits.
        seconds_left: Function that returns the time until the caller's deadline; infinite if there is none.
        sleep: Function that waits for a number of seconds.

    Raises:
        RetriesExhausted: every try failed.
        DeadlineExceeded: the next wait would end after the deadline. That wait is not started.
        MissingExtra: tenacity is not installed.
        Exception: any other error of `attempt`, unchanged.

    Source: Brooker, 2015. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    try:
        import tenacity
    except ImportError as error:
        raise MissingExtra("retrying", "endpoint") from error
    longest = policy.longest_wait_seconds
    backoff = tenacity.wait_random_exponential(multiplier=policy.first_wait_seconds, max=longest)

    def wait(state: tenacity.RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        requested = failure.wait_seconds if isinstance(failure, TransientFault) else None
        return backoff(state) if requested is None else min(requested, longest)

    def pause(seconds: float) -> None:
        left = seconds_left()
        if seconds >= left:
            raise DeadlineExceeded(f"{max(left, 0):.1f} s were left, the next try was due in {seconds:.1f} s")
        sleep(seconds)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(policy.max_tries),
        wait=wait,
        retry=tenacity.retry_if_exception_type(TransientFault),
        sleep=pause,
        reraise=True,
    )
    try:
        return retrying(attempt)
    except TransientFault as last:
        raise RetriesExhausted(last, policy.max_tries) from last


class CircuitBreaker:
    """A guard that refuses calls at once after several consecutive failures.

    So nobody waits for a server that is down. The breaker has three states. Closed: calls pass. After
    `max_failures` consecutive failures the breaker opens. Open: calls are refused for `open_seconds`. Half
    open: after that time one trial call passes. If the trial call succeeds, the breaker closes. Otherwise it
    opens again.

    Thread-safe.

    Args:
        what: Name of the server, used in the error.
        max_failures: Number of consecutive failures that open the breaker.
        open_seconds: Time that the breaker stays open.
        clock: Function that returns seconds that only increase.

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
        """Guard one call within the context. An exception counts as a failure, except `DeadlineExceeded`.

        Raises:
            ReaderFault: the breaker is open, or it is half open while its trial call runs.
        """
        on_trial = self._enter()
        try:
            yield
        except DeadlineExceeded:
            self._leave(on_trial, failed=None)
            raise
        except Exception:
            self._leave(on_trial, failed=True)
            raise
        except BaseException:  # the call was interrupted, so its outcome is unknown
            self._leave(on_trial, failed=None)
            raise
        self._leave(on_trial, failed=False)

    def _enter(self) -> bool:
        """Admit a call or raise. Return True if the call is the trial call."""
        with self._lock:
            if self._num_failures < self._max_failures:
                return False
            left = self._opens_at - self._clock()
            if left > 0 or self._on_trial:
                when = f"in {math.ceil(left)} s" if left > 0 else "when the trial call has ended"
                raise ReaderFault(
                    f"{self._what} failed {self._num_failures} calls in a row, so calls are refused now; "
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
