"""Reader (the language model that measures) behind an OpenAI-compatible URL.

Servers with such a URL are vLLM, SGLang, llama.cpp, transformers serve and others. A unit is a chunk or a
sentence that can be removed from the prompt. A mask says which units are kept. The target is the answer that
is scored. The reader has two kinds of outcome (score):

- `log-probability`: prompt and target are sent to `/completions`, which echoes them with their
  log-probabilities. Few servers support this (see `openai_replies`).
- `likeness`: `/chat/completions` writes a new answer from the kept units, and the words of this answer are
  compared with the target's words. Every server supports this, but an answer with the same meaning in other
  words counts as a loss.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from contextsvc.adapters.language_models.openai_client import OpenAiClient, RequestRefused
from contextsvc.adapters.language_models.openai_replies import (
    NoPromptScores,
    chat_text,
    context_overflow,
    num_tokens,
    prompt_score,
)
from contextsvc.adapters.language_models.prompt_layout import (
    LAYOUT_VERSION,
    REFUSAL,
    chat_layout,
    check_masks,
    completion_layout,
)
from contextsvc.adapters.language_models.resilience import (
    CircuitBreaker,
    DeadlineExceeded,
    RetriesExhausted,
    RetryPolicy,
)
from contextsvc.errors import InvalidRequest, ReaderFault, SettingError
from contextsvc.measuring.word_overlap import likeness
from contextsvc.ports import NO_LIMITS, Answer, Limits, Prompt, Scores
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.arrays import BoolArray
from contextsvc.records.fingerprints import Fingerprint, digest

OUTCOMES = ("auto", "log-probability", "likeness")
"""Values of the setting for the outcome.

`auto` measures log-probabilities if the server returns them, otherwise likeness.
"""

_CHAT, _COMPLETIONS = "/chat/completions", "/completions"
_UNSUPPORTED = (400, 404, 405, 422)  # statuses of servers without `/completions`, `echo` or `logprobs`
_BROKEN = (500, 501)  # statuses of llama-cpp-python without logits_all, and of servers that are down


class OpenAiEndpointReader:
    """A `ports.Reader` that calls a server, one call at a time, with temperature 0 and seed 0.

    The costs are counted as follows. `reader_calls` is the number of HTTP calls that returned an answer.
    Failed tries are not counted in it, but `max_tries` limits their number and `seconds` includes their time.
    `reader_tokens` is taken from the server's `usage`. If the server reports no usage, it is a quarter of the
    characters sent and received. The call that tests for log-probabilities is part of no measurement.

    The reader cannot detect that a server runs other weights under the same model name. If the weights
    change, give the model a new name.

    Thread-safe.
    """

    def __init__(
        self,
        url: str,
        model: str,
        api_key: str = "",
        outcome: str = "auto",
        answer_max_tokens: int = 48,
        timeout_seconds: float = 60.0,
        max_tries: int = 4,
        breaker_failures: int = 5,
        breaker_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the arguments. No connection is made yet.

        Args:
            url: Base URL of the API without `/chat/completions`, usually http://HOST:PORT/v1.
            model: Name of the model on the server.
            api_key: Key that is sent as a bearer token and never shown; empty if no key is needed.
            outcome: One of `OUTCOMES`.
            answer_max_tokens: Maximum number of tokens of an answer.
            timeout_seconds: Timeout of one try.
            max_tries: Maximum number of tries of one call. The upper bound of the wait between two tries
                grows from 0.5 s to 20 s.
            breaker_failures: Number of consecutive failed calls after which calls are refused at once.
            breaker_seconds: Time for which calls are then refused.
            clock: Function that returns seconds that only increase.
            sleep: Function that waits for a number of seconds.

        Raises:
            MissingExtra: the extra `endpoint` is not installed.
            SettingError: an argument is out of its range.
        """
        _require(outcome in OUTCOMES, "outcome", outcome, f"one of {', '.join(OUTCOMES)}")
        _require(bool(model.strip("/ ")), "model", model, "the model's name on the server")
        numbers = {"answer_max_tokens": answer_max_tokens, "max_tries": max_tries}
        for name, value in {**numbers, "breaker_failures": breaker_failures}.items():
            _require(value >= 1, name, value, "at least 1")
        breaker = CircuitBreaker(url, breaker_failures, breaker_seconds, clock)
        self._client = OpenAiClient(
            url,
            api_key=api_key,
            timeout_seconds=timeout_seconds,
            policy=RetryPolicy(max_tries),
            breaker=breaker,
            clock=clock,
            sleep=sleep,
        )
        self._model, self._max_tokens, self._clock = model, answer_max_tokens, clock
        self._name = model.rstrip("/ ").rpartition("/")[2]
        self._requested_outcome = outcome
        # Whether the server returns log-probabilities of a prompt; None means that this was not tested yet.
        self._can_echo: bool | None = None
        self._lock = threading.Lock()
        self._chat, self._plain = chat_layout(lambda message: message), completion_layout()

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, digest of model and URL, outcome, digest of the prompt layout, and maximum answer length.

        If the outcome is `auto` and not yet known, the server is called once to find it.
        """
        where = digest(self._model, self._client.url)[:12]
        layout = digest(str(LAYOUT_VERSION), repr(self._chat), repr(self._plain))[:8]
        return Fingerprint(
            name=self._name,
            weights=where,
            usage=(self.outcome, layout),
            answer_max_tokens=self._max_tokens,
        )

    @property
    def name(self) -> str:
        """Name of the model without owner or folder."""
        return self._name

    @property
    def outcome(self) -> Outcome:
        """Kind of score that `score` returns.

        With `auto` the first use tests the server and stores the result.

        Raises:
            ReaderFault: the test failed. The next use tests again.
        """
        if self._requested_outcome == "likeness":
            return "likeness"
        return (
            "log-probability"
            if self._requested_outcome == "log-probability" or self._can_score()
            else "likeness"
        )

    def close(self) -> None:
        """Close the connections. This also happens when the reader is garbage-collected."""
        self._client.close()

    def answer(self, prompt: Prompt) -> Answer:
        """Answer from all units, by one chat completion.

        Raises:
            InvalidRequest: the prompt does not fit the model's window.
            ReaderFault: the server failed, refused the call or returned an unexpected reply.
        """
        started = self._clock()
        text, tokens = self._write(prompt, [True] * len(prompt.units), math.inf)
        return Answer(text, Cost(1, tokens, self._clock() - started))

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """Score the target under each mask, with one call per distinct mask, in order.

        Spaces around the target are ignored. The limits are checked before each call. The limit `calls` is
        never exceeded. The limit `tokens` may be exceeded by the tokens of the last call. The limit `seconds`
        also cancels the running call.

        Raises:
            ShapeError: the masks are not (num_masks, num_units).
            InvalidRequest: the target is empty, or a prompt does not fit the model's window.
            SettingError: outcome `log-probability` was requested and the server does not support it.
            ReaderFault: the server failed, refused the call or returned an unexpected reply.
        """
        started = self._clock()
        check_masks(masks, len(prompt.units))
        if not target.strip():
            raise InvalidRequest("the target is empty; expected the text whose likelihood is measured")
        deadline = started + limits.seconds
        found: dict[tuple[bool, ...], float] = {}
        tokens = 0
        for mask in dict.fromkeys(map(tuple, masks.tolist())):
            spent = len(found) >= limits.calls or tokens >= limits.tokens or self._clock() >= deadline
            if spent or limits.stopped:
                break
            try:
                found[mask], read = self._measure(prompt, mask, target.strip(), deadline)
            except DeadlineExceeded:
                break
            tokens += read
        values = [found.get(mask, math.nan) for mask in map(tuple, masks.tolist())]
        cost = Cost(len(found), tokens, self._clock() - started)
        return Scores(np.array(values, dtype=np.float64), cost)

    def _measure(
        self, prompt: Prompt, mask: Sequence[bool], target: str, deadline: float
    ) -> tuple[float, int]:
        """Return the outcome under one mask, and the number of tokens read and written."""
        if self._requested_outcome == "likeness" or not self._can_score(deadline):
            written, tokens = self._write(prompt, mask, deadline)
            return likeness(written, target), tokens
        return self._read(prompt, mask, target, deadline)

    def _write(self, prompt: Prompt, mask: Sequence[bool], deadline: float) -> tuple[str, int]:
        layout = self._chat
        message = f"{layout.head}{_kept(prompt, mask)}{layout.question(prompt.query)}{layout.tail}"
        turns = [{"role": "user", "content": message}]
        body = {**self._body(self._max_tokens), "messages": turns}
        reply = self._post(_CHAT, body, deadline)
        with self._naming_endpoint(_CHAT):
            text = chat_text(reply)
        return text or REFUSAL, num_tokens(reply, message, text)

    def _read(self, prompt: Prompt, mask: Sequence[bool], target: str, deadline: float) -> tuple[float, int]:
        layout = self._plain
        before = f"{layout.head}{_kept(prompt, mask)}{layout.question(prompt.query)}{layout.tail}"
        after = layout.target(target)
        # One token is generated and ignored, because some servers read 0 as "no limit".
        body = {**self._body(1), "prompt": before + after, "echo": True, "logprobs": 1}
        reply = self._post(_COMPLETIONS, body, deadline)
        with self._naming_endpoint(_COMPLETIONS):
            return prompt_score(reply, before, after), num_tokens(reply, before, after)

    def _body(self, max_tokens: int) -> dict[str, object]:
        return {"model": self._model, "max_tokens": max_tokens, "temperature": 0, "seed": 0}

    def _can_score(self, deadline: float = math.inf) -> bool:
        """Return whether the server returns log-probabilities of a prompt. One small call tests this once."""
        with self._lock:
            if self._can_echo is None:
                try:
                    self._read(Prompt((), "What is two plus two?"), [], "It is four.", deadline)
                    self._can_echo = True
                except (NoPromptScores, RequestRefused, RetriesExhausted) as error:
                    self._require_unsupported(error, deadline)
                    self._can_echo = False
            return self._can_echo

    def _require_unsupported(self, error: ReaderFault, deadline: float) -> None:
        """Raise unless the error means that the server cannot score a prompt."""
        status = error.status if isinstance(error, RequestRefused | RetriesExhausted) else _UNSUPPORTED[0]
        if status not in (*_UNSUPPORTED, *_BROKEN):
            raise error
        if self._requested_outcome == "log-probability":
            raise SettingError(
                f"{self._client.url} returns no log-probabilities of a prompt ({error}); expected a server "
                f"whose {_COMPLETIONS} supports echo with logprobs (vLLM, SGLang, llama-cpp-python with "
                f"logits_all); set CONTEXTSVC_READER_OUTCOME to likeness or auto"
            ) from error
        if status in _BROKEN:
            # The server may be down or only unable to score. A chat completion raises if the server is down.
            self._write(Prompt((), "What is two plus two?"), [], deadline)

    def _post(self, path: str, body: object, deadline: float) -> object:
        """Return the reply of the server.

        A prompt that is too long raises `InvalidRequest`, whatever status the server returned.
        """
        try:
            return self._client.post(path, body, deadline)
        except RequestRefused as error:
            too_long = context_overflow(error.reason) or error.status == 413
            if not too_long:
                raise
            reason = f"the prompt is too long for {self._name}: {error.reason}"
            if isinstance(too_long, tuple):
                counted = f"prompt and answer have {too_long[0]} tokens"
                reason = f"{counted}; the window of {self._name} holds {too_long[1]}"
            advice = "use a smaller budget or a reader with a larger window"
            raise InvalidRequest(f"{reason}: {advice}") from error

    @contextmanager
    def _naming_endpoint(self, path: str) -> Iterator[None]:
        """Put the endpoint's URL in front of the text of an error raised within the context."""
        try:
            yield
        except ReaderFault as error:
            raise type(error)(f"{self._client.url}{path}: {error}") from error


def _kept(prompt: Prompt, mask: Sequence[bool]) -> str:
    return "".join(unit for unit, keep in zip(prompt.units, mask, strict=True) if keep)


def _require(holds: bool, name: str, found: object, expected: str) -> None:
    if not holds:
        raise SettingError(f"the endpoint's {name} is {found!r}; expected {expected}")
