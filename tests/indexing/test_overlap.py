import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from contextsvc.indexing.overlap import prefetch, worker_thread


def test_items_come_in_order_and_the_next_is_made_meanwhile() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        made.set()
        yield 1

    with closing(prefetch(items())) as found:
        assert next(found) == 0
        assert made.wait(60)
        assert list(found) == [1]


def test_an_error_comes_after_what_came_before_it() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("no more")

    found = prefetch(items())
    assert next(found) == 0
    with pytest.raises(ValueError, match="no more"):
        next(found)


def test_whoever_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    with closing(prefetch(iter(range(1_000_000)))) as found:
        assert next(found) == 0
    assert threading.active_count() == before


def test_work_is_done_in_order_and_all_of_it() -> None:
    done: list[int] = []
    with worker_thread() as submit:
        for number in range(20):
            submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(20))


def test_what_the_work_raises_is_not_lost() -> None:
    def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"), worker_thread() as submit:
        submit(fail)


def test_what_the_work_raises_is_told_by_the_next_call() -> None:
    def fail() -> None:
        raise OSError("full")

    with worker_thread() as submit:
        submit(fail)
        with pytest.raises(OSError, match="full"):
            submit(lambda: None)
