"""The hub source against a small server that answers as a hub does."""

import hashlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from contextsvc.adapters.assets.hub import HubSource
from contextsvc.assets import Asset, Pin, Repository, Wheel
from contextsvc.errors import MissingAsset

REVISION = "0123456789abcdef0123456789abcdef01234567"
FILES = {"a.txt": b"alpha", "sub/b.txt": b"beta"}
ASSET = Asset(
    name="small",
    purpose="tests",
    licence="MIT",
    files={m: Pin(hashlib.sha256(c).hexdigest(), len(c)) for m, c in FILES.items()},
    wheel=Wheel("small", "1.0", ""),
    repository=Repository("owner/small", REVISION),
)


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        prefix = f"/owner/small/resolve/{REVISION}/"
        content = FILES.get(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else None
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        if content is not None:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", REVISION)
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()
        return content or b""

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_every_file_comes_from_the_named_revision(address: str, tmp_path: Path) -> None:
    HubSource(address).fetch(ASSET, tmp_path)
    assert {member: (tmp_path / member).read_bytes() for member in FILES} == FILES


def test_another_revision_is_not_to_be_had(address: str, tmp_path: Path) -> None:
    other = replace(ASSET, repository=Repository("owner/small", REVISION[::-1]))
    with pytest.raises(MissingAsset, match="owner/small cannot be downloaded: 404"):
        HubSource(address).fetch(other, tmp_path)


def test_a_closed_port_is_not_to_be_had(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, never listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(MissingAsset, match="owner/small cannot be downloaded"):
            HubSource(f"http://127.0.0.1:{taken.getsockname()[1]}").fetch(ASSET, tmp_path)


def test_a_hub_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:  # accepts, never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(MissingAsset, match="owner/small cannot be downloaded"):
            HubSource(f"http://127.0.0.1:{silent.getsockname()[1]}").fetch(ASSET, tmp_path)


def test_an_asset_without_repository_is_not_looked_for(tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match="names no repository"):
        HubSource().fetch(replace(ASSET, repository=None), tmp_path)
