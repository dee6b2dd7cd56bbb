"""Changes to an index that serves: they are kept in the journal and published together."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from contextsvc.errors import ShapeError, UnknownDocument
from contextsvc.indexing.build import BuildResult, IndexParts, Update, update_index
from contextsvc.records.documents import Document
from contextsvc.records.json import Json
from contextsvc.records.validation import check_batch, check_id_characters
from contextsvc.storage.generation import (
    Manifest,
    Mark,
    Record,
    append,
    applied,
    drop_until,
    holds,
    mark_at,
    read_journal,
    require_published,
)
from contextsvc.storage.library import Library


@dataclass(frozen=True, slots=True)
class Pending:
    """Changes that wait for the next publish. Of several changes to one document, the last counts.

    Attributes:
        records: For each document id, the journal position of its last record, and whether that record is a
            deletion.
        position: End of the last record in the journal.
    """

    records: dict[str, tuple[int, bool]]
    position: int


class PendingIds:
    """Ids of the documents of one index that have a change in the journal. Several threads may call `has`.

    The ids are kept in memory, and each call reads only the records that were appended since the call before
    it. So the time of a call does not depend on the length of the journal. Other processes may append and
    publish at the same time. After a publish the journal is a new file, and the next call reads it from its
    start.
    """

    def __init__(self, index: Path) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._after = 0
        self._mark: Mark | None = None
        self._ids: set[str] = set()

    def has(self, doc_id: str, after: int) -> bool:
        """Return whether a record after journal position `after` changes or deletes the document.

        Raises:
            CorruptIndex: the journal is damaged in its first line or in a record that was not read before.
        """
        with self._lock:
            if self._mark is None or self._after != after or not holds(self._index, self._mark):
                self._ids, self._after, self._mark = set(), after, mark_at(self._index, after)
            last = None
            for last in read_journal(self._index, self._mark.position if self._mark else after):
                self._ids.add(_decoded(last)[0])
            if self._mark is not None and last is not None:
                self._mark = self._mark.moved_to(last)
            return doc_id in self._ids


def encode_upsert(documents: Sequence[Document]) -> list[bytes]:
    """Return one journal record per document, which adds or replaces the document."""
    return [_record({"put": asdict(document)}) for document in documents]


def encode_deletion(doc_id: str) -> bytes:
    """Return the journal record that deletes a document."""
    return _record({"delete": doc_id})


def pending(index: Path, after: int) -> Pending:
    """Read the changes after journal position `after`, without the texts of their documents.

    Raises:
        CorruptIndex: the journal is damaged.
    """
    records: dict[str, tuple[int, bool]] = {}
    position = after
    for record in read_journal(index, after):
        position = record.position
        doc_id, document = _decoded(record)
        records.pop(doc_id, None)  # keep the ids in the order of their last changes
        records[doc_id] = (position, document is None)
    return Pending(records, position)


def pending_documents(index: Path, after: int, found: Pending) -> Iterator[Document]:
    """Yield the documents that the pending changes add or replace. One document is in memory at a time."""
    for record in read_journal(index, after):
        if record.position > found.position:
            return
        doc_id, document = _decoded(record)
        if document is not None and found.records[doc_id][0] == record.position:
            yield document


def _record(content: object) -> bytes:
    # ASCII with escapes: a document may hold any character, but a journal line may not hold a line end.
    try:
        return json.dumps(content, allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ShapeError(f"a change cannot be written as JSON: {error}") from error


def _decoded(record: Record) -> tuple[str, Document | None]:
    """Return the id of the changed document, and the document (None if the record is a deletion)."""
    content = json.loads(record.data)
    if "delete" in content:
        return content["delete"], None
    document = Document(**content["put"])
    return document.doc_id, document


class Publisher:
    """Stores and publishes changes of documents, for the HTTP routes.

    Several threads may call it. If two publish an index at the same time, one of them is refused.

    Args:
        library: The indexes that serve. It opens a new generation (a published version of an index) before
            `publish` returns.
        parts: Makes the parts that build an index. It is called when the parts are first needed.
        keep: Number of generations that stay after a publish, the new one included.
    """

    def __init__(self, library: Library, parts: Callable[[], IndexParts], keep: int) -> None:
        self._library, self._make_parts, self._keep = library, parts, keep
        self._pending: dict[str, PendingIds] = {}

    def put(self, name: str, documents: Sequence[Document]) -> Json:
        """Store documents for the next publish. When this method returns, they survive a power cut.

        Raises:
            UnknownIndex: there is no such index.
            InvalidRequest: there is no document, there are more than `validation.MAX_DOCUMENTS`, or two have
                the same id.
            Fault: the documents could not be written, for example because the disk is full. None was stored.
        """
        require_published(self._library.root, name)
        check_batch([document.doc_id for document in documents])
        position = append(self._index(name), encode_upsert(documents))
        return {"index": name, "accepted": len(documents), "position": position}

    def delete(self, name: str, doc_id: str) -> Json:
        """Store a deletion for the next publish. When this method returns, the deletion survives a power cut.

        The time of a call does not depend on the number of changes that wait.

        Raises:
            UnknownIndex: there is no such index.
            InvalidRequest: the id is not valid.
            UnknownDocument: neither the index nor a change that waits has the document.
            Fault: the deletion could not be written and was not stored.
        """
        require_published(self._library.root, name)
        check_id_characters(doc_id, f"the document id {doc_id[:80]!r}")
        index = self._library.get(name)
        waiting = self._pending.setdefault(name, PendingIds(self._index(name)))
        if not waiting.has(doc_id, applied(index.manifest)) and not len(
            index.corpus.columns.column("doc_id").equal(doc_id)
        ):
            raise UnknownDocument(name, doc_id)
        position = append(self._index(name), [encode_deletion(doc_id)])
        return {"index": name, "accepted": 1, "position": position}

    def publish(self, name: str) -> Json:
        """Publish all changes that wait. When this method returns, the new generation serves.

        If nothing changes, no new generation is published, and `changed` is False.

        Raises:
            UnknownIndex: there is no such index.
            IndexBusy: another process or thread writes the index.
            CorruptIndex: the current generation or the journal is damaged; nothing is built from it.
            Fault: a write failed, for example because the disk is full. The changes still wait.
        """
        index = self._index(name)
        reached = 0

        def changes(manifest: Manifest) -> Update:
            nonlocal reached
            after = applied(manifest)
            found = pending(index, after)
            reached = found.position
            deleted = [doc_id for doc_id, (_, gone) in found.records.items() if gone]
            return Update(
                pending_documents(index, after, found), deleted, ignore_missing=True, applied=reached
            )

        require_published(self._library.root, name)
        built = update_index(self._library.root, name, changes, self._parts, keep=self._keep)
        # Published records that cannot be removed from the journal only take up space until the next publish.
        with suppress(OSError):
            drop_until(index, reached)
        self._library.refreshed(name)
        return published_view(built)

    def _index(self, name: str) -> Path:
        return self._library.root / name

    @cached_property
    def _parts(self) -> IndexParts:
        return self._make_parts()


def published_view(built: BuildResult) -> Json:
    """Return the JSON of a publish's result."""
    return {
        "index": built.manifest.name,
        "generation": built.manifest.generation,
        "changed": built.changed,
        "num_documents": built.manifest.num_documents,
        "num_chunks": built.manifest.num_chunks,
        "added": built.num_added,
        "replaced": built.num_changed,
        "unchanged": built.num_unchanged,
        "deleted": built.num_deleted,
        "embedded": built.progress.num_vectors,
        "seconds": round(built.seconds, 3),
    }
