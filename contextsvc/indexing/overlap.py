"""Work that overlaps: what comes next is prepared and what came before is finished, each in a thread."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_POLL_SECONDS = 0.1

Made = TypeVar("Made")
Offer = TypeVar("Offer")


def ahead(items: Iterable[Made], depth: int = 1) -> Generator[Made, None, None]:
    """The same items, each made in another thread while the caller works on those before it.

    At most `depth` made items wait. An exception of `items` is raised here, after what came before it.
    Close the iterator to stop early: the thread then ends after the item it is making.
    """
    made: queue.Queue[tuple[Made | None, BaseException | None]] = queue.Queue(depth)
    stopping = threading.Event()
    thread = threading.Thread(
        target=_make, args=(items, made, stopping), name="contextsvc-ahead", daemon=True
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
    except BaseException as error:  # noqa: BLE001  # it is raised where the items are used
        _offer(made, (None, error), stopping)


def _offer(made: "queue.Queue[Offer]", offer: Offer, stopping: threading.Event) -> bool:
    while not stopping.is_set():
        try:
            made.put(offer, timeout=_POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False


@contextmanager
def behind() -> Iterator[Callable[[Callable[[], None]], None]]:
    """A function that runs another in a thread, once the one before has ended; all have at the end.

    What one of them raises is raised by the next call, or at the end.
    """
    with ThreadPoolExecutor(1, "contextsvc-behind") as pool:
        last: list[Future[None]] = []

        def after(work: Callable[[], None]) -> None:
            while last:
                last.pop().result()
            last.append(pool.submit(work))

        yield after
        while last:
            last.pop().result()
