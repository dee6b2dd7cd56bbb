"""Settings -> parts. The only importer of adapters.

Imports of adapters stand inside the functions: torch takes seconds to load, and `contextsvc index list` needs
none.
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
