"""Slots: bounded work, bounded waiting."""

import threading

import pytest

from contextsvc.errors import Overloaded
from contextsvc.service.slots import Slots


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
