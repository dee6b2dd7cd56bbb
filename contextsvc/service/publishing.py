"""Changing an index that serves: changes are kept in the journal, then published all at once."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from contextsvc.errors import InvalidRequest, ShapeError, UnknownDocument
from contextsvc.indexing.build import BuildResult, IndexParts, Update, update_index
from contextsvc.records.documents import Document
from contextsvc.records.json import Json
from contextsvc.storage.generation import (
    Manifest,
    Record,
    append,
    applied,
    drop_until,
    read_journal,
    require_published,
)
from contextsvc.storage.library import Library


@dataclass(frozen=True, slots=True)
class Pending:
    """What the journal comes to: of several changes of a document the last.

    Attributes:
        records: For each document id the position of its record and whether that is a deletion.
        position: How far into the journal this goes.
    """

    records: dict[str, tuple[int, bool]]
    position: int


def encode_upsert(documents: Sequence[Document]) -> list[bytes]:
    """One record a document."""
    return [_record({"put": asdict(document)}) for document in documents]


def encode_deletion(doc_id: str) -> bytes:
    """The record of a deletion."""
    return _record({"delete": doc_id})


def pending(index: Path, after: int) -> Pending:
    """What waits past a position; the documents' texts are read later.

    Raises:
        CorruptIndex: the journal is damaged.
    """
    records: dict[str, tuple[int, bool]] = {}
    position = after
    for record in read_journal(index, after):
        position = record.position
        doc_id, document = _decoded(record)
        records.pop(doc_id, None)  # the order is that of the last change
        records[doc_id] = (position, document is None)
    return Pending(records, position)


def pending_documents(index: Path, after: int, what: Pending) -> Iterator[Document]:
    """The documents that `pending` found, one in memory at a time."""
    for record in read_journal(index, after):
        if record.position > what.position:
            return
        doc_id, document = _decoded(record)
        if document is not None and what.records[doc_id][0] == record.position:
            yield document


def _record(content: object) -> bytes:
    # Escaped: a document may hold any character, the journal's lines none that ends them.
    try:
        return json.dumps(content, allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ShapeError(f"a change cannot be kept as JSON: {error}") from error


def _decoded(record: Record) -> tuple[str, Document | None]:
    content = json.loads(record.data)
    if "delete" in content:
        return content["delete"], None
    document = Document(**content["put"])
    return document.doc_id, document


class Publisher:
    """What the routes for documents call. Several threads may; of two that publish one is refused.

    Args:
        library: The indexes that serve; it opens what was published before a publish answers.
        parts: Makes what indexes are built with, when it is first needed.
        keep: Generations that a publish leaves, the new one included.
    """

    def __init__(self, library: Library, parts: Callable[[], IndexParts], keep: int) -> None:
        self._library, self._make_parts, self._keep = library, parts, keep

    def put(self, name: str, documents: Sequence[Document]) -> Json:
        """Keep documents for the next publish; it answers once they would survive a power cut.

        Raises:
            UnknownIndex: there is no such index.
            InvalidRequest: no document, or two of one id.
            Fault: they could not be written, on a full disk for one; none was kept then.
        """
        require_published(self._library.root, name)
        ids = [document.doc_id for document in documents]
        twice = (
            sorted({doc_id for doc_id in ids if ids.count(doc_id) > 1}) if len(set(ids)) < len(ids) else []
        )
        if twice or not documents:
            found = f"{twice[0]!r} twice" if twice else "none"
            raise InvalidRequest(f"expected documents with ids of their own, found {found}")
        position = append(self._index(name), encode_upsert(documents))
        return {"index": name, "accepted": len(documents), "position": position}

    def delete(self, name: str, doc_id: str) -> Json:
        """Keep a deletion for the next publish; as durable as `put`.

        Raises:
            UnknownIndex: there is no such index.
            UnknownDocument: neither the index nor what waits has it.
            Fault: as `put`.
        """
        require_published(self._library.root, name)
        index = self._library.get(name)
        waiting = pending(self._index(name), applied(index.manifest)).records
        if doc_id not in waiting and not len(index.corpus.columns.column("doc_id").equal(doc_id)):
            raise UnknownDocument(name, doc_id)
        position = append(self._index(name), [encode_deletion(doc_id)])
        return {"index": name, "accepted": 1, "position": position}

    def publish(self, name: str) -> Json:
        """Publish what waits, and serve it before the answer; without anything to change, say so.

        Raises:
            UnknownIndex: there is no such index.
            IndexBusy: another writer is at work.
            CorruptIndex: the current generation or the journal is damaged: nothing is built upon it.
            Fault: the disk is full, for one; what waits still waits.
        """
        index = self._index(name)
        reached = 0

        def changes(manifest: Manifest) -> Update:
            nonlocal reached
            after = applied(manifest)
            what = pending(index, after)
            reached = what.position
            deleted = [doc_id for doc_id, (_, gone) in what.records.items() if gone]
            return Update(
                pending_documents(index, after, what), deleted, ignore_missing=True, applied=what.position
            )

        require_published(self._library.root, name)
        built = update_index(self._library.root, name, changes, self._parts, keep=self._keep)
        drop_until(index, reached)
        self._library.refreshed(name)
        return published_view(built)

    def _index(self, name: str) -> Path:
        return self._library.root / name

    @cached_property
    def _parts(self) -> IndexParts:
        return self._make_parts()


def published_view(built: BuildResult) -> Json:
    """What a publish did, as callers see it."""
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
