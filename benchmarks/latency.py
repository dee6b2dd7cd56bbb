"""`POST /v1/context` over a real socket, uncached and cached: `python -m benchmarks.latency`."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np

from benchmarks.queries import drawn_queries
from benchmarks.rows import Row, dataset, fingerprint, write
from contextsvc.corpus import Corpus
from contextsvc.generation import open_manifest
from contextsvc.indexing import build_index
from contextsvc.records import Float64Array
from contextsvc.settings import Settings
from contextsvc.steps.statistics import bootstrap
from contextsvc.wiring import build_index_parts, read_sources

COMMAND = "python -m benchmarks.latency"
NUM_QUERIES, SEED, BUDGET = 300, 11, 800


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


def quantile(times: Float64Array, percent: int) -> tuple[float, tuple[float, float]]:
    """A percentile with its bootstrap interval."""
    value = float(np.percentile(times, percent))
    return value, bootstrap(times, lambda samples: np.percentile(samples, percent, axis=1), SEED)


def main() -> None:
    """Index `etcd_docs`, serve it, ask each query once cold and once again."""
    pages = dataset("etcd_docs", "content")
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder))
        documents = read_sources(settings, [str(pages)], lambda *_: None)
        build_index(settings.root, "etcd", documents, build_index_parts(settings))
        generation, manifest = open_manifest(settings.root, "etcd")
        # a nonce keeps a query out of whatever cache an earlier run left
        nonce = str(time.time_ns())
        queries = [
            f"{query} {nonce}" for query in drawn_queries(Corpus.open(generation), NUM_QUERIES + 20, SEED)
        ]
        with served(settings.root) as client:

            def ask(query: str) -> Callable[[], httpx.Response]:
                body = {"index": "etcd", "query": query, "budget_tokens": BUDGET}
                return lambda: client.post("/v1/context", json=body)

            milliseconds([ask(query) for query in queries[NUM_QUERIES:]])
            asks = [ask(query) for query in queries[:NUM_QUERIES]]
            timed = {"uncached": milliseconds(asks), "cached": milliseconds(asks),
                     "livez": milliseconds([lambda: client.get("/livez")] * NUM_QUERIES)}  # fmt: skip
    rows = []
    for kind, times in timed.items():
        for percent in (50, 95):
            value, interval = quantile(times, percent)
            rows.append(
                Row("latency", f"{kind} p{percent}, ms", value, interval, len(times), fingerprint(pages),
                    {"budget_tokens": BUDGET, "clients": 1}, SEED, COMMAND,
                    {"num_chunks": manifest.num_chunks})
            )  # fmt: skip
    write(rows)


if __name__ == "__main__":
    main()
