"""Overlap work: one thread prepares the next item while another thread finishes the previous item."""

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
    """Yield items in their order, but make them in another thread while the caller works on earlier items.

    At most `depth` finished items wait. If `items` raises an exception, this iterator raises it after the
    items before it. To stop early, close this iterator. The thread then ends as soon as its current item is
    made.
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
    """Put an item into the queue. Return False if the consumer stopped before there was room."""
    while not stopping.is_set():
        try:
            made.put(item, timeout=_POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False


@contextmanager
def worker_thread() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Start a thread that does work in the order in which it is submitted.

    The context gives the function `submit`, which takes the work. `submit` waits until all work submitted
    before has ended. Leaving the context waits for the last work. If the work raises an exception, the next
    `submit` raises this exception, or leaving the context does.
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
