"""The library of indexes that are open for reading.

Each index is opened once. When its file CURRENT names a new generation (a newly published version of the
index), the library opens that generation instead.
"""

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
from contextsvc.records.packs import AnswerCalibration
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
class SearchableCorpus:
    """A corpus with its searches. It is part of an open generation, or of one that is still being built.

    Attributes:
        corpus: Documents, chunks and vectors of the generation.
        vectors: Dense search (by vectors) in the generation.
        lexical: Lexical search (by terms) in the generation.
    """

    corpus: Corpus
    vectors: VectorIndex
    lexical: LexicalIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedIndex(SearchableCorpus):
    """An open generation (one published version of an index). A request uses one `LoadedIndex` to its end.

    Attributes:
        name: Name of the index.
        folder: Folder of the generation. A later publish may remove the folder, but memory-mapped files stay
            readable.
        manifest: Description of the generation.
        instead_of: If this is a previous generation that replaces a damaged current one, the description of
            the damage. An empty string means that this is the current generation.
    """

    name: str
    folder: Path
    manifest: Manifest
    instead_of: str = ""

    @property
    def generation(self) -> str:
        """Id of the open generation."""
        return self.manifest.generation

    @property
    def answer_calibration(self) -> AnswerCalibration:
        """Threshold of this generation for answer scores."""
        return AnswerCalibration.of(self.manifest.settings)


OpenSearch = Callable[[str, Path, Corpus], tuple[VectorIndex, LexicalIndex]]
"""Function that opens the searches of a generation: (index name, folder, corpus) -> (dense, lexical)."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The status of CURRENT and of all files of all generations, taken without reading the files.

    Two equal records mean that no file changed in between, as far as the status shows.

    Attributes:
        files: Path and status (`verified.as_seen`) of each file, in order of paths.
        settled: Whether every later change of a file is certain to change its status.
    """

    files: tuple[tuple[str, ...], ...]
    settled: bool

    @classmethod
    def at(cls, index: Path) -> "_Look":
        """Take the status of all files of an index.

        If a folder cannot be listed or a status cannot be read, `settled` is False.

        Args:
            index: Folder of the index.
        """
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
    """An open index, and the state of its folder when the index was opened.

    Attributes:
        wanted: Id of the published generation or, if CURRENT was damaged, what was wrong with it.
        index: The open index.
        look: Status of all files.
    """

    wanted: str
    index: LoadedIndex
    look: _Look


@dataclass(frozen=True, slots=True)
class _Refused:
    """An index that cannot be opened: its current generation is damaged and no previous one may replace it.

    Attributes:
        problems: What is wrong, one sentence per problem.
        look: Status of all files when the damage was found.
    """

    problems: list[str]
    look: _Look


class Library:
    """All indexes in one folder, opened when they are first needed. Several threads may use one library.

    Args:
        root: Folder of all indexes.
        embedder: Fingerprint of the embedder of queries. An index that another embedder built is refused.
        open_search: Function that opens the search structures of a generation.
        falls_back: What happens if the current generation of an index is damaged. True opens the newest
            previous generation that is not damaged. False raises an error.

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
        """Return the current generation of an index, opened and with verified files.

        The files are verified only when the generation is first opened. While one thread opens a new
        generation, other threads get the previous generation.

        If the current generation is damaged, this method returns the newest previous generation that is not
        damaged. The attribute `instead_of`, the log and `num_fallbacks` report this. If every generation is
        damaged, or if `falls_back` is False, the method raises an error. In both cases later calls read the
        files again only after the status of a file changed. Thus a repair is noticed, and repeated calls are
        cheap.

        Raises:
            UnknownIndex: there is no such index.
            CorruptIndex: files of the index differ from its manifest, and no previous generation can be used.
            IndexMismatch: another embedder built the index.
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
        """Return the current generation of an index, even if another thread is still opening it.

        This method differs from `get` in one way: it waits for the other thread instead of returning the
        previous generation.

        Raises:
            ContextError: for the same reasons as `get`.
        """
        with self._loading.setdefault(name, threading.Lock()):
            return self._follow(name)

    def _follow(self, name: str) -> LoadedIndex:
        while True:
            self._refuse_again(name)
            wanted = self._wanted(name)  # CURRENT may have changed while this thread waited
            known = self._known(name, wanted)
            if known is not None:
                return known
            look = _Look.at(self.root / name)
            refusals: list[CorruptIndex | OSError] = []
            loaded = self._current(name, refusals)
            if loaded is None and self._falls_back and self._wanted(name) == wanted:
                loaded = self._last_sound(name, refusals)
            # A publish in between may have removed the folder. Then the new generation is opened.
            if (loaded is None or loaded.instead_of) and self._wanted(name) != wanted:
                continue
            if loaded is None:
                self._refuse(name, refusals, look)
            return self._serve(name, _Opened(wanted, loaded, look))

    def _wanted(self, name: str) -> str:
        """Return the id of the published generation or, if CURRENT is damaged, what is wrong with it."""
        try:
            return read_pointer(self.root, name).generation
        except CorruptIndex as error:
            return str(error)

    def _known(self, name: str, wanted: str) -> LoadedIndex | None:
        """Return the open index if it is still the right one, else None.

        It is not the right one if CURRENT changed, or if it replaces a damaged generation and the status of a
        file changed since.
        """
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
        # Checked before any byte is hashed, because each request makes this check again: it must stay cheap.
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
    """Return whether opening is certain to fail again as long as no file changes.

    An error of the operating system or of a library that reads files may have passed by the next call. Too
    many open files are an example.
    """
    return isinstance(error, CorruptIndex) and not isinstance(error.__cause__, OSError | RuntimeError)
