"""Indexes that are open for reading, by name: each loads once and follows its `CURRENT`."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contextsvc.corpus import Corpus
from contextsvc.errors import IndexMismatch
from contextsvc.generation import Manifest, claimed_embedder, current, index_names, open_manifest
from contextsvc.ports import LexicalIndex, VectorIndex


@dataclass(frozen=True, slots=True)
class LoadedIndex:
    """One generation, open. A request lives inside one of these from start to end."""

    name: str
    folder: Path
    manifest: Manifest
    corpus: Corpus
    vectors: VectorIndex
    lexical: LexicalIndex

    @property
    def generation(self) -> str:
        """Its id."""
        return self.manifest.generation


OpenSearch = Callable[[str, Path, Corpus], tuple[VectorIndex, LexicalIndex]]


class Library:
    """The indexes under a root.

    Args:
        root: Folder of the indexes.
        embedder: Fingerprint of the embedder that will ask; an index built by another is refused.
        open_search: Opens the search structures in a generation's folder.
    """

    def __init__(self, root: Path, embedder: str, open_search: OpenSearch) -> None:
        self.root = root
        self._embedder = embedder
        self._open_search = open_search
        self._open: dict[str, LoadedIndex] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of the indexes that have a current generation, sorted."""
        return index_names(self.root)

    def get(self, name: str) -> LoadedIndex:
        """The current generation of an index, verified when it is first opened.

        Raises:
            UnknownIndex: there is none.
            CorruptIndex: its files differ from its manifest.
            IndexMismatch: another embedder built it.
        """
        generation = current(self.root, name)
        known = self._open.get(name)
        if known is not None and known.generation == generation:
            return known
        with self._lock:
            generation = current(self.root, name)  # it may have moved while this thread waited
            known = self._open.get(name)
            if known is None or known.generation != generation:
                known = self._load(name, generation)
                self._open[name] = known
        return known

    def _load(self, name: str, generation: str) -> LoadedIndex:
        # Before every byte is hashed: a mismatch is asked for again and again, and must stay cheap.
        built_with = claimed_embedder(self.root, name, generation)
        if built_with not in ("", self._embedder):
            raise IndexMismatch(name, built_with, self._embedder)
        folder, manifest = open_manifest(self.root, name, generation)
        corpus = Corpus.open(folder, manifest)
        vectors, lexical = self._open_search(name, folder, corpus)
        return LoadedIndex(name, folder, manifest, corpus, vectors, lexical)
