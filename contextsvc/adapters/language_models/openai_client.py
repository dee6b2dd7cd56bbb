"""HTTP client of an OpenAI-compatible server with httpx, timeouts, retries and a circuit breaker."""

import json
import math
import time
import weakref
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from contextsvc.adapters.language_models.openai_replies import EXCERPT_CHARS, error_reason
from contextsvc.adapters.language_models.resilience import (
    CircuitBreaker,
    DeadlineExceeded,
    RetryPolicy,
    TransientFault,
    with_retries,
)
from contextsvc.errors import MissingExtra, ReaderFault, SettingError

if TYPE_CHECKING:
    import httpx

MAX_REPLY_BYTES = 10_000_000
CONNECT_SECONDS = 10.0

_LONG_KEY = 8


class RequestRefused(ReaderFault):
    """Error for a request that the server refused: the status is not 2xx, 429 or 5xx.

    Attributes:
        status: HTTP status.
        reason: Error message of the server, shortened.
    """

    def __init__(self, where: str, status: int, reason: str) -> None:
        super().__init__(f"{where} answered {status}: {reason or 'no message'}")
        self.status, self.reason = status, reason


class OpenAiClient:
    """Client that posts JSON and returns JSON. Thread-safe.

    The API key is sent as a bearer token and appears nowhere else. Errors that quote the server show `***` in
    place of the key.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        timeout_seconds: float = 60.0,
        policy: RetryPolicy | None = None,
        breaker: CircuitBreaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the arguments. No connection is made yet.

        Args:
            url: Base URL without `/chat/completions`, usually ending in `/v1`.
            api_key: Key in printable ASCII; empty means that no key is sent.
            timeout_seconds: Timeout of one try. It limits the time to connect (which has at most 10 s), each
                wait for data, and the whole reply once it has begun.
            policy: Rules for the retries of failed tries; None means the default rules.
            breaker: Circuit breaker of all calls; None means a new one.
            clock: Function that returns seconds that only increase.
            sleep: Function that waits for a number of seconds.

        Raises:
            MissingExtra: httpx or tenacity is not installed.
            SettingError: the URL, the key or the timeout cannot be used.
        """
        self._httpx = _httpx()
        self.url = _checked_url(self._httpx, url)
        self._key = _checked_key(api_key)
        if not timeout_seconds > 0:
            raise SettingError(f"the endpoint's timeout is {timeout_seconds} s; expected more than 0")
        self._timeout_seconds = timeout_seconds
        self._policy = policy or RetryPolicy()
        self._breaker = breaker or CircuitBreaker(self.url, clock=clock)
        self._clock, self._sleep = clock, sleep
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = self._httpx.Client(headers=headers, verify=_certificates())
        # The connections close at the latest when this object is garbage-collected.
        self.close = weakref.finalize(self, self._client.close)

    def post(self, path: str, body: object, deadline: float = math.inf) -> Any:
        """Post a body and return the parsed JSON of a 2xx reply.

        A try is repeated after status 429 or 5xx, a failed connection, a timeout or a truncated reply.

        Args:
            path: Path that follows the base URL.
            body: Value to send as JSON.
            deadline: Time of `clock` at which to stop. The deadline also ends a running try.

        Raises:
            RequestRefused: the server refused the request.
            DeadlineExceeded: the deadline passed first.
            ReaderFault: every try failed, the breaker is open, or the reply is too large or not JSON.
        """
        # The JSON uses ASCII escapes, because a lone surrogate in a text cannot be encoded as UTF-8.
        content = json.dumps(body).encode("ascii")
        with self._breaker.call():
            status, reply = with_retries(
                partial(self._try, path, content, deadline),
                self._policy,
                lambda: deadline - self._clock(),
                self._sleep,
            )
        if status >= 300:  # checked outside the breaker, because a server that refuses is not down
            raise RequestRefused(self.url + path, status, reply)
        return reply

    def _try(self, path: str, content: bytes, deadline: float) -> tuple[int, Any]:
        """Make one try and return (status, parsed reply) of a 2xx reply, or (status, reason) of a refusal."""
        where = self.url + path
        started = self._clock()
        seconds = min(self._timeout_seconds, deadline - started)
        if seconds <= 0:
            raise DeadlineExceeded(f"no time was left to call {where}")
        timeout = self._httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        try:
            with self._client.stream("POST", where, content=content, timeout=timeout) as response:
                data = self._read(response.iter_bytes(), where, started + seconds)
        except (self._httpx.TransportError, TimeoutError) as error:
            if self._clock() >= deadline:
                raise DeadlineExceeded(f"the deadline passed while {where} was called") from error
            raise TransientFault(f"{where}: {_describe(error, seconds)}") from error
        except self._httpx.HTTPError as error:  # for example a body that cannot be decompressed
            raise ReaderFault(f"{where}: {_describe(error, seconds)}") from error
        return self._interpret(where, response, data)

    def _read(self, pieces: Iterable[bytes], where: str, until: float) -> bytes:
        data = bytearray()
        for piece in pieces:
            data += piece
            if len(data) > MAX_REPLY_BYTES:
                raise ReaderFault(
                    f"{where} answered more than {MAX_REPLY_BYTES} bytes; expected at most that"
                )
            if self._clock() > until:
                raise TimeoutError("the reply began but did not end in time")
        return bytes(data)

    def _interpret(self, where: str, response: "httpx.Response", data: bytes) -> tuple[int, Any]:
        status, text = response.status_code, data.decode("utf-8", "replace")
        if not response.is_success:
            reason = error_reason(self._redacted(text))
            if status == 429 or status >= 500:
                wait = _retry_after_seconds(response.headers.get("retry-after", ""))
                raise TransientFault(f"{where} answered {status}: {reason or 'no message'}", status, wait)
            return status, reason
        # A short key is a placeholder such as "EMPTY", which may also be a word of an answer.
        text = self._redacted(text) if len(self._key) >= _LONG_KEY else text
        try:
            return status, json.loads(text)
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("content-type", "no content type")
            found = f"{len(data)} bytes ({kind}): {self._redacted(text)[:EXCERPT_CHARS]!r}"
            message = f"{where} answered {status} with {found}; expected JSON"
            if not text.strip() or text.lstrip().startswith(
                "{"
            ):  # starts like JSON, so it was probably truncated
                raise TransientFault(message, status) from error
            raise ReaderFault(message) from error

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


def _httpx() -> Any:
    # httpx is imported on first use, because it is an optional dependency.
    try:
        import httpx
        import tenacity  # noqa: F401  (with_retries needs it)
    except ImportError as error:
        raise MissingExtra("a reader behind a URL", "endpoint") from error
    return httpx


@cache
def _certificates() -> Any:
    # Loading the certificates takes 50 ms. They are cached, so that this happens once for all clients.
    return _httpx().create_ssl_context()


def _checked_url(httpx: Any, url: str) -> str:
    try:
        parsed = httpx.URL(url.strip().rstrip("/"))
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    plain = not (parsed.userinfo or parsed.query or parsed.fragment)
    if not (parsed.scheme in ("http", "https") and parsed.host and plain):
        # The URL is not quoted, because it may contain a password.
        raise SettingError(
            "the endpoint's URL (CONTEXTSVC_READER_URL) cannot be used; expected http://HOST:PORT/v1 or "
            "https://HOST/v1 without user, password, query and fragment; a key goes into "
            "CONTEXTSVC_READER_API_KEY"
        )
    return str(parsed)


def _checked_key(key: str) -> str:
    if not all("!" <= letter <= "~" for letter in key):
        raise SettingError(
            "the endpoint's API key (CONTEXTSVC_READER_API_KEY) contains a space or a character that is not "
            "printable ASCII; expected the key alone"
        )
    return key


def _describe(error: Exception, seconds: float) -> str:
    reason = str(error) or type(error).__name__
    return f"{reason} ({type(error).__name__}, timeout {seconds:.1f} s)"


def _retry_after_seconds(header: str) -> float | None:
    """Return the seconds of a Retry-After header, given as a number or a date; None for anything else."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
