"""Indexes of the collections, kept: a collection is embedded once for all that ours makes of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import contextsvc
from benchmarks.second_stage.features import Candidates, Terms, candidates_of
from benchmarks.second_stage.judged import JudgedCollection
from contextsvc.indexing.build import IndexParts, build_index
from contextsvc.packing.assembler import RetrievalSettings
from contextsvc.ports import Embedder
from contextsvc.records.fingerprints import digest
from contextsvc.settings import Settings
from contextsvc.storage.library import Library
from contextsvc.wiring import build_assembler, build_embedder, build_index_parts, open_search


@dataclass(frozen=True, slots=True)
class Asking:
    """The service's own search, its second stage left open.

    Attributes:
        root: Folder of the indexes; what is there is taken for built by this code and these settings.
        told: Gets progress, a line at a time.
    """

    root: Path
    parts: IndexParts
    embedder: Embedder
    retrieval: RetrievalSettings
    told: Callable[[str], None]

    def candidates(self, collection: JudgedCollection) -> list[Candidates]:
        """What reaches the second stage of each query, in order; the index is built if there is none."""
        library = Library(self.root, self.embedder.fingerprint, open_search)
        name = f"{collection.name}-{digest(collection.data)[:16]}"
        if name not in library.names():
            self.told(f"{collection.name}: building")
            build_index(self.root, name, iter(collection.documents), self.parts)
        self.told(f"{collection.name}: asking")
        index = library.get(name)
        terms = Terms(index.corpus)
        return [
            candidates_of(index, terms, self.embedder, self.retrieval, query) for query in collection.queries
        ]


def asking_with(settings: Settings, model: Path, keep: Path, told: Callable[[str], None]) -> Asking:
    """With the settings and an embedding model; indexes under `keep` by the package's source and both."""
    chosen = replace(settings, embedder=str(model), cache=False)
    embedder = build_embedder(chosen)
    made_by = digest(source_digest(), str(embedder.fingerprint), repr(shaping(chosen)))[:16]
    return Asking(
        keep / f"second-stage-{made_by}", build_index_parts(chosen, embedder), embedder,
        build_assembler(chosen, embedder).settings, told,
    )  # fmt: skip


def shaping(settings: Settings) -> dict[str, object]:
    """The settings that shape an index, but for its embedder."""
    names = ("chunk_min_tokens", "chunk_max_tokens", "exact_up_to", "approximate_index", "approximate_recall")
    return {name: getattr(settings, name) for name in names}


def source_digest() -> str:
    """Of the package's source: any change of it builds anew, so that no index of former code is asked."""
    state, folder = hashlib.sha256(), Path(contextsvc.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        state.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return state.hexdigest()
