"""Slots: a limit on the requests that run, on the requests that wait, and on the time of waiting.

A request takes its slot before it takes a worker thread. While it waits it occupies only an entry in a queue.
So health probes and other requests are answered, however many requests wait.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from contextsvc.errors import Overloaded

RETRY_SECONDS = 1

Result = TypeVar("Result")

Gone = Callable[[], Awaitable[None]]
"""Function whose awaitable ends when the client has closed its connection."""


class ClientGone(Exception):
    """The client closed its connection before its request had a slot, so there is nobody to answer."""


class GaveWay(Exception):
    """A background measurement ended early because a request needs its slot. Nothing of it is stored."""


class Slots:
    """Slots for costly work. Requests get them in the order in which they came.

    Args:
        num_slots: Largest number of requests that run at one time.
        max_waiting: Largest number of requests that wait for a slot. A further request is refused at once.
        wait_seconds: Longest wait for a slot.
        name: Prefix of the names of the worker threads.
    """

    def __init__(self, num_slots: int, max_waiting: int, wait_seconds: float, name: str = "slot") -> None:
        self._num_slots = self._num_free = num_slots
        self._max_waiting, self._wait_seconds = max_waiting, wait_seconds
        self._queue: deque[Future[None]] = deque()
        self._wanted = False
        self._lock = threading.Lock()
        # There are as many threads as slots, so work that has a slot never waits for a thread.
        self._threads = ThreadPoolExecutor(num_slots, thread_name_prefix=name)

    @property
    def idle(self) -> bool:
        """Whether no request runs and none waits."""
        with self._lock:
            return self._num_free == self._num_slots

    @property
    def wanted(self) -> bool:
        """True if a request came after the last slot was given away, and found no free slot.

        It stays True even if that request has given up, because its client may try again and should then
        find a slot.
        """
        with self._lock:
            return self._wanted

    @contextmanager
    def take(self, may_wait: bool = True) -> Iterator[None]:
        """Hold a slot in this thread during the `with` block, and wait for it first if `may_wait` is True.

        Raises:
            Overloaded: no slot is free and `may_wait` is False, too many requests wait (both status 429), or
                no slot became free in time (status 503).
        """
        turn = self._enter(may_wait)
        try:
            turn.result(self._wait_seconds)
        except BaseException as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                raise Overloaded(waited=True, retry_after_seconds=RETRY_SECONDS) from None
            raise
        try:
            yield
        finally:
            self._release()

    async def run(self, work: Callable[[], Result], gone: Gone) -> Result:
        """Wait for a slot on the event loop, then do the work in a worker thread.

        Args:
            work: The work. It runs to its end even if the client leaves meanwhile.
            gone: Function whose awaitable ends when the client leaves. Then the wait ends, and the queue has
                room for another request.

        Raises:
            Overloaded: as in `take`.
            ClientGone: the client left before the work began.
        """
        turn = self._enter()
        try:
            if not turn.done():
                await self._wait(turn, gone)
            done = self._threads.submit(work)
        except BaseException:
            self._give_up(turn)
            raise
        # The slot is freed when the work ends, not when this coroutine ends: it may be cancelled before.
        done.add_done_callback(lambda _: self._release())
        return await asyncio.wrap_future(done)

    async def _wait(self, turn: "Future[None]", gone: Gone) -> None:
        left = asyncio.ensure_future(gone())
        came = asyncio.wrap_future(turn)
        try:
            await asyncio.wait({came, left}, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                raise ClientGone
            if not turn.done():
                raise Overloaded(waited=True, retry_after_seconds=RETRY_SECONDS)
        finally:
            left.cancel()

    def _enter(self, may_wait: bool = True) -> "Future[None]":
        """Return a turn. It is done if the request has a slot, otherwise it waits in the queue."""
        turn: Future[None] = Future()
        with self._lock:
            if self._num_free:
                self._num_free -= 1
                self._wanted = False
                turn.set_result(None)
                return turn
            if may_wait:
                self._wanted = True
            if not may_wait or len(self._queue) >= self._max_waiting:
                raise Overloaded(waited=False, retry_after_seconds=RETRY_SECONDS)
            self._queue.append(turn)
        return turn

    def _give_up(self, turn: "Future[None]") -> None:
        with self._lock:
            if turn in self._queue:
                self._queue.remove(turn)
                return
        self._release()  # the turn got a slot meanwhile

    def _release(self) -> None:
        with self._lock:
            if not self._queue:
                self._num_free += 1
                return
            turn = self._queue.popleft()
            self._wanted = bool(self._queue)
        turn.set_result(None)


Step = tuple[Slots, Callable[[], Any]]

Steps = Generator[Step, Any, Result]
"""A request as a generator of steps. Each step names the slots that it needs and its work. After the work the
generator is sent the result of that work."""


def run_here(steps: Steps[Result]) -> Result:
    """Do the steps in this thread, as the command line needs it, which has no event loop."""
    result = None
    while True:
        try:
            slots, work = steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        with slots.take():
            result = work()


async def run_served(steps: Steps[Result], gone: Gone) -> Result:
    """Do the steps in worker threads, and wait for slots on the event loop, as the HTTP service needs it."""
    result = None
    while True:
        try:
            slots, work = steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        result = await slots.run(work, gone)
