"""Temporary indexes behind an engine, and queries drawn from an index."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

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
