"""The endpoint reader against a real server that is not ours: `transformers serve`, without any network."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from contextsvc import assets
from contextsvc.adapters.language_models.openai import OpenAiEndpointReader
from contextsvc.ports import Prompt
from contextsvc.settings import Settings

NEEDED = ("openai", "fastapi", "uvicorn", "pydantic")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
PROMPT = Prompt(("etcd listens on port 2379 by default.\n\n",), "On which port does etcd listen?")

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        bool(MISSING), reason=f"transformers serve needs {', '.join(MISSING)}: extra `serving`"
    ),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAiEndpointReader]:
    """A reader of a server that runs while this file is tested."""
    folder = assets.locate(Settings.from_env().home, "SmolLM2-135M-Instruct")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as out:
        server = subprocess.Popen([*command, *options], stdout=out, stderr=out, env=environment)
    try:
        wait_for(server, f"http://127.0.0.1:{port}/health", log)
        endpoint = OpenAiEndpointReader(f"http://127.0.0.1:{port}/v1", str(folder), answer_max_tokens=6)
        yield endpoint
        endpoint.close()
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Until it is well; fail with its own words if it ends or takes over two minutes."""
    end = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"transformers serve did not come up: {log.read_text('utf-8', 'replace')[-2000:]}")


def test_it_chats(reader: OpenAiEndpointReader) -> None:
    answer = reader.answer(PROMPT)
    assert answer.text
    assert answer.cost.reader_calls == 1
    assert answer.cost.reader_tokens > 20  # its own count
    assert reader.answer(PROMPT).text == answer.text


def test_it_ignores_echo_so_answers_are_compared(reader: OpenAiEndpointReader) -> None:
    assert reader.outcome == "likeness"
    assert reader.name == "SmolLM2-135M-Instruct"


def test_it_scores_two_masks(reader: OpenAiEndpointReader) -> None:
    target = reader.answer(PROMPT).text
    scores = reader.score(PROMPT, np.array([[True], [False]]), target)
    assert scores.values[0] == 1.0  # temperature 0: the same answer again
    assert 0 <= scores.values[1] <= 1
    assert scores.cost.reader_calls == 2
