"""Documents -> a published generation: anew from sources, or from the current generation and what changed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from contextsvc.errors import ContextError, IndexMismatch, InvalidRequest, SettingError, SourceError
from contextsvc.indexing.changes import Built, Progress, Update
from contextsvc.indexing.deduplication import DEDUPE, DuplicateWatch, UpdateWatch
from contextsvc.indexing.overlap import ahead, behind
from contextsvc.indexing.plan import Plan
from contextsvc.indexing.segments import Cut, Former, IndexParts, Seen, cut, embed, write_part
from contextsvc.records.documents import Document
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
    open_manifest,
    stage,
)
from contextsvc.storage.generation.segments import drop_parts, finish_part, finished_parts, part_folder
from contextsvc.storage.probes import record_probes

__all__ = ["Built", "Former", "IndexParts", "Progress", "Update", "build_index", "update_index"]

BATCH_CHARS = 500_000
"""Documents are worked on in batches of about so much text: enough to sort by length, little to hold."""


Report = Callable[[Progress], None]


def build_index(
    root: Path,
    name: str,
    documents: Iterable[Document],
    parts: IndexParts,
    report: Report = lambda _: None,
    keep: int = KEEP,
    resume: bool = False,
    watch: DuplicateWatch | None = None,
) -> Built:
    """Build an index and publish it as the current generation.

    Until the publish nothing is visible; on any error the former generation stays current. Parts that
    were finished by then stay beside it, for `resume`.

    Args:
        root: Folder of the indexes.
        name: The index; made if it does not exist.
        documents: Read once, in order; ids unique.
        parts: What it is built with.
        report: Told of progress after every batch.
        keep: Generations to keep, the new one included.
        resume: Take what an interrupted build of this index has finished; else it is removed.
        watch: Looks for copies among the documents; None: nobody does.

    Raises:
        SourceError: there is no document, or none has text.
    """
    with stage(root, name, keep) as staged:
        work = _Work(staged, parts, report, resume, watch=watch)
        work.take(watch.read(documents) if watch else documents)
        return work.publish(_applied(root, name), empty=False)


def update_index(
    root: Path,
    name: str,
    changes: Callable[[Manifest], Update],
    parts: IndexParts,
    report: Report = lambda _: None,
    keep: int = KEEP,
    resume: bool = False,
) -> Built:
    """Publish the current generation with some documents added, replaced and left out.

    What did not change is copied, after every byte of it was verified. Where nothing changes there is
    no new generation.

    Args:
        root: Folder of the indexes.
        name: The index.
        changes: Given the current generation's manifest, what is to change; asked while no other
            writer can publish.
        parts: As those the index was built with.
        report: Told of progress after every batch.
        keep: Generations to keep, the new one included.
        resume: As for `build_index`.

    Raises:
        UnknownIndex: there is no such index.
        CorruptIndex: the current generation is damaged: nothing is built upon it.
        IndexMismatch: another embedder made it.
        SettingError: chunks were cut by other settings.
        InvalidRequest: a document to delete is not there.
    """
    current(root, name)  # before the lock makes a folder
    with stage(root, name, keep) as staged:
        folder, manifest = open_manifest(root, name)
        _check_fit(manifest, parts)
        update = changes(manifest)
        base = Corpus.open(folder, manifest)
        watch = _update_watch(manifest, base, parts, update)
        work = _Work(staged, parts, report, resume, (folder, base), watch)
        work.take(watch.read(update.documents) if watch else update.documents)
        _leave_out(name, work.plan, update, watch)
        if watch:
            work.take(watch.orphans(work.plan.holds))
        reached = applied(manifest) if update.applied is None else update.applied
        changed = work.plan.changes or (watch is not None and watch.changes)
        built = work.publish(reached, empty=True) if changed else work.unchanged(manifest)
        return replace(built, lost=tuple(watch.lost)) if watch else built


class _Work:
    """A generation in the making: parts, one a batch, and in the end one corpus from all of them."""

    def __init__(
        self,
        staged: Stage,
        parts: IndexParts,
        report: Report,
        resume: bool,
        base: tuple[Path, Corpus] | None = None,
        watch: DuplicateWatch | None = None,
    ) -> None:
        self.plan, self.progress, self._seen = Plan(), Progress(), Seen()
        self._staged, self._parts, self._report, self._base = staged, parts, report, base
        self._watch = watch or DuplicateWatch(1.0, None, keep_one=False)
        self._known, self._corpora = KnownSentences(), list[Corpus]()
        self._made_with = {"embedder": str(parts.embedder.fingerprint), **parts.settings}
        if base is not None:
            self._add(base[1])
            self.plan.start_from(base[1])
        if not resume:
            drop_parts(staged.index)
        self._num_parts = 0
        for folder in finished_parts(staged.index, self._made_with):
            self._num_parts = int(folder.name)
            self.plan.add_finished(len(self._corpora), self._add(Corpus.open(folder)))

    def take(self, documents: Iterable[Document]) -> None:
        """Make parts of the documents that are not there already."""
        cuts = (cut(batch, self._parts, self._seen) for batch in _batches(filter(self._is_new, documents)))
        with closing(ahead(cuts)) as made, behind() as after:
            for batch in made:
                started = time.perf_counter()
                found, num_embedded = embed(batch, self._known, self._parts)
                self.progress.encoder_seconds += time.perf_counter() - started
                self.progress.num_documents += len(batch.documents)
                self.progress.num_chars += sum(len(document.text) for document in batch.documents)
                self.progress.num_sentences += batch.num_sentences
                self.progress.num_vectors += num_embedded
                number = self._known.add(found)
                self.plan.put(batch.documents, number)
                after(partial(self._finish, batch, found, number))
                self._report(self.progress)

    def publish(self, reached: int, empty: bool) -> Built:
        """Merge, write the search structures, seal and publish."""
        folder = self._staged.folder
        self._enter("merging")
        with CorpusWriter(folder, self._parts.embedder.dim) as writer:
            merger = Merger(writer, self._corpora, self._known)
            merger.add(self.plan.places)
        write_aliases(folder, self._watch.aliases)
        corpus = Corpus.open(folder)
        if corpus.num_chunks == 0 and not empty:
            raise SourceError("found no text to index; expected at least one document with words in it")
        former = Former(self._base[0], merger.chunks_from(0)) if self._base else None
        self._enter("writing the searches")
        searched = self._parts.write_search(folder, corpus, former)
        record_probes(folder, corpus, *self._parts.open_search(self._staged.index.name, folder, corpus))
        self.progress.num_chunks = corpus.num_chunks
        self.progress.num_tokens = int(corpus.chunk_tokens.sum())
        self._enter("publishing")
        self._staged.seal(self._description(corpus, reached, searched))
        published = self._staged.publish()
        drop_parts(self._staged.index)
        return self._built(published.manifest, published.changed)

    def unchanged(self, manifest: Manifest) -> Built:
        """There is nothing to publish."""
        drop_parts(self._staged.index)
        return self._built(manifest, changed=False)

    def _enter(self, phase: str) -> None:
        self.progress.phase = phase
        self._report(self.progress)

    def _built(self, manifest: Manifest, changed: bool) -> Built:
        plan = self.plan
        return Built(
            manifest, changed, self.progress, self.progress.seconds,
            plan.num_added, plan.num_changed, plan.num_unchanged, plan.num_deleted,
        )  # fmt: skip

    def _description(self, corpus: Corpus, reached: int, searched: Mapping[str, object]) -> dict[str, object]:
        settings = {**self._parts.settings, "num_tokens": self.progress.num_tokens, **searched}
        settings |= self._watch.said
        return {
            "embedder": str(self._parts.embedder.fingerprint),
            "dim": self._parts.embedder.dim,
            "num_documents": corpus.num_documents,
            "num_chunks": corpus.num_chunks,
            "num_sentences": len(corpus.sentence_table),
            "num_vectors": len(corpus.sentence_vectors),
            "settings": {**settings, APPLIED: reached} if reached else settings,
        }

    def _is_new(self, document: Document) -> bool:
        if not self.plan.has(document):
            return True
        self.progress.num_documents += 1
        self.progress.num_reused += 1
        self.progress.num_reused_chars += len(document.text)
        self.progress.num_chars += len(document.text)
        return False

    def _finish(self, batch: Cut, found: Vectors, number: int) -> None:
        self._num_parts += 1
        folder = part_folder(self._staged.index, self._num_parts)
        write_part(folder, batch, found, self._parts, self._seen)
        finish_part(folder, self._made_with)
        corpus = Corpus.open(folder)
        self._corpora.append(corpus)
        # From here on mapped; until here the vectors were only in memory.
        self._known.sources[number] = Vectors(corpus.sentence_keys, corpus.sentence_vectors)
        self.progress.num_chunks += corpus.num_chunks
        self.progress.num_tokens += int(corpus.chunk_tokens.sum())

    def _add(self, corpus: Corpus) -> Corpus:
        self._known.add(Vectors(corpus.sentence_keys, corpus.sentence_vectors))
        self._corpora.append(corpus)
        return corpus


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


def _update_watch(manifest: Manifest, base: Corpus, parts: IndexParts, update: Update) -> UpdateWatch | None:
    """What keeps the copies of an index in order that was told to keep one of each; None for another."""
    least = manifest.settings.get(DEDUPE)
    if least is None:
        return None
    return UpdateWatch(base, least, parts.make_likeness(least), update.delete, update.gone is not None)


def _leave_out(name: str, plan: Plan, update: Update, watch: UpdateWatch | None) -> None:
    missing = [
        doc_id for doc_id in update.delete if not (plan.delete(doc_id) or (watch and watch.forget(doc_id)))
    ]
    if missing and not update.lenient:
        raise InvalidRequest(f"index {name!r} has no document {', '.join(map(repr, missing))}")
    if update.gone is not None:
        plan.delete_unseen(update.gone)
        if watch:
            watch.forget_unseen(update.gone)


def _check_fit(manifest: Manifest, parts: IndexParts) -> None:
    if manifest.embedder != str(parts.embedder.fingerprint):
        raise IndexMismatch(manifest.name, manifest.embedder, str(parts.embedder.fingerprint))
    for setting, value in parts.settings.items():
        before = manifest.settings.get(setting)
        if before != value:
            raise SettingError(
                f"index {manifest.name!r} was built with {setting} {before}, now it is {value}; set it back, "
                f"or rebuild it: contextsvc index build SOURCE --index {manifest.name}"
            )


def _applied(root: Path, name: str) -> int:
    """How far into the journal the current generation goes; 0 where there is none to ask."""
    try:
        manifest = claimed_manifest(root, name, current(root, name))
    except ContextError:
        return 0
    return applied(manifest) if manifest else 0
