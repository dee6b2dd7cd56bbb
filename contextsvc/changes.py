"""Changes that came over HTTP: what is written to the journal, and the update that follows from it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from contextsvc.errors import ShapeError
from contextsvc.generation import Record, read_journal
from contextsvc.records import Document


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
