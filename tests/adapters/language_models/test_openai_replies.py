import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.language_models.openai_replies import (
    NoPromptScores,
    chat_text,
    context_overflow,
    count_target_tokens,
    error_reason,
    num_tokens,
    prompt_score,
)
from contextsvc.errors import ReaderFault

BEFORE = "Question: Which port?\nAnswer:"


def echoed(tokens: list[str], scores: list[Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"logprobs": {"tokens": tokens, "token_logprobs": scores, **more}}]}


# One case a dialect: tokens, scores, the target, its mean. A wrong token would bring in -50 or -70.
DIALECTS: dict[str, tuple[list[str], list[Any], str, float]] = {
    "vLLM: a start token shifts every offset": (
        ["<s>", "Question", ":", " Which", " port", "?\n", "Answer", ":", " port", " 23", "79", " next"],
        [None, *[-50.0] * 7, -1.0, -2.0, -3.0, -70.0], " port 2379", -2.0),
    "SentencePiece: decoding one token drops its space": (
        ["<s>", "Question", ":", "Which", "port", "?", "\n", "Answer", ":", "port", "2", "3", "7", "9", "ok"],
        [None, *[-50.0] * 8, -1.0, -1.0, -1.0, -1.0, -6.0, -70.0], " port 2379", -2.0),
    "llama-cpp-python: no start token, an end token that was not kept": (
        ["Question", ":", " Which", " port", "?", "\n", "Answer", ":", " yes"],
        [None, *[-50.0] * 7, -0.5], " yes", -0.5),
    "raw tokens with marks for spaces": (
        ["ĠAnswer", ":", "Ġport", "Ċ", "▁80", "!"], [None, -50, -1, -2, -3, -70], " port\n 80", -2.0),
    "half characters": (
        ["Answer", ":", " caf", "\ufffd", "\ufffd", " au", "x"],
        [None, -50, -1, -2, -3, -4, -70], " café au", -2.5),
    "half characters kept back until whole": (
        ["Answer", ":", " ", "", "", "日", "本", "x"], [None, -50, -1, -2, -3, -4, -5, -70], " 日本", -3.0),
    "a token across the seam counts whole": (
        ["Answer", ":4", "2", "x"], [None, -1.0, -3.0, -70.0], " 42", -2.0),
    "the target begins like the prompt ends": (
        ["Answer", ":", " Answer", ":", " no", "x"], [None, -50, -1, -2, -6, -70], " Answer: no", -3.0),
    "the generated token repeats the target": (
        ["Answer", ":", " ha", " ha", " ha"], [None, -50, -1, -2, -70], " ha ha", -1.5),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("usage", [None, 1, 0, "1"])
@pytest.mark.parametrize("offset", [-1, 7])
def test_every_dialect_gives_the_mean_over_the_target(dialect: str, usage: object, offset: int) -> None:
    tokens, scores, target, expected = DIALECTS[dialect]
    reply = echoed(tokens, scores, text_offset=[offset] * len(tokens))
    reply["usage"] = {"completion_tokens": usage}
    assert prompt_score(reply, BEFORE, target) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tokens", "target"),
    [
        (["Answer", ":", " port", " 80", "x"], " port 8080"),
        (["port", " 80"], " port 80"),  # nothing of the prompt: generated, not echoed
        (["Answer", " is", " port", " 80"], " port 80"),  # another text
        (["token_id:5", "token_id:6"], " port"),
    ],
)
def test_a_target_that_is_not_there_is_not_found(tokens: list[str], target: str) -> None:
    assert count_target_tokens(tokens, BEFORE, target) == 0
    with pytest.raises(NoPromptScores, match="expected those of the target: the server did not echo"):
        prompt_score(echoed(tokens, [-1.0] * len(tokens)), BEFORE, target)


@pytest.mark.parametrize(
    "logprobs",
    [None, {}, [], {"content": [{"token": " 80"}]}, {"tokens": None, "token_logprobs": None},
     {"tokens": ["Answer", ":", " 80"], "token_logprobs": [-1.0]}],
)  # fmt: skip
def test_a_reply_without_scores_of_the_prompt_says_so(logprobs: object) -> None:
    with pytest.raises(NoPromptScores, match=r"choices\[0\].logprobs is .*expected tokens"):
        prompt_score({"choices": [{"logprobs": logprobs}]}, BEFORE, " 80")


@pytest.mark.parametrize("score", [None, "-1", True, float("nan"), float("-inf"), 0.7, -(10**400), [1]])
def test_what_is_no_log_probability_is_a_fault(score: object) -> None:
    with pytest.raises(ReaderFault, match="expected a number from -1e\\+06 to 0"):
        prompt_score(echoed(["Answer", ":", " 80"], [None, -50, score]), BEFORE, " 80")


def test_tokens_that_are_no_texts_are_a_fault() -> None:
    with pytest.raises(ReaderFault, match=r"tokens is \[1, 2\], expected texts"):
        prompt_score(echoed([1, 2], [None, -1]), BEFORE, " 80")  # type: ignore[list-item]


@given(st.text(min_size=1).filter(lambda text: text.split()), st.data())
def test_any_cut_of_any_target_into_tokens_is_found(target: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(target)), max_size=8)))
    pieces = [target[a:b] for a, b in zip([0, *cuts], [*cuts, len(target)], strict=True)]
    assert count_target_tokens(["Question", ":", "\nAnswer:", *pieces], BEFORE, target) == len(pieces)


@given(st.text(alphabet="aé日😀", min_size=1, max_size=12))
def test_single_bytes_of_any_target_are_found(target: str) -> None:
    pieces = [piece for c in target for piece in ([c] if c == "a" else ["\ufffd"] * len(c.encode()))]
    assert count_target_tokens(["Answer", ":", *pieces], BEFORE, target) == len(pieces)


def test_chat_text_is_stripped() -> None:
    assert chat_text({"choices": [{"message": {"content": " yes\n"}}]}) == "yes"


@pytest.mark.parametrize("total", [None, -1, 1.5, "9", True])
def test_tokens_without_a_usable_usage_are_estimated_upwards(total: object) -> None:
    assert num_tokens({"usage": {"total_tokens": total}}, "12345678", "9") == 3
    assert num_tokens({"usage": None}, "1") == 1


def test_tokens_are_what_the_server_counts() -> None:
    assert num_tokens({"usage": {"total_tokens": 9}}, "long " * 99) == 9


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"message": "no such model", "code": 404}}, "no such model"),
        ({"object": "error", "message": "no such model"}, "no such model"),
        ({"detail": "no such model"}, "no such model"),
        ({"detail": [{"msg": "field required"}]}, '[{"msg": "field required"}]'),
        ({"error": "CUDA"}, "CUDA"),
        ([], "[]"),
    ],
)
def test_an_error_is_quoted_in_the_servers_words(body: object, expected: str) -> None:
    assert error_reason(json.dumps(body)) == expected


def test_an_error_page_is_cut() -> None:
    assert error_reason("<html>\n  <b>502</b>") == "<html> <b>502</b>"
    assert error_reason("x" * 999) == "x" * 200 + "..."
    assert error_reason("") == ""


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("This model's maximum context length is 8192 tokens. However, you requested 9050 tokens (9049 in "
         "the messages, 1 in the completion).", (9050, 8192)),
        ("This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 "
         "tokens.", (5000, 4096)),
        ("request (1234 tokens) exceeds the available context size (1024 tokens), try increasing it", True),
        ("Requested tokens (2100) exceed context window of 2048", True),
        ("Only no echo is supported", False),
        ("no such model", False),
    ],
)  # fmt: skip
def test_a_prompt_that_is_too_long_is_told_from_other_refusals(reason: str, expected: object) -> None:
    assert context_overflow(reason) == expected
