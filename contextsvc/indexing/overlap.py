"""Overlapping work: threads that prepare the next item and finish the previous one."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_POLL_SECONDS = 0.1

Made = TypeVar("Made")
Item = TypeVar("Item")


def prefetch(items: Iterable[Made], depth: int = 1) -> Generator[Made, None, None]:
    """The same items in the same order, made in another thread while the caller works on earlier ones.

    At most `depth` finished items wait. An exception of `items` is raised here, after the items before it.
    Close the iterator to stop early: the thread then ends after the item it is making.
    """
    made: queue.Queue[tuple[Made | None, BaseException | None]] = queue.Queue(depth)
    stopping = threading.Event()
    thread = threading.Thread(
        target=_make, args=(items, made, stopping), name="contextsvc-prefetch", daemon=True
    )
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopping.set()
        thread.join()


def _make(
    items: Iterable[Made],
    made: "queue.Queue[tuple[Made | None, BaseException | None]]",
    stopping: threading.Event,
) -> None:
    try:
        for item in items:
            if not _offer(made, (item, None), stopping):
                return
        _offer(made, (None, StopIteration()), stopping)
    except BaseException as error:  # noqa: BLE001  # `prefetch` raises it
        _offer(made, (None, error), stopping)


def _offer(made: "queue.Queue[Item]", item: Item, stopping: threading.Event) -> bool:
    """Put an item into the queue; False if the consumer stopped first."""
    while not stopping.is_set():
        try:
            made.put(item, timeout=_POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False


@contextmanager
def worker_thread() -> Iterator[Callable[[Callable[[], None]], None]]:
    """A thread for work that must stay in order; the context gives the function that submits work.

    `submit` waits until the work submitted before has ended; leaving the context waits for the last one.
    An exception of the work is raised by the next `submit`, or when the context is left.
    """
    with ThreadPoolExecutor(1, "contextsvc-worker") as pool:
        last: list[Future[None]] = []

        def submit(work: Callable[[], None]) -> None:
            while last:
                last.pop().result()
            last.append(pool.submit(work))

        yield submit
        while last:
            last.pop().result()
