"""Indexes that are open for reading, by name. Each is loaded once and follows its `CURRENT`."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from contextsvc.errors import CorruptIndex, IndexMismatch
from contextsvc.ports import LexicalIndex, VectorIndex
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import (
    Manifest,
    best_pointer,
    claimed_manifest,
    generations,
    index_names,
    open_generation,
    read_pointer,
)
from contextsvc.storage.generation.pointer import POINTER
from contextsvc.storage.generation.verified import as_seen, is_settled

log = logging.getLogger("contextsvc.library")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedIndex:
    """One generation, open. A request uses the same one from start to end.

    Attributes:
        name: The index.
        folder: Folder of the generation. A later publish may remove it; mapped files stay readable.
        manifest: Description of the generation.
        corpus: Its documents, chunks and vectors.
        vectors: Its dense search.
        lexical: Its lexical search.
        instead_of: Why a previous generation serves instead of the current one; "" for the current one.
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
        """Id of the generation."""
        return self.manifest.generation


OpenSearch = Callable[[str, Path, Corpus], tuple[VectorIndex, LexicalIndex]]
"""Opens the search structures of a generation: (index name, folder, corpus) -> (dense, lexical)."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Status of CURRENT and of all files of all generations, without reading one of them.

    Attributes:
        files: Path and status (`verified.as_seen`) of each file, in order of paths.
        settled: Whether any later change will show in the status.
    """

    files: tuple[tuple[str, ...], ...]
    settled: bool

    @classmethod
    def at(cls, index: Path) -> "_Look":
        """Look at an index; `settled` is False if a folder cannot be listed or a status cannot be read."""
        found: list[tuple[str, ...]] = []
        try:
            folders = [index / "generations" / generation for generation in generations(index)]
            inside = [path for folder in folders for path in (folder, *sorted(folder.iterdir()))]
            settled = True
            for path in (index / POINTER, *inside):
                status = path.lstat()
                settled = settled and is_settled(status)
                found.append((str(path), *map(str, as_seen("", status))))
        except OSError as error:
            return cls((*found, (str(error.errno),)), settled=False)
        return cls(tuple(found), settled)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open index, with the content of CURRENT and the status of all files when it was opened."""

    wanted: str
    index: LoadedIndex
    look: _Look


@dataclass(frozen=True, slots=True)
class _Refused:
    """An index that no generation can serve, with the status of all files when that was found."""

    problems: list[str]
    look: _Look


class Library:
    """The indexes under a root. Several threads may call it.

    Args:
        root: Folder of the indexes.
        embedder: Fingerprint of the embedder of queries; an index of another embedder is refused.
        open_search: Opens the search structures in a generation's folder.
        falls_back: Serve the last sound generation if the current one is damaged; else refuse.

    Attributes:
        num_fallbacks: How often a previous generation was opened instead of a damaged one.
    """

    def __init__(
        self, root: Path, embedder: Fingerprint, open_search: OpenSearch, falls_back: bool = True
    ) -> None:
        self.root = root
        self.num_fallbacks = 0
        self._embedder = str(embedder)
        self._open_search = open_search
        self._falls_back = falls_back
        self._open: dict[str, _Opened] = {}
        self._refused: dict[str, _Refused] = {}
        self._loading: dict[str, threading.Lock] = {}

    def names(self) -> list[str]:
        """Return the names of the published indexes, sorted."""
        return index_names(self.root)

    def get(self, name: str) -> LoadedIndex:
        """Return the current generation of an index. Its files are verified when it is first opened.

        While one thread opens a new generation, the others get the previous one. If the current generation
        is damaged, the last sound one serves; `instead_of`, the log and `num_fallbacks` say so. If none is
        sound, the index is refused. In both cases the files are read again only after the status of one of
        them changes, so that a repair is noticed and a probe costs nothing.

        Raises:
            UnknownIndex: there is no such index.
            CorruptIndex: its files differ from its manifest, and no previous generation can serve.
            IndexMismatch: another embedder built it.
        """
        self._refuse_again(name)
        wanted = self._wanted(name)
        known = self._known(name, wanted)
        if known is not None:
            return known
        before = self._open.get(name)
        if before is not None and self._loading.setdefault(name, threading.Lock()).locked():
            return before.index
        return self.refreshed(name)

    def refreshed(self, name: str) -> LoadedIndex:
        """As `get`, but wait for a thread that opens a new generation, and return that.

        Raises:
            ContextError: as `get`.
        """
        with self._loading.setdefault(name, threading.Lock()):
            return self._follow(name)

    def _follow(self, name: str) -> LoadedIndex:
        while True:
            self._refuse_again(name)
            wanted = self._wanted(name)  # it may have moved while this thread waited
            known = self._known(name, wanted)
            if known is not None:
                return known
            look = _Look.at(self.root / name)
            refusals: list[CorruptIndex | OSError] = []
            loaded = self._current(name, refusals)
            if loaded is None and self._falls_back and self._wanted(name) == wanted:
                loaded = self._last_sound(name, refusals)
            # A publish meanwhile may have removed the folder: then open the new generation.
            if (loaded is None or loaded.instead_of) and self._wanted(name) != wanted:
                continue
            if loaded is None:
                self._refuse(name, refusals, look)
            return self._serve(name, _Opened(wanted, loaded, look))

    def _wanted(self, name: str) -> str:
        """Return the published generation or, if CURRENT is damaged, what is wrong with it."""
        try:
            return read_pointer(self.root, name).generation
        except CorruptIndex as error:
            return str(error)

    def _known(self, name: str, wanted: str) -> LoadedIndex | None:
        """Return the open index unless CURRENT moved or damaged files were touched."""
        known = self._open.get(name)
        if known is None or known.wanted != wanted:
            return None
        if known.index.instead_of and _Look.at(self.root / name).files != known.look.files:
            return None
        return known.index

    def _current(self, name: str, refusals: list[CorruptIndex | OSError]) -> LoadedIndex | None:
        try:
            return self._open_generation(name, read_pointer(self.root, name).generation)
        except (CorruptIndex, OSError) as error:
            refusals.append(error)
            return None

    def _last_sound(self, name: str, refusals: list[CorruptIndex | OSError]) -> LoadedIndex | None:
        damage = refusals[0]
        try:
            pointer = best_pointer(self.root, name)
        except OSError as error:
            refusals.append(error)
            return None
        for generation in (pointer.generation, *pointer.before) if pointer else ():
            try:
                return replace(self._open_generation(name, generation), instead_of=str(damage))
            except (CorruptIndex, OSError) as error:
                refusals.append(error)
            except IndexMismatch:
                continue
        return None

    def _serve(self, name: str, opened: _Opened) -> LoadedIndex:
        index = opened.index
        if index.instead_of:
            self.num_fallbacks += 1
            why = index.instead_of
            event = {"event": "index_fell_back", "index": name, "to": index.generation, "why": why}
            log.error(json.dumps(event, sort_keys=True))
        self._refused.pop(name, None)
        self._open[name] = opened
        return index

    def _refuse(self, name: str, refusals: list[CorruptIndex | OSError], look: _Look) -> NoReturn:
        first = refusals[0]
        if isinstance(first, CorruptIndex) and look.settled and all(map(_is_lasting, refusals)):
            self._refused[name] = _Refused(first.problems, look)
        raise first

    def _refuse_again(self, name: str) -> None:
        refused = self._refused.get(name)
        if refused is None:
            return
        if _Look.at(self.root / name).files == refused.look.files:
            raise CorruptIndex(name, refused.problems)
        self._refused.pop(name, None)

    def _open_generation(self, name: str, generation: str) -> LoadedIndex:
        # Before every byte is hashed: a mismatch is found again at each request, and must stay cheap.
        claimed = claimed_manifest(self.root, name, generation)
        if claimed is not None and claimed.embedder != self._embedder:
            raise IndexMismatch(name, claimed.embedder, self._embedder)
        folder, manifest = open_generation(self.root, name, generation, trust_seen=True)
        corpus = Corpus.open(folder, manifest)
        vectors, lexical = self._open_search(name, folder, corpus)
        return LoadedIndex(
            name=name, folder=folder, manifest=manifest, corpus=corpus, vectors=vectors, lexical=lexical
        )


def _is_lasting(error: CorruptIndex | OSError) -> bool:
    """Say whether opening will fail again as long as no file changes.

    An error of the operating system or of a library's reader, too many open files for one, may be gone.
    """
    return isinstance(error, CorruptIndex) and not isinstance(error.__cause__, OSError | RuntimeError)
