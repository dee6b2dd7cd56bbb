"""Budgets and reproducibility: 500 random packs, counted and made again: `python -m benchmarks.budget`."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from benchmarks.indexes import drawn_queries, indexed
from benchmarks.rows import dataset, fingerprint
from benchmarks.switches import asked_for
from contextsvc.errors import BudgetTooSmall
from contextsvc.packing.ordering import ORDERINGS
from contextsvc.records.json import Json
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.wiring import build_counters, build_engine, read_sources

COMMAND = "python -m benchmarks.budget"
NUM_PACKS, NUM_PAGES, SEED = 500, 701, 7
ENCODINGS = ("o200k_base", "cl100k_base")


def random_asks(queries: list[str], seed: int) -> list[Json]:
    """Requests with budgets of 50 to 4,000 tokens, every ordering, both encodings, 1 to 32 chunks."""
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
    """The pack, or the refusal, without times."""
    try:
        view = engine.context(**ask)
    except BudgetTooSmall as refusal:
        return {"refused": refusal.smallest_tokens}
    return {key: view[key] for key in ("pack_id", "text", "num_tokens", "chunks")}


def main(argv: Sequence[str] | None = None) -> None:
    """Make packs, count their tokens again, make them again with a second engine."""
    asked = asked_for(COMMAND, __doc__, argv, packs=NUM_PACKS, pages=NUM_PAGES)
    pages, settings = dataset("etcd_docs", "content"), Settings.from_env()
    documents = islice(read_sources(settings, [str(pages)], lambda *_: None), asked["pages"])
    with indexed("etcd", documents) as (engine, index):
        asks = random_asks(drawn_queries(index.corpus, asked["packs"], SEED), SEED)
        packs = [made(engine, ask) for ask in asks]
        second = build_engine(engine.settings)
        again = [made(second, ask) for ask in asks]
    counters = build_counters(settings)
    counted = [
        (pack, ask, counters[ask["tokenizer"]].count([pack["text"]])[0])
        for pack, ask in zip(packs, asks, strict=True)
        if "text" in pack
    ]
    different = sum(one != other for one, other in zip(packs, again, strict=True))
    figures = {
        "packs over their budget when counted again": sum(t > ask["budget_tokens"] for _, ask, t in counted),
        "packs whose num_tokens is not the count": sum(t != pack["num_tokens"] for pack, _, t in counted),
        "packs that differ on a second run, cache off": different,
    }
    details = {
        "num_packs": len(counted),
        "num_refused": len(packs) - len(counted),
        "mean_share_of_budget": float(np.mean([t / a["budget_tokens"] for _, a, t in counted])),
    }
    chosen = {"budget_tokens": "50-4000", "encodings": ENCODINGS, "orderings": sorted(ORDERINGS)}
    sheet = asked.sheet("budget", fingerprint(pages), SEED, **chosen)
    asked.keep([sheet.row(name, number, len(packs), details=details) for name, number in figures.items()])


if __name__ == "__main__":
    main()
