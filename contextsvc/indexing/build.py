"""Build or update an index: turn documents into a published generation (one version of an index).

A build reads all documents anew. An update starts from the current generation. From then on both work the
same way. Documents are read in batches, and each batch is cut into sentences, embedded, chunked and written
as a segment (a small corpus in a folder of its own). At the end the segments are merged, the search
structures are written, and the generation is published.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from contextsvc.errors import ContextError, IndexMismatch, InvalidRequest, SettingError, SourceError
from contextsvc.indexing.changes import BuildResult, Progress, Update
from contextsvc.indexing.deduplication import DEDUPE, Deduplicator, UpdateDeduplicator
from contextsvc.indexing.overlap import prefetch, worker_thread
from contextsvc.indexing.plan import Plan
from contextsvc.indexing.segments import (
    BuildMemo,
    CutDocuments,
    IndexParts,
    PreviousGeneration,
    cut_documents,
    embed_sentences,
    write_segment,
)
from contextsvc.records.documents import Document
from contextsvc.records.packs import ANSWERABLE, AnswerCalibration
from contextsvc.storage.corpus import Corpus, CorpusWriter, KnownSentences, Merger, Vectors
from contextsvc.storage.corpus.aliases import write_aliases
from contextsvc.storage.generation import (
    APPLIED,
    KEEP,
    Manifest,
    Stage,
    applied,
    claimed_manifest,
    current,
    disk_writes,
    open_manifest,
    stage,
)
from contextsvc.storage.generation.segments import (
    drop_segments,
    finish_segment,
    finished_segments,
    segment_folder,
)
from contextsvc.storage.library import SearchableCorpus
from contextsvc.storage.probes import record_probes

__all__ = [
    "BuildResult",
    "IndexParts",
    "PreviousGeneration",
    "Progress",
    "Update",
    "build_index",
    "update_index",
]

BATCH_CHARS = 500_000
"""Approximate number of characters in the texts of a batch. It is large enough to sort sentences by length,
and small enough for memory."""

OnProgress = Callable[[Progress], None]


def build_index(
    root: Path,
    name: str,
    documents: Iterable[Document],
    parts: IndexParts,
    on_progress: OnProgress = lambda _: None,
    keep: int = KEEP,
    resume: bool = False,
    deduplicator: Deduplicator | None = None,
) -> BuildResult:
    """Build an index and publish it as the current generation (version of the index).

    Nothing is visible before the generation is published. If an error occurs, the previous generation stays
    current, and the segments that were finished before the error are kept for `resume`.

    Args:
        root: Folder of all indexes.
        name: Name of the index, which is created if it does not exist.
        documents: Documents with distinct ids. They are read once, in order.
        parts: Parts and limits to build with.
        on_progress: Function that is called after every batch and at the start of every phase.
        keep: Number of generations to keep, the new one included.
        resume: Whether to reuse the segments that an interrupted build of this index finished. If not, these
            segments are removed.
        deduplicator: Finds copies among the documents. None: copies are not searched for.

    Raises:
        SourceError: there is no document, or no document has text.
    """
    with stage(root, name, keep) as staged:
        build = _Build(staged, parts, on_progress, resume, deduplicator=deduplicator)
        build.add(deduplicator.read(documents) if deduplicator else documents)
        return build.publish(_journal_position(root, name), empty=False)


def update_index(
    root: Path,
    name: str,
    changes: Callable[[Manifest], Update],
    parts: IndexParts,
    on_progress: OnProgress = lambda _: None,
    keep: int = KEEP,
    resume: bool = False,
) -> BuildResult:
    """Add, replace and delete documents of an index, and publish the result as a new generation.

    A generation is one published version of an index. Before unchanged documents are copied, every byte of
    the current generation is verified. If nothing changes, no generation is published.

    Args:
        root: Folder of all indexes.
        name: Name of the index.
        changes: Function that gets the manifest of the current generation and returns the update. It is
            called while no other writer can publish.
        parts: Parts and limits, equal to those that the index was built with.
        on_progress: Function that is called after every batch and at the start of every phase.
        keep: Number of generations to keep, the new one included.
        resume: As for `build_index`.

    Raises:
        UnknownIndex: there is no index with this name.
        CorruptIndex: the current generation is damaged.
        IndexMismatch: the index was built with another embedder.
        SettingError: the index was built with other chunk settings.
        InvalidRequest: a document to delete is not in the index.
    """
    current(root, name)  # raises UnknownIndex before `stage` makes a folder
    with stage(root, name, keep) as staged:
        folder, manifest = open_manifest(root, name)
        _check_compatible(manifest, parts)
        update = changes(manifest)
        base = Corpus.open(folder, manifest)
        deduplicator = _update_deduplicator(manifest, base, parts, update)
        build = _Build(staged, parts, on_progress, resume, _Base(folder, base, manifest), deduplicator)
        build.add(deduplicator.read(update.documents) if deduplicator else update.documents)
        _delete(name, build.plan, update, deduplicator)
        if deduplicator:
            build.add(deduplicator.orphans(build.plan.holds))
        if not (build.plan.changes or (deduplicator and deduplicator.changes)):
            result = build.discard(manifest)
        else:
            position = applied(manifest) if update.applied is None else update.applied
            result = build.publish(position, empty=True)
        return replace(result, lost=tuple(deduplicator.lost)) if deduplicator else result


class _Base(NamedTuple):
    """The generation that is updated: its folder, its corpus and its manifest."""

    folder: Path
    corpus: Corpus
    manifest: Manifest


class _Build:
    """A generation that is being built: one segment per batch, merged into one corpus at the end.

    Args:
        staged: Folder of the new generation.
        parts: Parts and limits to build with.
        on_progress: Function that is called after every batch and at the start of every phase.
        resume: Whether to reuse the segments that an interrupted build finished.
        base: The generation that is updated. None: all documents are built anew.
        deduplicator: Finds copies among the documents. None: copies stay.
    """

    def __init__(
        self,
        staged: Stage,
        parts: IndexParts,
        on_progress: OnProgress,
        resume: bool,
        base: _Base | None = None,
        deduplicator: Deduplicator | None = None,
    ) -> None:
        self.plan, self.progress, self._memo = Plan(), Progress(), BuildMemo()
        self._staged, self._parts, self._on_progress, self._base = staged, parts, on_progress, base
        self._deduplicator = deduplicator or Deduplicator(1.0, None, keep_one=False)
        self._known, self._corpora = KnownSentences(), list[Corpus]()
        self._made_with = {"embedder": str(parts.embedder.fingerprint), **parts.settings}
        if base is not None:
            self._add_corpus(base.corpus)
            self.plan.start_from(base.corpus)
        if not resume:
            drop_segments(staged.index)
        self._num_segments = 0
        for folder in finished_segments(staged.index, self._made_with):
            self._num_segments = int(folder.name)
            self.plan.offer_segment(len(self._corpora), self._add_corpus(Corpus.open(folder)))

    def add(self, documents: Iterable[Document]) -> None:
        """Add documents. Documents without a reusable copy are written as segments, one segment per batch.

        Three threads work at the same time. This thread embeds a batch, a second thread cuts the next batch,
        and a third thread writes the previous batch.
        """
        batches = _batches(filter(self._is_new, documents))
        cuts = (cut_documents(batch, self._parts, self._memo) for batch in batches)
        with closing(prefetch(cuts)) as prefetched, worker_thread() as submit:
            for cut in prefetched:
                embedded = self._embed(cut)
                number = self._known.add(embedded)
                self.plan.set_places(cut.documents, number)
                submit(partial(self._write_segment, cut, embedded, number))
                self._on_progress(self.progress)

    def publish(self, position: int, empty: bool) -> BuildResult:
        """Merge the segments, write the search structures, seal the generation and publish it.

        Args:
            position: Position of the last journal record whose change is in this generation.
            empty: Whether a generation without chunks may be published.

        Raises:
            SourceError: there are no chunks, and `empty` is False.
        """
        folder = self._staged.folder
        self._start_phase("merging")
        with CorpusWriter(folder, self._parts.embedder.dim) as writer:
            merger = Merger(writer, self._corpora, self._known)
            merger.add(self.plan.places)
        write_aliases(folder, self._deduplicator.aliases)
        corpus = Corpus.open(folder)
        if corpus.num_chunks == 0 and not empty:
            raise SourceError("found no text to index; expected at least one document with words in it")
        previous = PreviousGeneration(self._base.folder, merger.chunks_from(0)) if self._base else None
        self._start_phase("writing the search indexes")
        with disk_writes():
            search_settings = self._parts.write_search(folder, corpus, previous)
        vectors, lexical = self._parts.open_search(self._staged.index.name, folder, corpus)
        record_probes(folder, corpus, vectors, lexical)
        self._start_phase("calibrating")
        calibration = self._carried_calibration(previous) or self._parts.calibrate(
            SearchableCorpus(corpus=corpus, vectors=vectors, lexical=lexical)
        )
        found = {**search_settings, ANSWERABLE: asdict(calibration)}
        self.progress.num_chunks = corpus.num_chunks
        self.progress.num_tokens = int(corpus.chunk_tokens.sum())
        self._start_phase("publishing")
        self._staged.seal(self._description(corpus, position, found))
        published = self._staged.publish()
        drop_segments(self._staged.index)
        return self._result(published.manifest, published.changed)

    def _carried_calibration(self, previous: PreviousGeneration | None) -> AnswerCalibration | None:
        """Return the answer threshold of the generation that is updated; None if it has to be chosen anew."""
        if self._base is None or previous is None:
            return None
        num_kept, num_chunks = int((previous.chunks >= 0).sum()), len(previous.chunks)
        num_changed = num_chunks + self._base.corpus.num_chunks - 2 * num_kept
        return AnswerCalibration.of(self._base.manifest.settings).after(num_changed, num_chunks)

    def discard(self, manifest: Manifest) -> BuildResult:
        """End without publishing. The generation of this manifest stays current."""
        drop_segments(self._staged.index)
        return self._result(manifest, changed=False)

    def _is_new(self, document: Document) -> bool:
        if not self.plan.add(document):
            return True
        self.progress.num_documents += 1
        self.progress.num_reused += 1
        self.progress.num_reused_chars += len(document.text)
        self.progress.num_chars += len(document.text)
        return False

    def _embed(self, cut: CutDocuments) -> Vectors:
        started = time.perf_counter()
        embedded, num_embedded = embed_sentences(cut, self._known, self._parts)
        self.progress.encoder_seconds += time.perf_counter() - started
        self.progress.num_documents += len(cut.documents)
        self.progress.num_chars += sum(len(document.text) for document in cut.documents)
        self.progress.num_sentences += cut.num_sentences
        self.progress.num_vectors += num_embedded
        return embedded

    def _write_segment(self, cut: CutDocuments, embedded: Vectors, number: int) -> None:
        self._num_segments += 1
        folder = segment_folder(self._staged.index, self._num_segments)
        write_segment(folder, cut, embedded, self._parts, self._memo)
        finish_segment(folder, self._made_with)
        corpus = Corpus.open(folder)
        self._corpora.append(corpus)
        # The memory-mapped file replaces the vectors in memory.
        self._known.sources[number] = Vectors(corpus.sentence_keys, corpus.sentence_vectors)
        self.progress.num_chunks += corpus.num_chunks
        self.progress.num_tokens += int(corpus.chunk_tokens.sum())

    def _add_corpus(self, corpus: Corpus) -> Corpus:
        self._known.add(Vectors(corpus.sentence_keys, corpus.sentence_vectors))
        self._corpora.append(corpus)
        return corpus

    def _start_phase(self, phase: str) -> None:
        self.progress.phase = phase
        self._on_progress(self.progress)

    def _description(self, corpus: Corpus, position: int, found: Mapping[str, object]) -> dict[str, object]:
        settings = {**self._parts.settings, "num_tokens": self.progress.num_tokens, **found}
        settings |= self._deduplicator.manifest_settings
        return {
            "embedder": str(self._parts.embedder.fingerprint),
            "dim": self._parts.embedder.dim,
            "num_documents": corpus.num_documents,
            "num_chunks": corpus.num_chunks,
            "num_sentences": len(corpus.sentence_table),
            "num_vectors": len(corpus.sentence_vectors),
            "settings": {**settings, APPLIED: position} if position else settings,
        }

    def _result(self, manifest: Manifest, changed: bool) -> BuildResult:
        return BuildResult(
            manifest=manifest,
            changed=changed,
            progress=self.progress,
            seconds=self.progress.seconds,
            num_added=self.plan.num_added,
            num_changed=self.plan.num_changed,
            num_unchanged=self.plan.num_unchanged,
            num_deleted=self.plan.num_deleted,
        )


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    num_chars = 0
    for document in documents:
        batch.append(document)
        num_chars += len(document.text)
        if num_chars >= BATCH_CHARS:
            yield batch
            batch, num_chars = [], 0
    if batch:
        yield batch


def _update_deduplicator(
    manifest: Manifest, base: Corpus, parts: IndexParts, update: Update
) -> UpdateDeduplicator | None:
    """Return the deduplicator for an update, or None if the index was built without leaving copies out."""
    least = manifest.settings.get(DEDUPE)
    if least is None:
        return None
    near_duplicates = parts.make_near_duplicate_index(least)
    return UpdateDeduplicator(base, least, near_duplicates, update.delete, update.is_gone is not None)


def _delete(name: str, plan: Plan, update: Update, deduplicator: UpdateDeduplicator | None) -> None:
    missing = [
        doc_id
        for doc_id in update.delete
        if not (plan.delete(doc_id) or (deduplicator and deduplicator.delete(doc_id)))
    ]
    if missing and not update.ignore_missing:
        raise InvalidRequest(f"index {name!r} has no document {', '.join(map(repr, missing))}")
    if update.is_gone is not None:
        plan.prune(update.is_gone)
        if deduplicator:
            deduplicator.prune(update.is_gone)


def _check_compatible(manifest: Manifest, parts: IndexParts) -> None:
    if manifest.embedder != str(parts.embedder.fingerprint):
        raise IndexMismatch(manifest.name, manifest.embedder, str(parts.embedder.fingerprint))
    for setting, value in parts.settings.items():
        before = manifest.settings.get(setting)
        if before != value:
            raise SettingError(
                f"index {manifest.name!r} was built with {setting} {before}, now it is {value}; set it back, "
                f"or rebuild it: contextsvc index build SOURCE --index {manifest.name}"
            )


def _journal_position(root: Path, name: str) -> int:
    """Return the position of the last journal record whose change is in the current generation.

    It is 0 if there is no readable current generation.
    """
    try:
        manifest = claimed_manifest(root, name, current(root, name))
    except ContextError:
        return 0
    return applied(manifest) if manifest else 0
