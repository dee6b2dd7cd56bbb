"""A real HTTP server in a thread that speaks the OpenAI API, and misbehaves on command.

`LocalServer(fail(500), hang())` fails the first request, hangs at the second and is well from the third on.
What it answers when well can be worked out by hand, see `Oracle`.
"""

import json
import re
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from contextsvc.adapters.language_models.openai import OpenAiEndpointReader
from contextsvc.ports import Reader

Json = dict[str, Any]
Behaviour = Callable[["Handler", Json], None]

WINDOW_TOKENS = 8192
KEY = "sk-very-secret-0123456789"


@dataclass(frozen=True)
class Oracle:
    """A model whose tokens are words, each with the space before it.

    It answers with the first of `facts` that stands in its prompt, else "I do not know.". In an echoed
    completion the words after the last "Answer:" are the target. Its first word has -1 if the sources
    hold the target, else -3; every further one 0.5 less. A word of the prompt has -5, the one
    generated word -9, so that counting a wrong word shows.
    """

    facts: tuple[str, ...] = ("port 2379",)
    echoes: bool = True
    counts: bool = True

    def reply(self, path: str, body: Json) -> tuple[int, Json]:
        """Status and JSON for one request."""
        prompt = body["messages"][0]["content"] if "messages" in body else body.get("prompt", "")
        num_words = len(prompt.split()) + body["max_tokens"]
        if num_words > WINDOW_TOKENS:
            told = f"This model's maximum context length is {WINDOW_TOKENS} tokens. However, you requested "
            return 400, {"object": "error", "message": f"{told}{num_words} tokens.", "code": 400}
        if path == "/v1/chat/completions":
            sources = prompt.rpartition("Question: ")[0]
            text = next((fact for fact in self.facts if fact in sources), "I do not know.")
            choice: Json = {"index": 0, "message": {"role": "assistant", "content": text}}
            return 200, self._framed(choice, prompt, text)
        if path == "/v1/completions":
            return 200, self._framed(self._echo(prompt, body), prompt, " next")
        return 404, {"detail": "Not Found"}

    def _echo(self, prompt: str, body: Json) -> Json:
        if not (self.echoes and body.get("echo") and body.get("logprobs")):
            return {"index": 0, "text": " next", "logprobs": None}
        before, _, target = prompt.rpartition("Answer:")
        found = target.strip().lower() in before.rpartition("Question: ")[0].lower()
        read, wanted = words(before + "Answer:"), words(target)
        first = -1.0 if found else -3.0
        scores = [None, *[-5.0] * (len(read) - 1), *[first - 0.5 * i for i in range(len(wanted))], -9.0]
        tokens = [*read, *wanted, " next"]
        offsets = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
        logprobs = {"tokens": tokens, "token_logprobs": scores, "text_offset": offsets}
        return {"index": 0, "text": f"{prompt} next", "logprobs": logprobs}

    def _framed(self, choice: Json, prompt: str, text: str) -> Json:
        sizes = len(prompt.split()), len(text.split())
        usage = {"prompt_tokens": sizes[0], "completion_tokens": sizes[1], "total_tokens": sum(sizes)}
        return {"choices": [choice], **({"usage": usage} if self.counts else {})}


def words(text: str) -> list[str]:
    """Words, each with the spaces before it."""
    return re.findall(r"\s*\S+", text)


@dataclass
class Request:
    """What was asked."""

    path: str
    body: Json
    headers: Mapping[str, str] = field(repr=False)


class LocalServer:
    """Listens on a free port until closed; `requests` are those so far, in order."""

    def __init__(self, *script: Behaviour, oracle: Oracle | None = None) -> None:
        self.script, self.oracle = list(script), oracle or Oracle()
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._http = _Http(("127.0.0.1", 0), Handler)
        self._http.local = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Of the API."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def close(self) -> None:
        """Stop listening and let hanging requests go; then connections are refused."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)


class _Http(ThreadingHTTPServer):
    local: LocalServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up on purpose here."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two packets: 40 ms otherwise
    server: _Http

    def do_POST(self) -> None:
        """Take the script's next behaviour, or be well."""
        local = self.server.local
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        local.requests.append(Request(self.path, body, dict(self.headers)))
        behaviour = local.script.pop(0) if local.script else well
        behaviour(self, body)

    def send(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        """One whole reply."""
        kind = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        self.send_response(status)
        for name, value in {**kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def well(handler: Handler, body: Json) -> None:
    """As the oracle says."""
    status, reply = handler.server.local.oracle.reply(handler.path, body)
    handler.send(status, json.dumps(reply).encode())


def fail(status: int, reason: str = "out of order", **headers: str) -> Behaviour:
    """An error as servers of the API word it; `retry_after="2"` becomes Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps({"error": {"message": reason, "type": "server_error"}}).encode()
    return lambda handler, _: handler.send(status, data, named)


def say(data: bytes, kind: str = "application/json") -> Behaviour:
    """200 with these bytes."""
    return lambda handler, _: handler.send(200, data, {"Content-Type": kind})


def say_json(value: object) -> Behaviour:
    """200 with this value."""
    return say(json.dumps(value).encode())


def hang(handler: Handler, _body: Json) -> None:
    """Nothing at all until the server is closed."""
    handler.server.local.closing.wait(60)
    handler.close_connection = True


def drip(handler: Handler, _body: Json) -> None:
    """A reply that begins and goes on in single bytes, each within any read timeout, without an end."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.local.closing.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def stop_half_way(handler: Handler, _body: Json) -> None:
    """A Content-Length of more than is sent, then the end of the connection."""
    handler.send(200, b'{"choices": [{"mess', {"Content-Length": "5000"})
    handler.close_connection = True


def hang_up(handler: Handler, _body: Json) -> None:
    """The end of the connection instead of a reply."""
    handler.close_connection = True


def flood(handler: Handler, _body: Json) -> None:
    """60 MB of spaces in a JSON object."""
    handler.send_response(200)
    handler.send_header("Content-Length", "60000000")
    handler.end_headers()
    handler.wfile.write(b"{")
    for _ in range(600):
        handler.wfile.write(b" " * 100_000)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.waits = 100.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.waits.append(seconds)
        self.now += seconds


class Endpoints:
    """Readers with a server each, closed at the end of the block."""

    def __init__(self) -> None:
        self._open: list[LocalServer | OpenAiEndpointReader] = []

    def __enter__(self) -> "Endpoints":
        return self

    def __exit__(self, *_: object) -> None:
        for one in reversed(self._open):
            one.close()

    def start(
        self, *script: Behaviour, oracle: Oracle | None = None, **choices: Any
    ) -> tuple[OpenAiEndpointReader, LocalServer]:
        """A reader that does not really wait between tries, by likeness unless told otherwise."""
        server = LocalServer(*script, oracle=oracle)
        given = {"outcome": "likeness", "timeout_seconds": 20, "sleep": lambda _: None, **choices}
        reader = OpenAiEndpointReader(server.url, "owner/oracle", KEY, **given)
        self._open += [server, reader]
        return reader, server


Start = Callable[..., tuple[OpenAiEndpointReader, LocalServer]]


def build_endpoint(_folder: Path) -> Reader:
    """A reader of an `Oracle` that is served until the reader is gone: for the suite of the port."""
    local = LocalServer()
    reader = OpenAiEndpointReader(local.url, "oracle", timeout_seconds=30)
    weakref.finalize(reader, local.close)
    return reader
