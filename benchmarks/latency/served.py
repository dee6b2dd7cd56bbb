"""`POST /v1/context` over a real socket, uncached and cached."""

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import httpx
import numpy as np

from benchmarks.latency.quantiles import SEED, quantile
from benchmarks.queries import drawn_queries
from benchmarks.rows import Row, dataset, fingerprint
from contextsvc.indexing.build import build_index
from contextsvc.records.arrays import Float64Array
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import open_manifest
from contextsvc.wiring import build_index_parts, read_sources

BUDGET, NUM_WARM = 800, 20


@contextmanager
def served(root: Path) -> Iterator[httpx.Client]:
    """The service in a process of its own, as a user starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "contextsvc", "serve", "--port", str(port), "--root", str(root)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        try:
            for _ in range(600):
                try:
                    client.get("/readyz").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield client
        finally:
            process.terminate()


def milliseconds(calls: list[Callable[[], httpx.Response]]) -> Float64Array:
    """Time of each call, one after another."""
    times = []
    for call in calls:
        started = time.perf_counter()
        response = call()
        times.append(1000 * (time.perf_counter() - started))
        response.raise_for_status()
    return np.array(times)


def run(asked: argparse.Namespace, command: str) -> list[Row]:
    """Index `etcd_docs`, serve it, ask each query once cold and once again."""
    pages = dataset("etcd_docs", "content")
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder))
        documents = islice(read_sources(settings, [str(pages)], lambda *_: None), asked.pages)
        build_index(settings.root, "etcd", documents, build_index_parts(settings))
        generation, manifest = open_manifest(settings.root, "etcd")
        # a nonce keeps a query out of whatever cache an earlier run left
        nonce = str(time.time_ns())
        drawn = drawn_queries(Corpus.open(generation), NUM_WARM + asked.queries, SEED)
        queries = [f"{query} {nonce}" for query in drawn]
        with served(settings.root) as client:

            def ask(query: str) -> Callable[[], httpx.Response]:
                body = {"index": "etcd", "query": query, "budget_tokens": BUDGET}
                return lambda: client.post("/v1/context", json=body)

            milliseconds([ask(query) for query in queries[asked.queries :]])
            asks = [ask(query) for query in queries[: asked.queries]]
            timed = {"uncached": milliseconds(asks), "cached": milliseconds(asks),
                     "livez": milliseconds([lambda: client.get("/livez")] * asked.queries)}  # fmt: skip
    rows = []
    for kind, times in timed.items():
        for percent in (50, 95):
            value, interval = quantile(times, percent)
            rows.append(
                Row("latency", f"{kind} p{percent}, ms", value, interval, len(times), fingerprint(pages),
                    {"budget_tokens": BUDGET, "clients": 1}, SEED, command,
                    {"num_chunks": manifest.num_chunks})
            )  # fmt: skip
    return rows
