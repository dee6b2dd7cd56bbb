"""Slots: bounded work, bounded waiting."""

import asyncio
import threading
from functools import partial

import pytest

from contextsvc.errors import Overloaded
from contextsvc.service.slots import ClientGone, Gone, Slots, Steps, run_here, run_served
from tests.world import LONG


def test_a_slot_comes_back_after_an_error() -> None:
    slots = Slots(1, 0, 0.01)
    with pytest.raises(ZeroDivisionError), slots.take():
        raise ZeroDivisionError
    with slots.take():
        pass


def test_a_full_queue_refuses_at_once_and_a_long_wait_later() -> None:
    with Slots(1, 0, 9.0).take():
        pass
    full, slow = Slots(1, 0, 9.0), Slots(1, 1, 0.01)
    with full.take(), pytest.raises(Overloaded, match="queue is full") as at_once, full.take():
        pass
    with slow.take(), pytest.raises(Overloaded, match="no slot came free") as later, slow.take():
        pass
    assert (at_once.value.waited, later.value.waited) == (False, True)


def test_a_waiter_gets_the_slot_that_comes_free() -> None:
    slots = Slots(1, 1, 9.0)
    done: list[str] = []

    def work() -> None:
        with slots.take():
            done.append("waiter")

    thread = threading.Thread(target=work)
    with slots.take():
        thread.start()
        done.append("holder")
    thread.join()
    assert done == ["holder", "waiter"]


def test_idle_is_nobody_at_work_and_nobody_waiting() -> None:
    slots = Slots(2, 1, 9.0)
    assert slots.idle
    with slots.take():
        assert not slots.idle
        with slots.take():
            assert not slots.idle
        assert not slots.idle
    assert slots.idle


def test_after_an_error_or_a_refusal_it_is_idle_again() -> None:
    slots = Slots(1, 1, 0.01)
    with pytest.raises(ZeroDivisionError), slots.take():
        raise ZeroDivisionError
    with slots.take(), pytest.raises(Overloaded), slots.take():
        pass
    assert slots.idle


def test_a_slot_is_wanted_since_a_request_found_none_free() -> None:
    slots = Slots(1, 1, 0.01)
    with slots.take():
        assert not slots.wanted
        with pytest.raises(Overloaded), slots.take(may_wait=False):
            pass
        assert not slots.wanted, "who may not wait wants nothing"
        with pytest.raises(Overloaded), slots.take():
            pass
        assert slots.wanted, "it may come back"
    with slots.take():
        assert not slots.wanted


async def _never() -> None:
    await asyncio.Event().wait()


async def _at_once() -> None:
    pass


def test_served_requests_get_their_slots_in_order_of_asking() -> None:
    slots, order = Slots(1, 9, LONG), list[int]()

    async def story() -> None:
        first = threading.Event()
        tasks = [asyncio.create_task(slots.run(lambda: first.wait(LONG), _never))]
        await asyncio.sleep(0)
        for number in range(5):
            tasks.append(asyncio.create_task(slots.run(partial(_noted, order, number), _never)))
            await asyncio.sleep(0)
        first.set()
        await asyncio.gather(*tasks)

    asyncio.run(story())
    assert order == [0, 1, 2, 3, 4]
    assert slots.idle


def _noted(order: list[int], number: int) -> bool:
    order.append(number)
    return True


@pytest.mark.parametrize(
    ("gone", "max_waiting", "expected"),
    [(_at_once, 1, ClientGone), (_never, 1, Overloaded), (_never, 0, Overloaded)],
)
def test_a_served_request_that_gets_no_slot_never_runs(
    gone: Gone, max_waiting: int, expected: type[Exception]
) -> None:
    slots, ran = Slots(1, max_waiting, 0.05), list[str]()

    async def story() -> None:
        with slots.take(), pytest.raises(expected):
            await slots.run(lambda: ran.append("work"), gone)

    asyncio.run(story())
    assert ran == []
    assert slots.idle


def test_an_error_of_the_work_reaches_the_caller_and_frees_the_slot() -> None:
    slots = Slots(1, 0, 0.01)

    def fails() -> None:
        raise ZeroDivisionError

    async def story() -> None:
        with pytest.raises(ZeroDivisionError):
            await slots.run(fails, _never)
        assert await slots.run(lambda: "next", _never) == "next"

    asyncio.run(story())
    assert slots.idle


def _steps(slots: Slots) -> Steps[str]:
    first = yield slots, lambda: "a"
    second = yield slots, lambda: first + "b"
    return str(second + "c")


def test_steps_give_the_same_here_and_served() -> None:
    slots = Slots(1, 0, 0.01)
    assert run_here(_steps(slots)) == "abc" == asyncio.run(_served(slots))


async def _served(slots: Slots) -> str:
    return await run_served(_steps(slots), _never)
