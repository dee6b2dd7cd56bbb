"""Parse and check replies of OpenAI-compatible servers, by pure functions over parsed JSON.

Servers use the same field names but differ in content. Scores of a prompt come from `/completions` with
`echo` and `logprobs`. Sources and outputs of 2024 to 2026 show these dialects:

- vLLM: `tokens` and `token_logprobs` list the prompt and the generated tokens. The first score is null. A
  start token such as `<s>` is included. `text_offset` counts the characters of decoded tokens. So it is
  shifted by the start token, and it becomes more and more wrong where decoding a single token drops a leading
  space (SentencePiece).
- SGLang: the lists are as in vLLM, but every `text_offset` is -1.
- llama-cpp-python: the lists are as in vLLM, without the start token. A `max_tokens` of 0 means "no limit",
  so 1 token is requested and ignored. The status is 500 unless the model was loaded with logits_all.
- llama.cpp's own server and transformers serve: the status is 400, or `echo` is ignored.

Therefore the tokens of the target (the answer that is scored) are found by their text, not by `text_offset`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from contextsvc.errors import ReaderFault

EXCERPT_CHARS = 200
"""Maximum length of a quotation from a reply in an error, in characters."""

_CHARS_A_TOKEN = 4
# Range of log-probabilities. vLLM writes -9999 for -inf, and rounding may put a sure token above 0.
_LEAST, _MOST = -1e6, 1e-3
_MARKS = str.maketrans("", "", "▁ĠĊ")
_NON_ASCII = "[^\\x00-\\x7f]?"
_TOO_LONG = re.compile(r"context (?:length|window|size)|context_length|n_ctx|prompt is too long", re.I)
_WINDOW = re.compile(r"(?:maximum context length|context window|context size)(?: is| of|:)? (\d+)", re.I)
_READ = re.compile(r"(?:you requested|resulted in|request has|prompt has|prompt contains) (\d+)", re.I)


class NoPromptScores(ReaderFault):
    """Error for a reply that holds no log-probabilities of the prompt."""


def chat_text(reply: object) -> str:
    """Return the text of the first choice of a chat completion, without spaces around it; may be empty.

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
    """Compute the mean natural log-probability of the target's tokens in an echoed completion.

    A token may hold both the end of `before` and the start of the target. Such a token counts as a token of
    the target, with its full log-probability, because no other token holds the target's first letters.

    Args:
        reply: Parsed reply to the prompt `before + target`.
        before: Text before the target. Its last character is ASCII and not a space.
        target: Text to score; not blank.

    Returns:
        Mean log-probability, in nats per token.

    Raises:
        NoPromptScores: the reply holds no tokens of the prompt, or these tokens do not end with the target.
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
    # The generated token is not part of the target. Some servers omit this token, and some report no usage.
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
    """Return how many of the last tokens hold the target; 0 if the tokens do not end with the target.

    Spaces are ignored, and so are the marks that replace spaces in raw tokens. U+FFFD in a token stands for a
    part of a character, so it matches one non-ASCII character or none. The token before the target must end
    like `before`, so that a repeated word is not mistaken for the target.

    >>> count_target_tokens(["Answer", ":", " port", " 23", "79"], "Answer:", " port 2379")
    3
    >>> count_target_tokens(["Answer", ":\\n4", "2"], "Answer:", " 42")
    2
    """
    prompt, wanted = _bare(before), _bare(target)
    still = {len(wanted)}  # possible numbers of the target's first characters that no token has matched yet
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
    """Return the number of tokens read and written, from the server's `usage`.

    If the reply reports no usage, the number is a quarter of the characters of `texts`, rounded up.
    """
    total = _usage(reply, "total_tokens")
    if total is not None:
        return total
    return math.ceil(sum(map(len, texts)) / _CHARS_A_TOKEN)


def error_reason(body: str) -> str:
    """Return the error message in the body of a server's reply.

    In the usual JSON shapes this is their message. For other bodies it is the start of the body.
    """
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return _shortened(body)
    for key in ("error", "message", "detail"):
        if isinstance(found, Mapping) and key in found:
            found = found[key]
    return _shortened(found) if isinstance(found, str) else excerpt(found)


def context_overflow(reason: str) -> tuple[int, int] | bool:
    """Return whether a refusal means that the prompt is too long.

    If the server's reason gives both numbers, (number of tokens, window in tokens) is returned instead of
    True.
    """
    if not _TOO_LONG.search(reason):
        return False
    window, read = _WINDOW.search(reason), _READ.search(reason)
    return (int(read[1]), int(window[1])) if window and read else True


def excerpt(value: object) -> str:
    """Return a value as JSON, cut to 200 characters."""
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
