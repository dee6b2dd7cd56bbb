"""Time that a pack takes: `python -m benchmarks.latency [socket|peers]`.

- `socket`: `POST /v1/context` of a running service over `etcd_docs`, uncached and cached.
- `peers`: the whole path in process, beside other pipelines if `make peers` has made their environment, over
  10,000 chunks of SciFact, with its own queries.

Each run writes its own rows.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import httpx
import numpy as np

from benchmarks.indexes import drawn_queries, served
from benchmarks.latency import peers
from benchmarks.pairs import quantile
from benchmarks.rows import Row, Sheet, dataset, fingerprint
from benchmarks.switches import Asked, asked_for
from contextsvc.indexing.build import build_index
from contextsvc.records.arrays import Float64Array
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import open_manifest
from contextsvc.wiring import build_index_parts, read_sources

COMMAND = "python -m benchmarks.latency"
BUDGET, NUM_WARM = 800, 20
USUAL = {"socket": ("queries", "pages"), "peers": ("queries", "chunks", "sides")}
"""Switches of each run."""


def milliseconds(calls: list[Callable[[], httpx.Response]]) -> Float64Array:
    """Time of each call, one after another."""
    times = []
    for call in calls:
        started = time.perf_counter()
        response = call()
        times.append(1000 * (time.perf_counter() - started))
        response.raise_for_status()
    return np.array(times)


def over_socket(asked: Asked, command: str) -> list[Row]:
    """Index `etcd_docs`, serve it, send each query once uncached and once cached."""
    pages, num_queries = dataset("etcd_docs", "content"), asked["queries"]
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder))
        documents = islice(read_sources(settings, [str(pages)], lambda *_: None), asked["pages"])
        build_index(settings.root, "etcd", documents, build_index_parts(settings))
        generation, manifest = open_manifest(settings.root, "etcd")
        # The nonce keeps queries out of any cache that an earlier run left.
        nonce = str(time.time_ns())
        drawn = drawn_queries(Corpus.open(generation), NUM_WARM + num_queries, peers.SEED)
        with served({"CONTEXTSVC_ROOT": folder}) as client:

            def ask(query: str) -> Callable[[], httpx.Response]:
                body = {"index": "etcd", "query": f"{query} {nonce}", "budget_tokens": BUDGET}
                return lambda: client.post("/v1/context", json=body)

            milliseconds([ask(query) for query in drawn[num_queries:]])
            asks = [ask(query) for query in drawn[:num_queries]]
            timed = {
                "uncached": milliseconds(asks),
                "cached": milliseconds(asks),
                "livez": milliseconds([lambda: client.get("/livez")] * num_queries),
            }
    chosen, details = {"budget_tokens": BUDGET, "clients": 1}, {"num_chunks": manifest.num_chunks}
    sheet = Sheet("latency", fingerprint(pages), peers.SEED, command, chosen)
    return [
        sheet.row(f"{kind} p{percent}, ms", value, len(times), interval, details)
        for kind, times in timed.items()
        for percent in (50, 95)
        for value, interval in [quantile(times, percent)]
    ]


RUNS = {"socket": over_socket, "peers": peers.run}


def main(argv: Sequence[str] | None = None) -> None:
    """Run what the command line names."""
    asked = asked_for(
        COMMAND,
        __doc__,
        argv,
        {"sides": peers.SIDES},
        runs=tuple(RUNS),
        queries=300,
        pages=701,
        chunks=10_000,
    )
    for run in asked.runs:
        asked.keep(RUNS[run](asked, asked.command(run, only=USUAL[run])))


if __name__ == "__main__":
    main()
