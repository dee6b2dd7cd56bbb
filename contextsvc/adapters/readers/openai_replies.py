"""What servers of the OpenAI API answer, read with suspicion: pure functions over parsed JSON.

Servers agree on the names of the fields and on little else. Scores of a prompt (`/completions` with
`echo` and `logprobs`) come in these dialects, as their sources and outputs of 2024 to 2026 show:

- vLLM: `tokens` and `token_logprobs` of prompt and generated tokens, null for the first; a start token
  such as `<s>` is among them, and `text_offset` adds up decoded tokens, so it is shifted by that token
  and drifts where decoding one token drops a leading space (SentencePiece).
- SGLang: the same lists, but every `text_offset` is -1.
- llama-cpp-python: the same lists without the start token; `max_tokens` 0 means "no limit" there, so 1
  token is asked for and left out again; 500 unless the model was loaded with logits_all.
- llama.cpp's own server, transformers serve: 400, or `echo` is ignored.

So the target's tokens are found by their text, not by `text_offset`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from contextsvc.errors import ReaderFault

SHOWN_CHARS = 200
"""How much of an unexpected reply an error quotes."""

_CHARS_A_TOKEN = 4
_LEAST, _MOST = -1e6, 1e-3  # vLLM says -9999 for none; rounding may leave a certain token above 0
_MARKS = str.maketrans("", "", "▁ĠĊ")
_NON_ASCII = "[^\\x00-\\x7f]?"
_TOO_LONG = re.compile(r"context (?:length|window|size)|context_length|n_ctx|prompt is too long", re.I)
_WINDOW = re.compile(r"(?:maximum context length|context window|context size)(?: is| of|:)? (\d+)", re.I)
_READ = re.compile(r"(?:you requested|resulted in|request has|prompt has|prompt contains) (\d+)", re.I)


class NoPromptScores(ReaderFault):
    """The server gave no log-probabilities of the prompt."""


def chat_text(reply: object) -> str:
    """The text of the first choice of a chat completion, spaces around it stripped; may be empty.

    Raises:
        ReaderFault: the reply has another shape, or the text is null.
    """
    choice = _first_choice(reply)
    message = choice.get("message")
    if not isinstance(message, Mapping) or "content" not in message:
        raise ReaderFault(f"found {shown(choice)}, expected choices[0].message.content")
    content = message["content"]
    if not isinstance(content, str):
        why = choice.get("finish_reason")
        raise ReaderFault(
            f"choices[0].message.content is {shown(content)} (finish_reason {shown(why)}), expected text"
        )
    return content.strip()


def prompt_score(reply: object, before: str, target: str) -> float:
    """Mean natural log-probability of the target's tokens in an echoed completion.

    A token that holds the end of the text before the target and its beginning counts whole: the
    target's first letters are in no other token.

    Args:
        reply: To a prompt that is `before` and then the target.
        before: Ends on a character that is no space and ASCII.
        target: Not blank.

    Raises:
        NoPromptScores: the reply holds no tokens of the prompt, or not the target's.
        ReaderFault: the reply has another shape, or a number is no log-probability.
    """
    logprobs = _first_choice(reply).get("logprobs")
    tokens, scores = ([], []) if not isinstance(logprobs, Mapping) else (
        logprobs.get("tokens"), logprobs.get("token_logprobs"))  # fmt: skip
    if not (isinstance(tokens, list) and isinstance(scores, list) and len(tokens) == len(scores) > 1):
        raise NoPromptScores(
            f"choices[0].logprobs is {shown(logprobs)}, expected tokens and token_logprobs of the prompt"
        )
    if not all(isinstance(token, str) for token in tokens):
        raise ReaderFault(f"choices[0].logprobs.tokens is {shown(tokens)}, expected texts")
    # The generated token is no part of the target. Some servers leave it out, some report no usage.
    for num_generated in dict.fromkeys((_usage(reply, "completion_tokens"), 1, 0)):
        if num_generated is not None and num_generated < len(tokens):
            end = len(tokens) - num_generated
            count = count_target_tokens(tokens[:end], before, target)
            if count:
                return _mean(scores[end - count : end])
    raise NoPromptScores(
        f"the last tokens are {shown(tokens[-8:])}, expected the target's: not echoed, or in other letters"
    )


def count_target_tokens(tokens: Sequence[str], before: str, target: str) -> int:
    """How many of the last tokens hold the target; 0 where they do not end on it.

    Spaces are not compared, nor the marks that stand for them in raw tokens. U+FFFD in a token stands
    for a part of a character: for one that is not ASCII, or none. The token before the target's must
    hold the end of `before`, so that a repeated word is not taken for the target.

    >>> count_target_tokens(["Answer", ":", " port", " 23", "79"], "Answer:", " port 2379")
    3
    >>> count_target_tokens(["Answer", ":\\n4", "2"], "Answer:", " 42")
    2
    """
    prompt, wanted = _bare(before), _bare(target)
    still = {len(wanted)}  # of how many leading characters the tokens have yet to be found
    for count, token in enumerate(reversed(tokens)):
        piece = _bare(token)
        if piece and 0 in still and prompt.endswith(piece):
            return count
        if any(0 < rest < len(piece) and _straddles(piece, prompt, wanted[:rest]) for rest in still):
            return count + 1
        pattern = re.compile("".join(_NON_ASCII if c == "\ufffd" else re.escape(c) for c in piece))
        still = {
            rest - size
            for rest in still
            for size in range(min(rest, len(piece)) + 1)
            if pattern.fullmatch(wanted[rest - size : rest])
        }
        if not still:
            return 0
    return 0


def num_tokens(reply: object, *texts: str) -> int:
    """Tokens read and written as the server counts them, else a quarter of the texts' characters."""
    total = _usage(reply, "total_tokens")
    if total is not None:
        return total
    return math.ceil(sum(map(len, texts)) / _CHARS_A_TOKEN)


def error_reason(body: str) -> str:
    """What a server says in an error: the message of the usual JSON shapes, else the body's beginning."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return _shortened(body)
    for key in ("error", "message", "detail"):
        if isinstance(said, Mapping) and key in said:
            said = said[key]
    return _shortened(said) if isinstance(said, str) else shown(said)


def beyond_window(reason: str) -> tuple[int, int] | bool:
    """Whether a refusal means that the prompt is too long; (tokens, window) where it gives both."""
    if not _TOO_LONG.search(reason):
        return False
    window, read = _WINDOW.search(reason), _READ.search(reason)
    return (int(read[1]), int(window[1])) if window and read else True


def shown(value: object) -> str:
    """A value as JSON, cut to 200 characters."""
    try:
        return _shortened(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "JSON that is nested too deeply"


def _straddles(piece: str, prompt: str, rest: str) -> bool:
    return piece.endswith(rest) and prompt.endswith(piece[: -len(rest)])


def _bare(text: str) -> str:
    return "".join(text.translate(_MARKS).split())


def _mean(scores: Sequence[object]) -> float:
    return math.fsum(map(_log_probability, scores)) / len(scores)


def _log_probability(score: object) -> float:
    if isinstance(score, int | float) and not isinstance(score, bool) and _LEAST <= score <= _MOST:
        return float(score)
    raise ReaderFault(f"a log-probability is {shown(score)}, expected a number from {_LEAST:g} to 0")


def _first_choice(reply: object) -> Mapping[str, Any]:
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise ReaderFault(f"found {shown(reply)}, expected an object with at least one of choices")
    return choices[0]


def _usage(reply: object, key: str) -> int | None:
    usage = reply.get("usage") if isinstance(reply, Mapping) else None
    count = usage.get(key) if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."
