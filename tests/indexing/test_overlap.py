"""Overlapping work: prefetched items and work in a thread."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from contextsvc.indexing.overlap import prefetch, worker_thread


def test_the_next_item_is_made_while_the_caller_works() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        made.set()
        yield 1

    with closing(prefetch(items())) as found:
        assert next(found) == 0
        assert made.wait(60)
        assert list(found) == [1]


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("no more")

    found = prefetch(items())
    assert next(found) == 0
    with pytest.raises(ValueError, match="no more"):
        next(found)


def test_closing_the_iterator_early_ends_the_thread() -> None:
    before = threading.active_count()
    with closing(prefetch(iter(range(1_000_000)))) as found:
        assert next(found) == 0
    assert threading.active_count() == before


def test_all_work_is_done_in_order() -> None:
    done: list[int] = []
    with worker_thread() as submit:
        for number in range(20):
            submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(20))


def test_an_exception_of_the_last_work_is_raised_at_the_end() -> None:
    def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"), worker_thread() as submit:
        submit(fail)


def test_an_exception_of_the_work_is_raised_by_the_next_submit() -> None:
    def fail() -> None:
        raise OSError("full")

    with worker_thread() as submit:
        submit(fail)
        with pytest.raises(OSError, match="full"):
            submit(lambda: None)
