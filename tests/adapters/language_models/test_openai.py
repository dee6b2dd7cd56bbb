import logging
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from contextsvc.adapters.language_models.openai import OpenAiEndpointReader
from contextsvc.adapters.language_models.prompt_layout import INSTRUCTION
from contextsvc.errors import InvalidRequest, MissingExtra, ReaderFault, SettingError, ShapeError
from contextsvc.ports import Limits, Prompt
from contextsvc.records.arrays import BoolArray
from contextsvc.records.fingerprints import Fingerprint
from tests.adapters.misbehaving_server import (
    KEY,
    Behaviour,
    Clock,
    Endpoints,
    Oracle,
    Start,
    fail,
    hang,
    say,
    say_json,
    well,
)

PROMPT = Prompt(
    ("Bananas are yellow.\n\n", "etcd listens on port 2379 by default.\n\n"),
    "On which port does etcd listen?",
)
TARGET = "port 2379"


@pytest.fixture
def start() -> Iterator[Start]:
    with Endpoints() as endpoints:
        yield endpoints.start


def masks(*rows: str) -> BoolArray:
    return np.array([[letter == "1" for letter in row] for row in rows], dtype=np.bool_)


# What is asked, and what comes of it


def test_likeness_compares_answers_written_anew(start: Start) -> None:
    reader, server = start()
    scores = reader.score(PROMPT, masks("11", "10", "01", "11"), TARGET)
    assert reader.outcome == "likeness"
    # "port 2379" equals the target; "I do not know." shares no word with it.
    assert scores.values.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert scores.values.dtype == np.float64
    assert scores.cost.reader_calls == len(server.requests) == 3


def test_a_likeness_prompt_holds_the_kept_units_alone(start: Start) -> None:
    reader, server = start(answer_max_tokens=7)
    reader.score(PROMPT, masks("01"), TARGET)
    (asked,) = server.requests
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    message = f"{INSTRUCTION}\n\n{PROMPT.units[1]}Question: {PROMPT.query}"
    assert asked.body == {
        "model": "owner/oracle", "messages": [{"role": "user", "content": message}],
        "max_tokens": 7, "temperature": 0, "seed": 0,
    }  # fmt: skip


def test_log_probabilities_are_the_mean_over_the_target(start: Start) -> None:
    reader, server = start(outcome="log-probability")
    scores = reader.score(PROMPT, masks("11", "10", "11"), TARGET)
    assert scores.values.tolist() == [(-1 - 1.5) / 2, (-3 - 3.5) / 2, (-1 - 1.5) / 2]
    probe, full, _ = server.requests
    assert "Answer: It is four." in probe.body["prompt"]
    units = "".join(PROMPT.units)
    text = f"{INSTRUCTION}\n\n{units}Question: {PROMPT.query}\nAnswer: {TARGET}"
    assert full.path == "/v1/completions"
    assert full.body == {
        "model": "owner/oracle", "prompt": text, "max_tokens": 1, "temperature": 0, "seed": 0,
        "echo": True, "logprobs": 1,
    }  # fmt: skip
    assert scores.cost.reader_calls == 2


def test_auto_asks_once_what_the_server_can(start: Start) -> None:
    reader, server = start(outcome="auto")
    assert server.requests == []
    assert reader.outcome == "log-probability"
    assert "log-probability" in reader.fingerprint.usage
    reader.score(PROMPT, masks("11"), TARGET)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "script",
    [
        [],  # echo is ignored
        [fail(400, "Only no echo is supported")],
        [fail(404)],
        [fail(422, "Unexpected fields")],
        [fail(500)] * 4,  # and yet it chats
        [say_json({"choices": [{"text": " four", "logprobs": {"content": []}}]})],
        # scores of the generated token alone
        [say_json({"choices": [{"text": "", "logprobs": {"tokens": [" four."], "token_logprobs": [-1]}}]})],
    ],
)
def test_auto_falls_back_on_likeness(start: Start, script: list[Behaviour]) -> None:
    reader, _ = start(*script, oracle=Oracle(echoes=False), outcome="auto")
    assert reader.outcome == "likeness"
    assert "likeness" in reader.fingerprint.usage
    assert reader.score(PROMPT, masks("11", "10"), TARGET).values.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("script", [[fail(500)] * 8, [fail(401)], [fail(503)] * 4, [fail(429)] * 4])
def test_auto_takes_no_failing_server_for_an_unable_one(start: Start, script: list[Behaviour]) -> None:
    reader, _ = start(*script, outcome="auto")
    with pytest.raises(ReaderFault, match="answered"):
        _ = reader.outcome
    assert reader.outcome == "log-probability"


def test_log_probabilities_that_the_server_cannot_give_are_refused(start: Start) -> None:
    reader, _ = start(oracle=Oracle(echoes=False), outcome="log-probability")
    assert reader.outcome == "log-probability"
    with pytest.raises(
        SettingError, match=r"logprobs is null.*echo with logprobs.*READER_OUTCOME to likeness"
    ):
        reader.score(PROMPT, masks("11"), TARGET)


def test_an_answer_comes_from_all_units(start: Start) -> None:
    reader, server = start()
    answer = reader.answer(PROMPT)
    assert answer.text == "port 2379"
    assert answer.cost.reader_calls == 1
    # words: 13 of the instruction, 3 + 7 of units, 7 of the question, 2 of the answer
    assert answer.cost.reader_tokens == 13 + 10 + 7 + 2
    assert all(unit in server.requests[0].body["messages"][0]["content"] for unit in PROMPT.units)


def test_without_usage_tokens_are_a_quarter_of_the_characters(start: Start) -> None:
    reader, server = start(oracle=Oracle(counts=False))
    answer = reader.answer(PROMPT)
    num_chars = len(server.requests[0].body["messages"][0]["content"]) + len(answer.text)
    assert answer.cost.reader_tokens == -(-num_chars // 4)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_answer_is_a_refusal(start: Start, text: str) -> None:
    reader, _ = start(say_json({"choices": [{"message": {"content": text}}]}))
    assert reader.answer(PROMPT).text == "I do not know."


# Limits


def test_calls_end_at_their_limit_and_the_rest_is_not_invented(start: Start) -> None:
    reader, server = start()
    scores = reader.score(PROMPT, masks("11", "11", "10", "01"), TARGET, Limits(calls=2))
    np.testing.assert_equal(scores.values, [1.0, 1.0, 0.0, np.nan])
    assert scores.cost.reader_calls == len(server.requests) == 2


def test_tokens_end_once_they_are_used_up(start: Start) -> None:
    reader, _ = start()
    cost = reader.score(PROMPT, masks("11"), TARGET).cost
    scores = reader.score(PROMPT, masks("11", "10", "01"), TARGET, Limits(tokens=cost.reader_tokens + 1))
    np.testing.assert_equal(scores.values, [1.0, 0.0, np.nan])
    nothing = reader.score(PROMPT, masks("11"), TARGET, Limits(tokens=0))
    np.testing.assert_equal(nothing.values, [np.nan])
    assert nothing.cost.reader_calls == nothing.cost.reader_tokens == 0
    stopped = reader.score(PROMPT, masks("11"), TARGET, Limits(stop=lambda: True))
    np.testing.assert_equal(stopped.values, [np.nan])


def test_time_cuts_short_the_call_under_way(start: Start) -> None:
    reader, _ = start(well, hang, timeout_seconds=600)
    scores = reader.score(PROMPT, masks("11", "10", "01"), TARGET, Limits(seconds=1))
    np.testing.assert_equal(scores.values, [1.0, np.nan, np.nan])
    assert scores.cost.seconds >= 1


def test_no_wait_outlasts_the_time_left(start: Start) -> None:
    clock = Clock()
    reader, server = start(well, fail(429, retry_after="9"), clock=clock, sleep=clock.sleep)
    scores = reader.score(PROMPT, masks("11", "10"), TARGET, Limits(seconds=5))
    np.testing.assert_equal(scores.values, [1.0, np.nan])
    assert clock.waits == []
    assert len(server.requests) == 2
    assert reader.score(PROMPT, masks("10"), TARGET, Limits(seconds=5)).values.tolist() == [0.0]


# What the caller got wrong


@pytest.mark.parametrize("target", ["", "  \n"])
def test_an_empty_target_is_refused(start: Start, target: str) -> None:
    reader, server = start()
    with pytest.raises(InvalidRequest, match="target is empty"):
        reader.score(PROMPT, masks("11"), target)
    assert server.requests == []


def test_masks_of_another_width_are_refused(start: Start) -> None:
    reader, _ = start()
    with pytest.raises(ShapeError, match=r"\(1, 3\).*\(num_masks, 2\)"):
        reader.score(PROMPT, masks("111"), TARGET)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (fail(400, "This model's maximum context length is 4096 tokens. However, your request has 5000 input "
              "tokens."), "have 5000 tokens; the window of oracle holds 4096: use a smaller budget"),
        (fail(400, "the request exceeds the available context size, try increasing it"),
         "the prompt is too long for oracle: the request exceeds"),
        (fail(413, "Payload Too Large"), "too long for oracle"),
    ],
)  # fmt: skip
def test_a_prompt_beyond_the_window_is_the_callers(start: Start, refusal: Behaviour, expected: str) -> None:
    reader, _ = start(refusal)
    with pytest.raises(InvalidRequest, match=expected):
        reader.answer(PROMPT)


def test_text_that_is_no_unicode_text_is_sent_all_the_same(start: Start) -> None:
    reader, server = start()
    reader.answer(Prompt(("a \ud800 b\n",), "What?"))
    assert "a \ud800 b" in server.requests[0].body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"url": "localhost:8000/v1"}, r"URL \(CONTEXTSVC_READER_URL\) cannot be used; expected http://"),
        ({"url": "http://user:pass@host/v1"}, "without user, password"),
        ({"url": "http://host/v1?key=1"}, "without user, password"),
        ({"url": "http://host:80a/v1"}, "cannot be used"),
        ({"url": ""}, "cannot be used"),
        ({"model": " "}, "model is ' '"),
        ({"api_key": f"{KEY}\n"}, "printable ASCII"),
        ({"outcome": "loss"}, "'loss'; expected one of auto, log-probability, likeness"),
        ({"answer_max_tokens": 0}, "answer_max_tokens is 0"),
        ({"max_tries": 0}, "max_tries is 0; expected at least 1"),
        ({"timeout_seconds": 0}, "timeout is 0 s"),
        ({"timeout_seconds": float("nan")}, "timeout is nan s"),
    ],
)
def test_a_setting_out_of_range_is_refused(choices: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingError, match=expected) as caught:
        OpenAiEndpointReader(**{"url": "http://localhost/v1", "model": "oracle", **choices})
    assert "pass" not in str(caught.value).replace("password", "")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("library", ["httpx", "tenacity"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=r"contextsvc\[endpoint\]"):
        OpenAiEndpointReader("http://localhost/v1", "oracle")


# Identity and secrecy


def test_the_fingerprint_changes_with_what_moves_scores() -> None:
    def fingerprint(url: str = "http://host/v1", model: str = "owner/oracle", num: int = 48) -> Fingerprint:
        return OpenAiEndpointReader(url, model, "key", "likeness", num).fingerprint

    assert fingerprint("http://host/v1/") == fingerprint()
    assert fingerprint().name == "oracle"
    found = {
        fingerprint(),
        fingerprint("http://other/v1"),
        fingerprint(model="me/oracle"),
        fingerprint(num=9),
    }
    assert len(found) == 4


@pytest.mark.parametrize("key", [KEY, "short"])
def test_the_key_is_nowhere_but_in_its_header(
    start: Start, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    caplog.set_level(logging.DEBUG)
    page = f"<html>Authorization: Bearer {key}</html>".encode()
    quoting = [fail(401, f"Incorrect API key: {key}"), fail(500, key), say(page, "text/html")]
    _, server = start(*quoting)
    reader = OpenAiEndpointReader(server.url, "oracle", key, "likeness", max_tries=1)
    for _ in quoting:
        with pytest.raises(ReaderFault) as caught:
            reader.answer(PROMPT)
        assert "***" in str(caught.value)
        assert key not in str(caught.value)
    reader.answer(PROMPT)
    assert server.requests[-1].headers["Authorization"] == f"Bearer {key}"
    assert key not in caplog.text + repr(reader) + str(reader.fingerprint) + reader.name
    reader.close()
