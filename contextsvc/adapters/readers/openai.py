"""Reader: a model behind an OpenAI-compatible URL (vLLM, SGLang, llama.cpp, transformers serve and others).

Two ways to measure. `log-probability`: the prompt and the target are sent to `/completions`, which echoes
them with their log-probabilities; few servers can (see `openai_replies`). `likeness`: `/chat/completions`
answers anew from the kept units, and the words of its answer are compared with the target's; any server
can, but an answer that says the same in other words counts as a loss.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from contextsvc.adapters.readers.openai_client import OpenAiClient, Refused
from contextsvc.adapters.readers.openai_replies import (
    NoPromptScores,
    beyond_window,
    chat_text,
    num_tokens,
    prompt_score,
)
from contextsvc.adapters.readers.prompt_layout import (
    LAYOUT_VERSION,
    REFUSAL,
    chat_layout,
    check_masks,
    completion_layout,
)
from contextsvc.adapters.readers.resilience import CircuitBreaker, GaveUp, OutOfTime, Patience
from contextsvc.errors import InvalidRequest, ReaderFault, SettingError
from contextsvc.measuring.word_overlap import likeness
from contextsvc.ports import NO_LIMITS, Answer, Limits, Prompt, Scores
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.arrays import BoolArray
from contextsvc.records.fingerprints import Fingerprint, digest

OUTCOMES = ("auto", "log-probability", "likeness")
"""What may be asked for; `auto`: log-probabilities where the server gives them."""

_CHAT, _COMPLETIONS = "/chat/completions", "/completions"
_UNSUPPORTED = (400, 404, 405, 422)  # how servers refuse `/completions`, `echo` or `logprobs`
_BROKEN = (500, 501)  # llama-cpp-python without logits_all, and servers that are down


class OpenAiEndpointReader:
    """Scores and answers with the model of a server, one call at a time, at temperature 0 and seed 0.

    A cost's calls are HTTP calls that gave an answer: failed tries do not count, as they are bounded
    (`max_tries` a call) and show in the seconds. Its tokens are the server's `usage`; of a server that
    reports none, a quarter of the characters sent and received. The one call that finds out what
    the server can do belongs to no measurement.

    What the server runs behind a model's name cannot be known: when that changes, give it a new name.

    Several threads may call one reader at a time.
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
        """Connect to nothing yet.

        Args:
            url: Of the API, without `/chat/completions`: usually http://HOST:PORT/v1.
            model: As the server names it.
            api_key: Sent as a bearer token, shown nowhere; empty: none.
            outcome: One of `OUTCOMES`.
            answer_max_tokens: Longest answer it writes, also when it writes to compare.
            timeout_seconds: Of one try.
            max_tries: Of one call; waits in between grow from at most 0.5 s to at most 20 s.
            breaker_failures: After so many failed calls in a row the server is left alone,
            breaker_seconds: for so long.
            clock: Seconds that only grow.
            sleep: Waits that many seconds.

        Raises:
            MissingExtra: the extra `endpoint` is not installed.
            SettingError: a setting is out of its range.
        """
        _require(outcome in OUTCOMES, "outcome", outcome, f"one of {', '.join(OUTCOMES)}")
        _require(bool(model.strip("/ ")), "model", model, "the name under which the server knows it")
        numbers = {"answer_max_tokens": answer_max_tokens, "max_tries": max_tries}
        for name, value in {**numbers, "breaker_failures": breaker_failures}.items():
            _require(value >= 1, name, value, "at least 1")
        breaker = CircuitBreaker(url, breaker_failures, breaker_seconds, clock)
        self._client = OpenAiClient(
            url, api_key, timeout_seconds, Patience(max_tries), breaker, clock, sleep
        )  # fmt: skip
        self._model, self._max_tokens, self._clock = model, answer_max_tokens, clock
        self._name = model.rstrip("/ ").rpartition("/")[2]
        self._wanted = outcome
        self._able: bool | None = None  # to give log-probabilities of a prompt; None: not asked yet
        self._lock = threading.Lock()
        self._chat, self._plain = chat_layout(lambda message: message), completion_layout()

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, a digest of model and URL, outcome, a digest of the prompt layout, and answer length.

        Asks the server once if `outcome` does.
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
        """The model's name, without owner or folder."""
        return self._name

    @property
    def outcome(self) -> Outcome:
        """What `score` gives; under `auto` the server is asked at first use, and the answer kept.

        Raises:
            ReaderFault: the server could not be asked; nothing is kept.
        """
        if self._wanted == "likeness":
            return "likeness"
        return "log-probability" if self._wanted == "log-probability" or self._can_score() else "likeness"

    def close(self) -> None:
        """Let go of connections; it happens by itself when nobody holds the reader."""
        self._client.close()

    def answer(self, prompt: Prompt) -> Answer:
        """One chat completion from all units.

        Raises:
            InvalidRequest: the prompt does not fit the model's window.
            ReaderFault: the server failed, refused or answered in another shape.
        """
        started = self._clock()
        text, tokens = self._write(prompt, [True] * len(prompt.units), math.inf)
        return Answer(text, Cost(1, tokens, self._clock() - started))

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """One call a distinct mask, in order; spaces around the target do not count.

        Limits are looked at before each call: calls are never exceeded, tokens by at most the last
        call's; time also cuts short the call under way.

        Raises:
            ShapeError: the masks are not (num_masks, num_units).
            InvalidRequest: the target is empty, or a prompt does not fit the model's window.
            SettingError: log-probabilities were asked for and the server gives none.
            ReaderFault: the server failed, refused or answered in another shape.
        """
        started = self._clock()
        check_masks(masks, len(prompt.units))
        if not target.strip():
            raise InvalidRequest("the target is empty; expected the text whose likelihood is measured")
        deadline = started + limits.seconds
        found: dict[tuple[bool, ...], float] = {}
        tokens = 0
        for mask in dict.fromkeys(map(tuple, masks.tolist())):
            if len(found) >= limits.calls or tokens >= limits.tokens or self._clock() >= deadline:
                break
            try:
                found[mask], read = self._measure(prompt, mask, target.strip(), deadline)
            except OutOfTime:
                break
            tokens += read
        values = [found.get(mask, math.nan) for mask in map(tuple, masks.tolist())]
        cost = Cost(len(found), tokens, self._clock() - started)
        return Scores(np.array(values, dtype=np.float64), cost)

    def _measure(
        self, prompt: Prompt, mask: Sequence[bool], target: str, deadline: float
    ) -> tuple[float, int]:
        """The outcome under one mask, and tokens read and written."""
        if self._wanted == "likeness" or not self._can_score(deadline):
            written, tokens = self._write(prompt, mask, deadline)
            return likeness(written, target), tokens
        return self._read(prompt, mask, target, deadline)

    def _write(self, prompt: Prompt, mask: Sequence[bool], deadline: float) -> tuple[str, int]:
        layout = self._chat
        message = f"{layout.head}{_kept(prompt, mask)}{layout.question(prompt.query)}{layout.tail}"
        turns = [{"role": "user", "content": message}]
        body = {**self._body(self._max_tokens), "messages": turns}
        reply = self._post(_CHAT, body, deadline)
        with self._addressed(_CHAT):
            text = chat_text(reply)
        return text or REFUSAL, num_tokens(reply, message, text)

    def _read(self, prompt: Prompt, mask: Sequence[bool], target: str, deadline: float) -> tuple[float, int]:
        layout = self._plain
        before = f"{layout.head}{_kept(prompt, mask)}{layout.question(prompt.query)}{layout.tail}"
        after = layout.target(target)
        # One token is generated and left out again: some servers take 0 for "no limit".
        body = {**self._body(1), "prompt": before + after, "echo": True, "logprobs": 1}
        reply = self._post(_COMPLETIONS, body, deadline)
        with self._addressed(_COMPLETIONS):
            return prompt_score(reply, before, after), num_tokens(reply, before, after)

    def _body(self, max_tokens: int) -> dict[str, object]:
        return {"model": self._model, "max_tokens": max_tokens, "temperature": 0, "seed": 0}

    def _can_score(self, deadline: float = math.inf) -> bool:
        """Whether the server gives log-probabilities of a prompt: one small call, then remembered."""
        with self._lock:
            if self._able is None:
                try:
                    self._read(Prompt((), "What is two plus two?"), [], "It is four.", deadline)
                    self._able = True
                except (NoPromptScores, Refused, GaveUp) as error:
                    self._judge_probe(error, deadline)
                    self._able = False
            return self._able

    def _judge_probe(self, error: ReaderFault, deadline: float) -> None:
        """Return if the error says that the server cannot score a prompt, else raise."""
        status = error.status if isinstance(error, Refused | GaveUp) else _UNSUPPORTED[0]
        if status not in (*_UNSUPPORTED, *_BROKEN):
            raise error
        if self._wanted == "log-probability":
            raise SettingError(
                f"{self._client.url} gives no log-probabilities of a prompt ({error}); expected a server "
                f"whose {_COMPLETIONS} takes echo with logprobs (vLLM, SGLang, llama-cpp-python with "
                f"logits_all); set CONTEXTSVC_READER_OUTCOME to likeness or auto"
            ) from error
        if status in _BROKEN:
            # Ill or unable? One that chats is well.
            self._write(Prompt((), "What is two plus two?"), [], deadline)

    def _post(self, path: str, body: object, deadline: float) -> object:
        """The reply; a prompt that is too long is the caller's mistake, whatever the status."""
        try:
            return self._client.post(path, body, deadline)
        except Refused as error:
            too_long = beyond_window(error.reason) or error.status == 413
            if not too_long:
                raise
            reason = f"the prompt is too long for {self._name}: {error.reason}"
            if isinstance(too_long, tuple):
                counted = f"prompt and answer have {too_long[0]} tokens"
                reason = f"{counted}; the window of {self._name} holds {too_long[1]}"
            advice = "use a smaller budget or a reader with a larger window"
            raise InvalidRequest(f"{reason}: {advice}") from error

    @contextmanager
    def _addressed(self, path: str) -> Iterator[None]:
        """Put the endpoint in front of what is wrong with its reply."""
        try:
            yield
        except ReaderFault as error:
            raise type(error)(f"{self._client.url}{path}: {error}") from error


def _kept(prompt: Prompt, mask: Sequence[bool]) -> str:
    return "".join(unit for unit, keep in zip(prompt.units, mask, strict=True) if keep)


def _require(holds: bool, name: str, found: object, expected: str) -> None:
    if not holds:
        raise SettingError(f"the endpoint's {name} is {found!r}; expected {expected}")
