"""One POST to a server of the OpenAI API, with timeouts, retries and a circuit breaker, over httpx."""

import json
import math
import time
import weakref
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from contextsvc.adapters.readers.openai_replies import SHOWN_CHARS, error_reason
from contextsvc.adapters.readers.resilience import (
    CircuitBreaker,
    OutOfTime,
    Patience,
    Transient,
    with_retries,
)
from contextsvc.errors import MissingExtra, ReaderFault, SettingError

if TYPE_CHECKING:
    import httpx

MAX_REPLY_BYTES = 10_000_000
CONNECT_SECONDS = 10.0

_LONG_KEY = 8


class Refused(ReaderFault):
    """The server answered, and said no: a status other than 2xx, 429 and 5xx.

    Attributes:
        status: As HTTP has it.
        reason: The server's own words, shortened.
    """

    def __init__(self, where: str, status: int, reason: str) -> None:
        super().__init__(f"{where} answered {status}: {reason or 'nothing'}")
        self.status, self.reason = status, reason


class OpenAiClient:
    """Posts JSON and gives back JSON; several threads may use one.

    The API key is sent as a bearer token and appears nowhere else: errors that quote the server have
    it blotted out.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        timeout_seconds: float = 60.0,
        patience: Patience | None = None,
        breaker: CircuitBreaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: Up to and without `/chat/completions`, usually ending in `/v1`.
            api_key: Printable ASCII; empty: none is sent.
            timeout_seconds: Of one try: for the connection (at most 10), for each silence, and for
                the whole reply once it has begun.
            patience: How failed tries are repeated.
            breaker: Shared by all calls.
            clock: Seconds that only grow.
            sleep: Waits that many seconds.

        Raises:
            MissingExtra: httpx or tenacity is not installed.
            SettingError: the URL or the key cannot be used.
        """
        self._httpx = _httpx()
        self.url = _checked_url(self._httpx, url)
        self._key = _checked_key(api_key)
        if not timeout_seconds > 0:
            raise SettingError(f"the endpoint's timeout is {timeout_seconds} s; expected more than 0")
        self._timeout_seconds = timeout_seconds
        self._patience = patience or Patience()
        self._breaker = breaker or CircuitBreaker(self.url, clock=clock)
        self._clock, self._sleep = clock, sleep
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = self._httpx.Client(headers=headers, verify=_certificates())
        self.close = weakref.finalize(self, self._client.close)  # at the latest when nobody holds it

    def post(self, path: str, body: object, deadline: float = math.inf) -> Any:
        """The parsed JSON that the server answers with a status of 2xx.

        429, 5xx, failed connections, timeouts and replies cut short are tried again.

        Args:
            path: Put behind the URL.
            body: Sent as JSON.
            deadline: When, on the clock, to stop trying; a try is cut short by it.

        Raises:
            Refused: the server said no.
            OutOfTime: the deadline passed first.
            ReaderFault: every try failed, the breaker is open, or the reply is too large or no JSON.
        """
        # ASCII escapes: a lone surrogate in a text would not encode as UTF-8.
        content = json.dumps(body).encode("ascii")
        with self._breaker.call():
            status, reply = with_retries(
                partial(self._try, path, content, deadline),
                self._patience,
                lambda: deadline - self._clock(),
                self._sleep,
            )
        if status >= 300:  # outside the breaker: who says no is well
            raise Refused(self.url + path, status, reply)
        return reply

    def _try(self, path: str, content: bytes, deadline: float) -> tuple[int, Any]:
        """Status, and the parsed reply to 2xx or the reason of a refusal."""
        where = self.url + path
        started = self._clock()
        seconds = min(self._timeout_seconds, deadline - started)
        if seconds <= 0:
            raise OutOfTime(f"no time was left to ask {where}")
        timeout = self._httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        try:
            with self._client.stream("POST", where, content=content, timeout=timeout) as response:
                data = self._read(response.iter_bytes(), where, started + seconds)
        except (self._httpx.TransportError, TimeoutError) as error:
            if self._clock() >= deadline:
                raise OutOfTime(f"time ran out while {where} was asked") from error
            raise Transient(f"{where}: {_words(error, seconds)}") from error
        except self._httpx.HTTPError as error:  # a body that does not decode
            raise ReaderFault(f"{where}: {_words(error, seconds)}") from error
        return self._judge(where, response, data)

    def _read(self, pieces: Iterable[bytes], where: str, until: float) -> bytes:
        data = bytearray()
        for piece in pieces:
            data += piece
            if len(data) > MAX_REPLY_BYTES:
                raise ReaderFault(f"{where} answered more than {MAX_REPLY_BYTES} bytes; expected less")
            if self._clock() > until:
                raise TimeoutError("the reply had begun but did not end")
        return bytes(data)

    def _judge(self, where: str, response: "httpx.Response", data: bytes) -> tuple[int, Any]:
        status, text = response.status_code, data.decode("utf-8", "replace")
        if not response.is_success:
            reason = error_reason(self._blotted(text))
            if status == 429 or status >= 500:
                wait = _retry_after(response.headers.get("retry-after", ""))
                raise Transient(f"{where} answered {status}: {reason or 'nothing'}", status, wait)
            return status, reason
        # A short key is a dummy ("EMPTY"), and may be a word of an honest answer.
        text = self._blotted(text) if len(self._key) >= _LONG_KEY else text
        try:
            return status, json.loads(text)
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("content-type", "no content type")
            found = f"{len(data)} bytes ({kind}): {self._blotted(text)[:SHOWN_CHARS]!r}"
            message = f"{where} answered {status} with {found}; expected JSON"
            if not text.strip() or text.lstrip().startswith("{"):  # begun well, so probably cut short
                raise Transient(message, status) from error
            raise ReaderFault(message) from error

    def _blotted(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


def _httpx() -> Any:
    # Imported on first use: an extra.
    try:
        import httpx
        import tenacity  # noqa: F401  (with_retries will need it)
    except ImportError as error:
        raise MissingExtra("a reader behind a URL", "endpoint") from error
    return httpx


@cache
def _certificates() -> Any:
    # Reading them takes a twentieth of a second, which every client would spend anew.
    return _httpx().create_ssl_context()


def _checked_url(httpx: Any, url: str) -> str:
    try:
        parsed = httpx.URL(url.strip().rstrip("/"))
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    plain = not (parsed.userinfo or parsed.query or parsed.fragment)
    if not (parsed.scheme in ("http", "https") and parsed.host and plain):
        # What was found is not shown: it may hold a password.
        raise SettingError(
            "the endpoint's URL (CONTEXTSVC_READER_URL) cannot be used; expected http://HOST:PORT/v1 or "
            "https://HOST/v1 without user, password, query and fragment; a key goes into "
            "CONTEXTSVC_READER_API_KEY"
        )
    return str(parsed)


def _checked_key(key: str) -> str:
    if not all("!" <= letter <= "~" for letter in key):
        raise SettingError(
            "the endpoint's API key (CONTEXTSVC_READER_API_KEY) holds a space or a character that is not "
            "printable ASCII; expected the key alone"
        )
    return key


def _words(error: Exception, seconds: float) -> str:
    said = str(error) or type(error).__name__
    return f"{said} ({type(error).__name__}, timeout {seconds:.1f} s)"


def _retry_after(header: str) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date; None where it holds neither."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
