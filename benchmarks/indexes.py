"""Temporary indexes behind an engine, queries drawn from an index, and a running service."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from contextsvc.indexing.build import build_index
from contextsvc.ports import Embedder
from contextsvc.records.documents import Document
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_engine, build_index_parts


@contextmanager
def indexed(
    name: str, documents: Iterable[Document], embedder: Embedder | None = None, /, **changed: Any
) -> Iterator[tuple[Engine, LoadedIndex]]:
    """An engine without cache over an index of these documents; the index is removed afterwards.

    Args:
        name: Name of the index.
        documents: Read once.
        embedder: Embeds passages; None: the embedder of the settings.
        changed: Settings that differ from those of the environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), **{"root": Path(folder), "cache": False, **changed})
        build_index(settings.root, name, documents, build_index_parts(settings, embedder))
        engine = build_engine(settings)
        yield engine, engine.library.get(name)


def drawn_queries(corpus: Corpus, num_queries: int, seed: int) -> list[str]:
    """Distinct queries of 4 to 12 words, each a run of words from a random chunk."""
    rng = np.random.default_rng(seed)
    queries: dict[str, None] = {}
    while len(queries) < num_queries:
        words = corpus.chunk(int(rng.integers(corpus.num_chunks))).text.split()
        size = int(rng.integers(4, 13))
        if len(words) > size:
            first = int(rng.integers(len(words) - size))
            queries[" ".join(words[first : first + size])] = None
    return list(queries)


@contextmanager
def served(environment: Mapping[str, str], tree: Path | None = None) -> Iterator[httpx.Client]:
    """A client of the service in a process of its own, which ends with the block.

    Args:
        environment: Variables added to those of this process; `CONTEXTSVC_ROOT` names the indexes.
        tree: Root of the checkout to run; None: the working folder.

    Raises:
        SystemExit: the service ends before it is ready.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "contextsvc", "serve", "--port", str(port)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command, cwd=tree, env={**os.environ, **environment}, stdout=log, stderr=log
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
    ):
        try:
            while process.poll() is None:
                with suppress(httpx.HTTPError):
                    client.get("/readyz").raise_for_status()
                    break
                time.sleep(0.1)
            else:
                raise SystemExit(f"the service ended with {process.returncode} before it was ready")
            yield client
        finally:
            process.terminate()
