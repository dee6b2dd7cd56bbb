"""Starts a side in a process of its own and asks it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parents[2]
PEERS_PYTHON = HERE / ".venv-peers" / "bin" / "python"
VARIABLE = "PEERS_PYTHON"
OURS, WHOLE, BARE = "ours", "ours-whole", "bare"
OWN = (OURS, WHOLE, BARE)
PACKING = (OURS, WHOLE)
DEFAULTS = ("llamaindex-plain", "langchain-plain", "haystack", "txtai", "chonkie")
"""Each peer as its documentation starts."""

HYBRIDS = ("llamaindex-hybrid", "langchain-hybrid", "haystack-hybrid", "txtai-hybrid", "chonkie-semantic")
"""The best of what each one's documentation has for no further model; Chonkie has no hybrid search."""

PEERS = (*DEFAULTS, *HYBRIDS)
OFFLINE: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LANGSMITH_TRACING": "false",
}
"""What keeps a side off the network. Chonkie, LlamaIndex and txtai report nothing unless they are told to."""


def peers_python() -> Path | None:
    """The interpreter of the peers' environment: `PEERS_PYTHON`, else `.venv-peers`; None: absent."""
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
        model: Folder of the embedding model, the same for every side.
        environment: Added to this process's own.

    Attributes:
        about: What it said of itself once it was loaded.

    Raises:
        SystemExit: a peer is asked for and there is no environment for it; says how to make one.
        RuntimeError: from any call: what the side said before it ended.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        self._end()

    def build(self, documents: Path, vectors: Path | None = None) -> dict[str, Any]:
        """Index the documents of a file; the answer as `protocol` says it.

        Args:
            documents: As `protocol` says.
            vectors: Folder of the vectors that peers share while they build; None where building is timed. Of
                no effect on `OWN`, whose figures are of their own vectors.
        """
        shared = str(vectors) if vectors is not None and self._name not in OWN else None
        return self._request(do="build", documents=str(documents), vectors=shared)

    def embedded(self, into: Path) -> dict[str, Any]:
        """Write what went through its model into a file; the answer as `protocol` says it."""
        return self._request(do="embedded", into=str(into))

    def ask(self, queries: Sequence[str], k: int) -> dict[str, Any]:
        """Passages and seconds of each query."""
        return self._request(do="ask", queries=list(queries), k=k)

    def pack(self, queries: Sequence[str], budget_tokens: int) -> dict[str, Any]:
        """Passages, tokens and seconds of each query's pack; a side that makes none ends with an error."""
        return self._request(do="pack", queries=list(queries), budget=budget_tokens)

    def _end(self) -> None:
        with self._process:  # closes its input, which ends it, and waits
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
