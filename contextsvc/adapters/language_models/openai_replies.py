"""Parsing and validation of replies from OpenAI-compatible servers: pure functions over parsed JSON.

Servers use the same field names but differ in content. Scores of a prompt (`/completions` with `echo` and
`logprobs`) come in these dialects, according to sources and outputs of 2024 to 2026:

- vLLM: `tokens` and `token_logprobs` of prompt and generated tokens; the first score is null. A start token
  such as `<s>` is included. `text_offset` counts decoded tokens, so it is shifted by the start token and
  drifts where decoding a single token drops a leading space (SentencePiece).
- SGLang: the same lists, but every `text_offset` is -1.
- llama-cpp-python: the same lists without the start token. `max_tokens` 0 means "no limit", so 1 token is
  requested and ignored. Status 500 unless the model was loaded with logits_all.
- llama.cpp's own server, transformers serve: status 400, or `echo` is ignored.

Therefore the target's tokens are found by their text, not by `text_offset`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from contextsvc.errors import ReaderFault

EXCERPT_CHARS = 200
"""Maximum length of a quotation from a reply in an error."""

_CHARS_A_TOKEN = 4
_LEAST, _MOST = -1e6, 1e-3  # vLLM writes -9999 for -inf; rounding may put a certain token above 0
_MARKS = str.maketrans("", "", "▁ĠĊ")
_NON_ASCII = "[^\\x00-\\x7f]?"
_TOO_LONG = re.compile(r"context (?:length|window|size)|context_length|n_ctx|prompt is too long", re.I)
_WINDOW = re.compile(r"(?:maximum context length|context window|context size)(?: is| of|:)? (\d+)", re.I)
_READ = re.compile(r"(?:you requested|resulted in|request has|prompt has|prompt contains) (\d+)", re.I)


class NoPromptScores(ReaderFault):
    """The reply holds no log-probabilities of the prompt."""


def chat_text(reply: object) -> str:
    """Text of the first choice of a chat completion, stripped; may be empty.

    Raises:
        ReaderFault: the reply has another shape, or the text is null.
    """
    choice = _first_choice(reply)
    message = choice.get("message")
    if not isinstance(message, Mapping) or "content" not in message:
        raise ReaderFault(f"found {excerpt(choice)}, expected choices[0].message.content")
    content = message["content"]
    if not isinstance(content, str):
        why = choice.get("finish_reason")
        raise ReaderFault(
            f"choices[0].message.content is {excerpt(content)} (finish_reason {excerpt(why)}), expected text"
        )
    return content.strip()


def prompt_score(reply: object, before: str, target: str) -> float:
    """Mean natural log-probability of the target's tokens in an echoed completion.

    A token that spans the border between `before` and the target counts whole, because the target's first
    letters are in no other token.

    Args:
        reply: Parsed reply to the prompt `before + target`.
        before: Text before the target; its last character is ASCII and not a space.
        target: Text to score; not blank.

    Returns:
        Nats a token.

    Raises:
        NoPromptScores: the reply holds no tokens of the prompt, or they do not end with the target.
        ReaderFault: the reply has another shape, or a value is not a log-probability.
    """
    logprobs = _first_choice(reply).get("logprobs")
    found = logprobs if isinstance(logprobs, Mapping) else {}
    tokens, scores = found.get("tokens"), found.get("token_logprobs")
    if not (isinstance(tokens, list) and isinstance(scores, list) and len(tokens) == len(scores) > 1):
        raise NoPromptScores(
            f"choices[0].logprobs is {excerpt(logprobs)}, expected tokens and token_logprobs of the prompt"
        )
    if not all(isinstance(token, str) for token in tokens):
        raise ReaderFault(f"choices[0].logprobs.tokens is {excerpt(tokens)}, expected texts")
    # The generated token is not part of the target. Some servers omit it, some report no usage.
    for num_generated in dict.fromkeys((_usage(reply, "completion_tokens"), 1, 0)):
        if num_generated is not None and num_generated < len(tokens):
            end = len(tokens) - num_generated
            count = count_target_tokens(tokens[:end], before, target)
            if count:
                return _mean(scores[end - count : end])
    raise NoPromptScores(
        f"the last tokens are {excerpt(tokens[-8:])}, expected those of the target: the server did not echo "
        f"the prompt, or decoded it to another text"
    )


def count_target_tokens(tokens: Sequence[str], before: str, target: str) -> int:
    """Number of last tokens that hold the target; 0 if the tokens do not end with it.

    Spaces, and the marks that replace them in raw tokens, are ignored. U+FFFD in a token is part of a
    character: it matches one non-ASCII character or none. The token before the target must end like `before`,
    so that a repeated word is not mistaken for the target.

    >>> count_target_tokens(["Answer", ":", " port", " 23", "79"], "Answer:", " port 2379")
    3
    >>> count_target_tokens(["Answer", ":\\n4", "2"], "Answer:", " 42")
    2
    """
    prompt, wanted = _bare(before), _bare(target)
    still = {len(wanted)}  # possible numbers of leading characters that no token has matched yet
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
    """Tokens read and written, from the server's `usage`; without it a quarter of the characters."""
    total = _usage(reply, "total_tokens")
    if total is not None:
        return total
    return math.ceil(sum(map(len, texts)) / _CHARS_A_TOKEN)


def error_reason(body: str) -> str:
    """Error message of a server: the message of the usual JSON shapes, otherwise the start of the body."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return _shortened(body)
    for key in ("error", "message", "detail"):
        if isinstance(found, Mapping) and key in found:
            found = found[key]
    return _shortened(found) if isinstance(found, str) else excerpt(found)


def context_overflow(reason: str) -> tuple[int, int] | bool:
    """Whether a refusal means that the prompt is too long; (tokens, window) if it gives both numbers."""
    if not _TOO_LONG.search(reason):
        return False
    window, read = _WINDOW.search(reason), _READ.search(reason)
    return (int(read[1]), int(window[1])) if window and read else True


def excerpt(value: object) -> str:
    """Value as JSON, cut to 200 characters."""
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
    raise ReaderFault(f"a log-probability is {excerpt(score)}, expected a number from {_LEAST:g} to 0")


def _first_choice(reply: object) -> Mapping[str, Any]:
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise ReaderFault(f"found {excerpt(reply)}, expected an object with at least one of choices")
    return choices[0]


def _usage(reply: object, key: str) -> int | None:
    usage = reply.get("usage") if isinstance(reply, Mapping) else None
    count = usage.get(key) if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS] + "..."
