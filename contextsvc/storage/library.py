"""Indexes that are open for reading, by name: each loads once and follows its `CURRENT`."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from contextsvc.errors import CorruptIndex, IndexMismatch
from contextsvc.ports import LexicalIndex, VectorIndex
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import (
    Manifest,
    best_pointer,
    claimed_manifest,
    index_names,
    open_generation,
    read_pointer,
)

log = logging.getLogger("contextsvc.library")


@dataclass(frozen=True, slots=True)
class LoadedIndex:
    """One generation, open. A request lives inside one of these from start to end.

    Attributes:
        instead_of: Why an earlier generation serves in place of the current one; empty: this is current.
    """

    name: str
    folder: Path
    manifest: Manifest
    corpus: Corpus
    vectors: VectorIndex
    lexical: LexicalIndex
    instead_of: str = ""

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
        falls_back: Serve the last good generation where the current one is damaged; else refuse.
    """

    def __init__(
        self, root: Path, embedder: Fingerprint, open_search: OpenSearch, falls_back: bool = True
    ) -> None:
        self.root = root
        self.num_fallbacks = 0
        self._embedder = str(embedder)
        self._open_search = open_search
        self._falls_back = falls_back
        # What CURRENT said when each was opened, and the index.
        self._open: dict[str, tuple[str, LoadedIndex]] = {}
        self._loading: dict[str, threading.Lock] = {}

    def names(self) -> list[str]:
        """Names of the indexes that have a current generation, sorted."""
        return index_names(self.root)

    def get(self, name: str) -> LoadedIndex:
        """The current generation of an index, verified when it is first opened (`generation.verified`).

        While one thread opens a new generation the others go on with the one before it. Where the
        current one is damaged, the last good one stands in, said in `instead_of`, in the log and in
        `num_fallbacks`, until something else is published.

        Raises:
            UnknownIndex: there is none.
            CorruptIndex: its files differ from its manifest, and none before it may stand in.
            IndexMismatch: another embedder built it.
        """
        wanted = self._wanted(name)
        said, known = self._open.get(name, ("", None))
        if known is not None and said == wanted:
            return known
        lock = self._loading.setdefault(name, threading.Lock())
        if known is not None and lock.locked():
            return known
        return self.refreshed(name)

    def refreshed(self, name: str) -> LoadedIndex:
        """As `get`, but it waits for whoever opens a new generation: what is published now is served then.

        Raises:
            ContextError: as `get`.
        """
        with self._loading.setdefault(name, threading.Lock()):
            return self._follow(name)

    def _follow(self, name: str) -> LoadedIndex:
        while True:
            wanted = self._wanted(name)  # it may have moved while this thread waited
            said, known = self._open.get(name, ("", None))
            if known is not None and said == wanted:
                return known
            try:
                loaded = self._open_generation(name, read_pointer(self.root, name).generation)
            except CorruptIndex as damage:
                # A publish meanwhile may have removed the folder under us; then the new one is meant.
                if self._wanted(name) != wanted:
                    continue
                loaded = self._stand_in(name, damage)
            self._open[name] = (wanted, loaded)
            return loaded

    def _wanted(self, name: str) -> str:
        try:
            return read_pointer(self.root, name).generation
        except CorruptIndex as error:
            return str(error)

    def _stand_in(self, name: str, damage: CorruptIndex) -> LoadedIndex:
        loaded = self._last_good(name) if self._falls_back else None
        if loaded is None:
            raise damage
        self.num_fallbacks += 1
        event = {"event": "index_fell_back", "index": name, "to": loaded.generation, "why": str(damage)}
        log.error(json.dumps(event, sort_keys=True))
        return replace(loaded, instead_of=str(damage))

    def _last_good(self, name: str) -> LoadedIndex | None:
        pointer = best_pointer(self.root, name)
        for generation in (pointer.generation, *pointer.before) if pointer else ():
            try:
                return self._open_generation(name, generation)
            except (CorruptIndex, IndexMismatch):
                continue
        return None

    def _open_generation(self, name: str, generation: str) -> LoadedIndex:
        # Before every byte is hashed: a mismatch is asked for again and again, and must stay cheap.
        claimed = claimed_manifest(self.root, name, generation)
        if claimed is not None and claimed.embedder != self._embedder:
            raise IndexMismatch(name, claimed.embedder, self._embedder)
        folder, manifest = open_generation(self.root, name, generation, trust_seen=True)
        corpus = Corpus.open(folder, manifest)
        vectors, lexical = self._open_search(name, folder, corpus)
        return LoadedIndex(name, folder, manifest, corpus, vectors, lexical)
