"""Wiring: make the parts of the program from the settings. Only this package imports adapters.

Functions import adapters when they are called. An adapter may load torch, which takes seconds, and
`contextsvc index list` needs no model.
"""

from contextsvc.wiring.assets import pull_asset
from contextsvc.wiring.engine import (
    build_assembler,
    build_cache,
    build_counters,
    build_engine,
    build_reranker,
)
from contextsvc.wiring.indexes import (
    INDEX_TOKENIZER,
    build_embedder,
    build_index_parts,
    make_near_duplicate_index,
    open_search,
    read_sources,
    source_bytes,
    write_search,
)
from contextsvc.wiring.measuring import build_jobs, build_measurer, build_reader, draw_pictures

__all__ = [
    "INDEX_TOKENIZER",
    "build_assembler",
    "build_cache",
    "build_counters",
    "build_embedder",
    "build_engine",
    "build_index_parts",
    "build_jobs",
    "build_measurer",
    "build_reader",
    "build_reranker",
    "draw_pictures",
    "make_near_duplicate_index",
    "open_search",
    "pull_asset",
    "read_sources",
    "source_bytes",
    "write_search",
]
