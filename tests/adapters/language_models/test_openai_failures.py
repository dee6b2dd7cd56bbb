"""The endpoint reader against a server that fails in every way it can."""

from collections.abc import Iterator

import pytest

from contextsvc.errors import ReaderFault
from contextsvc.ports import Prompt
from tests.adapters.misbehaving_server import (
    Behaviour,
    Clock,
    Endpoints,
    Start,
    drip,
    fail,
    flood,
    hang,
    hang_up,
    say,
    say_json,
    stop_half_way,
)

PROMPT = Prompt(("etcd listens on port 2379 by default.\n\n",), "On which port does etcd listen?")


@pytest.fixture
def start() -> Iterator[Start]:
    with Endpoints() as endpoints:
        yield endpoints.start


@pytest.mark.parametrize(
    "failure",
    [fail(500), fail(502), fail(429), stop_half_way, hang_up, say(b'{"choices": [{"mes'), say(b"")],
)
def test_a_failure_that_passes_is_tried_again(start: Start, failure: Behaviour) -> None:
    reader, server = start(failure, failure)
    answer = reader.answer(PROMPT)
    assert answer.text == "port 2379"
    assert answer.cost.reader_calls == 1
    assert len(server.requests) == 3


@pytest.mark.parametrize("silence", [hang, drip])
def test_silence_and_a_reply_without_end_are_tried_again(start: Start, silence: Behaviour) -> None:
    reader, server = start(silence, timeout_seconds=0.5)
    assert reader.answer(PROMPT).text == "port 2379"
    assert len(server.requests) == 2


def test_tries_are_bounded_and_waits_grow_with_jitter(start: Start) -> None:
    clock = Clock()
    reader, server = start(*[fail(500)] * 9, max_tries=6, clock=clock, sleep=clock.sleep)
    with pytest.raises(ReaderFault, match=r"http://127\S+ answered 500: out of order; gave up after 6 tries"):
        reader.answer(PROMPT)
    assert len(server.requests) == 6
    assert all(0 <= wait <= top for wait, top in zip(clock.waits, [0.5, 1, 2, 4, 8], strict=True))


@pytest.mark.parametrize(("header", "waits"), [("2", [2.0]), ("0.5", [0.5]), ("9999", [20.0]), ("-1", [0.0]),
                                               ("Thu, 01 Jan 1970 00:00:00 GMT", [0.0])])  # fmt: skip
def test_retry_after_is_honoured_up_to_a_cap(start: Start, header: str, waits: list[float]) -> None:
    clock = Clock()
    reader, _ = start(fail(429, retry_after=header), clock=clock, sleep=clock.sleep)
    assert reader.answer(PROMPT).text == "port 2379"
    assert clock.waits == waits


@pytest.mark.parametrize("header", ["soon", "nan", "inf"])
def test_a_retry_after_of_no_sense_is_no_retry_after(start: Start, header: str) -> None:
    clock = Clock()
    reader, _ = start(fail(429, retry_after=header), clock=clock, sleep=clock.sleep)
    assert reader.answer(PROMPT).text == "port 2379"
    assert 0 <= clock.waits[0] <= 0.5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 307])
def test_a_refusal_is_not_tried_again(start: Start, status: int) -> None:
    reader, server = start(fail(status, "no such thing"))
    with pytest.raises(ReaderFault, match=rf"/v1/chat/completions answered {status}: no such thing"):
        reader.answer(PROMPT)
    assert len(server.requests) == 1


def test_a_refused_connection_says_so(start: Start) -> None:
    reader, server = start()
    server.close()
    with pytest.raises(ReaderFault, match=r"http://127\S+: .*[Rr]efused.*gave up after 4 tries"):
        reader.answer(PROMPT)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (say(b"<html>Welcome</html>", "text/html"), r"text/html.*<html>Welcome.*expected JSON"),
        (say(b"\xff\xfe"), r"expected JSON"),
        (say(b"[" * 100_000), r"expected JSON"),
        (say_json([1, 2]), r"found \[1, 2\], expected an object with at least one of choices"),
        (say_json({"choices": []}), r'found \{"choices": \[\]\}, expected'),
        (say_json({"choices": ["port"]}), r"expected an object with at least one of choices"),
        (say_json({"choices": [{"text": "port"}]}), r"expected choices\[0\].message.content"),
        (say_json({"choices": [{"message": {"content": None}, "finish_reason": "length"}]}),
         r'content is null \(finish_reason "length"\), expected text'),
        (say_json({"choices": [{"message": {"content": [{"text": "port"}]}}]}), r"expected text"),
        (flood, r"answered more than 10000000 bytes"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_a_fault_that_names_the_endpoint(
    start: Start, behaviour: Behaviour, expected: str
) -> None:
    reader, server = start(behaviour)
    with pytest.raises(ReaderFault, match=rf"(?s)http://127\.0\.0\.1:\d+/v1/chat/completions.*{expected}"):
        reader.answer(PROMPT)
    assert len(server.requests) == 1


def test_json_cut_short_each_time_is_a_fault(start: Start) -> None:
    reader, _ = start(*[say(b'{"choices": [')] * 4)
    with pytest.raises(ReaderFault, match=r"13 bytes .*choices.*expected JSON; gave up after 4 tries"):
        reader.answer(PROMPT)


def test_a_server_that_is_down_is_left_alone_for_a_while(start: Start) -> None:
    clock = Clock()
    choices = {"max_tries": 1, "breaker_failures": 2, "breaker_seconds": 30, "clock": clock}
    reader, server = start(fail(500), fail(400), fail(500), fail(500), fail(500), **choices)
    for _ in range(4):  # the refusal in between shows that it is up, and counts anew
        with pytest.raises(ReaderFault, match="answered"):
            reader.answer(PROMPT)
    with pytest.raises(ReaderFault, match=r"http://127\S+ failed 2 calls in a row.*passes in 30 s"):
        reader.answer(PROMPT)
    assert len(server.requests) == 4
    clock.now += 30
    with pytest.raises(ReaderFault, match="answered 500"):
        reader.answer(PROMPT)
    with pytest.raises(ReaderFault, match=r"failed 3 calls in a row.*passes in 30 s"):
        reader.answer(PROMPT)
    clock.now += 31
    assert reader.answer(PROMPT).text == "port 2379"
    assert len(server.requests) == 6
