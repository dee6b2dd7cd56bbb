"""Budgets and identity: 500 random packs, counted again, made again: `python -m benchmarks.budget`."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.queries import drawn_queries
from benchmarks.rows import Row, dataset, fingerprint
from benchmarks.switches import asked_for
from contextsvc.errors import BudgetTooSmall
from contextsvc.indexing.build import build_index
from contextsvc.packing.ordering import ORDERINGS
from contextsvc.records.json import Json
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.wiring import build_counters, build_engine, build_index_parts, read_sources

COMMAND = "python -m benchmarks.budget"
NUM_PACKS, NUM_PAGES, SEED = 500, 701, 7
ENCODINGS = ("o200k_base", "cl100k_base")


def random_asks(queries: list[str], seed: int) -> list[Json]:
    """Budgets 50 to 4,000, every ordering, both encodings, 1 to 32 chunks."""
    rng = np.random.default_rng(seed)
    return [
        {
            "index": "etcd",
            "query": query,
            "budget_tokens": int(rng.integers(50, 4001)),
            "max_chunks": int(rng.integers(1, 33)),
            "tokenizer": str(rng.choice(ENCODINGS)),
            "ordering": str(rng.choice(sorted(ORDERINGS))),
        }
        for query in queries
    ]


def made(engine: Engine, ask: Json) -> Json:
    """The pack, or the refusal, without what a clock touches."""
    try:
        view = engine.context(**ask)
    except BudgetTooSmall as refusal:
        return {"refused": refusal.smallest_tokens}
    return {key: view[key] for key in ("pack_id", "text", "num_tokens", "chunks")}


def main(argv: Sequence[str] | None = None) -> None:
    """Pack, count again, pack again in a fresh engine."""
    asked = asked_for(COMMAND, __doc__, argv, packs=NUM_PACKS, pages=NUM_PAGES)
    pages = dataset("etcd_docs", "content")
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), root=Path(folder), cache=False)
        documents = islice(read_sources(settings, [str(pages)], lambda *_: None), asked["pages"])
        build_index(settings.root, "etcd", documents, build_index_parts(settings))
        first, second = build_engine(settings), build_engine(settings)
        counters = build_counters(settings)
        queries = drawn_queries(first.library.get("etcd").corpus, asked["packs"], SEED)
        asks = random_asks(queries, SEED)
        packs = [made(first, ask) for ask in asks]
        again = [made(second, ask) for ask in asks]
    counted = [
        (pack, ask, counters[ask["tokenizer"]].count([pack["text"]])[0])
        for pack, ask in zip(packs, asks, strict=True)
        if "text" in pack
    ]
    over = sum(tokens > ask["budget_tokens"] for _, ask, tokens in counted)
    wrong = sum(tokens != pack["num_tokens"] for pack, _, tokens in counted)
    differing = sum(a != b for a, b in zip(packs, again, strict=True))
    details = {
        "num_packs": len(counted),
        "num_refused": len(packs) - len(counted),
        "mean_share_of_budget": float(np.mean([t / a["budget_tokens"] for _, a, t in counted])),
    }
    figures = {
        "packs over their budget when counted again": over,
        "packs whose num_tokens is not the count": wrong,
        "packs that differ on a second run, cache off": differing,
    }
    asked.keep(
        [
            Row("budget", figure, float(value), None, len(packs), fingerprint(pages),
                {"budget_tokens": "50-4000", "encodings": ENCODINGS, "orderings": sorted(ORDERINGS)},
                SEED, COMMAND, details)
            for figure, value in figures.items()
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
