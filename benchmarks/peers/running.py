"""Sides in processes of their own: starting them and sending requests."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2]
PEERS_PYTHON = HERE / ".venv-peers" / "bin" / "python"
VARIABLE = "PEERS_PYTHON"
OURS, WHOLE, BARE = "ours", "ours-whole", "bare"
OWN = (OURS, WHOLE, BARE)
PACKING = (OURS, WHOLE)
DEFAULTS = ("llamaindex-plain", "langchain-plain", "haystack", "txtai", "chonkie")
"""Each peer as its documentation begins."""

HYBRIDS = ("llamaindex-hybrid", "langchain-hybrid", "haystack-hybrid", "txtai-hybrid", "chonkie-semantic")
"""The best setup of each documentation that needs no further model; Chonkie has no hybrid search."""

PEERS = (*DEFAULTS, *HYBRIDS)
LARGER = (
    "llamaindex-merging", "llamaindex-window", "langchain-parents", "haystack-merging", "haystack-window"
)  # fmt: skip
"""What three of them have to search small pieces and give larger ones."""

OFFLINE: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LANGSMITH_TRACING": "false",
}
"""Keeps sides off the network. Chonkie, LlamaIndex and txtai send no reports by default."""


def peers_python() -> Path | None:
    """Interpreter of the peers' environment: `PEERS_PYTHON`, else `.venv-peers`; None if absent."""
    place = Path(os.environ.get(VARIABLE) or PEERS_PYTHON)
    return place if place.is_file() else None


def can_run(side: str) -> bool:
    """True if the environment of a side exists; prints a line if not."""
    able = side in OWN or peers_python() is not None
    if not able:
        print(f"{side} is left out: the peers have no environment; make it: make peers")
    return able


class Running:
    """A running side; use it in a `with` block.

    Args:
        name: One of `worker.SIDES`.
        model: Folder of the embedding model.
        environment: Variables added to those of this process.

    Attributes:
        about: First line of the side, see `protocol`.

    Raises:
        SystemExit: the environment of a peer is absent; the message says how to make it.
        RuntimeError: from any call: the error of the side.
    """

    def __init__(self, name: str, model: Path, environment: Mapping[str, str] | None = None) -> None:
        python = Path(sys.executable) if name in OWN else peers_python()
        if python is None:
            raise SystemExit(f"skipped: {name} needs the peers' environment; make it: make peers")
        self._name = name
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.peers.worker", name, str(model)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=HERE,
            env={**os.environ, **OFFLINE, **(environment or {})},
        )  # fmt: skip
        self.about: dict[str, Any] = {}

    def __enter__(self) -> "Running":
        try:
            self.about = self._answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self._process.kill()
        self._end()

    def build(self, documents: Path, vectors: Path | None = None) -> dict[str, Any]:
        """Index the documents of a file.

        Args:
            documents: File of documents, see `protocol`.
            vectors: Folder of vectors that peers share; None if building is timed. `OWN` sides ignore it.
        """
        shared = str(vectors) if vectors is not None and self._name not in OWN else None
        return self._request(do="build", documents=str(documents), vectors=shared)

    def embedded(self, into: Path) -> dict[str, Any]:
        """Write the texts that went through the model into a file."""
        return self._request(do="embedded", into=str(into))

    def ask(self, queries: Sequence[str], k: int) -> dict[str, Any]:
        """Passages and seconds, one a query."""
        return self._request(do="ask", queries=list(queries), k=k)

    def pack(self, queries: Sequence[str], budget_tokens: int) -> dict[str, Any]:
        """Passages, tokens and seconds of packs, one a query; only of sides in `PACKING`."""
        return self._request(do="pack", queries=list(queries), budget=budget_tokens)

    def _end(self) -> None:
        with self._process:  # closes the input, which ends the process, and waits
            pass

    def _request(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "ended without an answer"}
        if "error" in answer:
            raise RuntimeError(f"{self._name}: {answer['error']}")
        return answer
