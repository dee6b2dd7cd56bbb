import sys
import threading

import pytest

from contextsvc.adapters.language_models.resilience import (
    CircuitBreaker,
    DeadlineExceeded,
    RetriesExhausted,
    RetryPolicy,
    TransientFault,
    with_retries,
)
from contextsvc.errors import MissingExtra, ReaderFault


class Steps:
    """Fails as told, then returns; counts its calls and what it was made to wait."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.num_calls, self.waits = list(failures), 0, list[float]()

    def __call__(self) -> str:
        self.num_calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def run(steps: Steps, policy: RetryPolicy | None = None, left: float = 1e9) -> str:
    return with_retries(steps, policy or RetryPolicy(), lambda: left, steps.waits.append)


def test_what_succeeds_is_called_once() -> None:
    steps = Steps()
    assert run(steps) == "done"
    assert steps.num_calls == 1
    assert steps.waits == []


def test_a_passing_failure_is_tried_again() -> None:
    steps = Steps(TransientFault("busy"), TransientFault("busy"))
    assert run(steps) == "done"
    assert steps.num_calls == 3


@pytest.mark.parametrize("num_tries", [1, 3])
def test_tries_are_bounded_and_the_last_failure_is_told(num_tries: int) -> None:
    steps = Steps(*[TransientFault(f"busy {i}", 503) for i in range(1, 9)])
    with pytest.raises(
        RetriesExhausted, match=rf"busy {num_tries}; gave up after {num_tries} tr(y|ies)$"
    ) as caught:
        run(steps, RetryPolicy(num_tries))
    assert caught.value.status == 503
    assert steps.num_calls == num_tries
    assert len(steps.waits) == num_tries - 1


def test_other_errors_pass_through() -> None:
    steps = Steps(ValueError("mine"))
    with pytest.raises(ValueError, match="mine"):
        run(steps)
    assert steps.num_calls == 1


def test_waits_are_drawn_below_an_end_that_doubles_up_to_the_longest() -> None:
    policy = RetryPolicy(max_tries=6, first_wait_seconds=1, longest_wait_seconds=5)
    drawn = []
    for _ in range(50):
        steps = Steps(*[TransientFault("busy")] * 5)
        run(steps, policy)
        drawn.append(steps.waits)
    for tried, top in enumerate([1, 2, 4, 5, 5]):
        waits = [waits[tried] for waits in drawn]
        assert 0 <= min(waits) < max(waits) <= top
        assert max(waits) > top / 2  # missed by chance once in 2 ** 50


def test_a_wait_asked_for_is_kept_up_to_the_longest() -> None:
    steps = Steps(TransientFault("busy", wait_seconds=3), TransientFault("busy", wait_seconds=99))
    run(steps)
    assert steps.waits == [3, 20]


def test_a_wait_that_outlasts_the_time_left_is_not_begun() -> None:
    steps = Steps(TransientFault("busy", wait_seconds=3))
    with pytest.raises(DeadlineExceeded, match=r"2.0 s were left, the next try was due in 3.0 s"):
        run(steps, left=2)
    assert steps.waits == []


def test_a_missing_tenacity_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenacity", None)
    with pytest.raises(MissingExtra, match=r"contextsvc\[endpoint\]"):
        run(Steps())


class Turned:
    """A breaker of 2 failures and 10 s whose clock is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.breaker = CircuitBreaker("the server", 2, 10, lambda: self.now)

    def call(self, error: BaseException | None = None) -> None:
        with self.breaker.call():
            if error:
                raise error

    def fail(self, num_times: int = 1) -> None:
        for _ in range(num_times):
            with pytest.raises(ReaderFault, match="down"):
                self.call(ReaderFault("down"))

    def refuses(self, when: str) -> None:
        with pytest.raises(ReaderFault, match=rf"the server failed \d+ calls in a row.*passes {when}$"):
            self.call()


def test_it_opens_after_failures_in_a_row_and_says_for_how_long() -> None:
    turned = Turned()
    turned.fail()
    turned.call()
    turned.fail(2)
    turned.refuses("in 10 s")
    turned.now = 9.5
    turned.refuses("in 1 s")


def test_a_trial_that_succeeds_closes_it() -> None:
    turned = Turned()
    turned.fail(2)
    turned.now = 10
    turned.call()
    turned.fail()
    turned.call()


def test_a_trial_that_fails_opens_it_again() -> None:
    turned = Turned()
    turned.fail(2)
    turned.now = 10
    turned.fail()
    turned.refuses("in 10 s")


@pytest.mark.parametrize("error", [DeadlineExceeded("late"), KeyboardInterrupt("stop")])
def test_a_call_that_the_caller_ends_says_nothing_of_the_server(error: BaseException) -> None:
    turned = Turned()
    turned.fail()
    with pytest.raises(type(error)):
        turned.call(error)
    turned.fail()
    turned.now = 10
    with pytest.raises(type(error)):
        turned.call(error)
    turned.call()


def test_half_open_lets_one_call_through() -> None:
    turned = Turned()
    turned.fail(2)
    turned.now = 10
    inside, go_on = threading.Event(), threading.Event()

    def trial() -> None:
        with turned.breaker.call():
            inside.set()
            go_on.wait(30)

    thread = threading.Thread(target=trial)
    thread.start()
    assert inside.wait(30)
    turned.refuses("when the trial call has ended")
    go_on.set()
    thread.join(30)
    turned.call()
