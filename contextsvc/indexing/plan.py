"""Plan the documents of the next generation (version of an index), their order, and where each is stored."""

from collections.abc import Callable, Iterator, Sequence

from contextsvc.errors import ShapeError
from contextsvc.records.documents import Document
from contextsvc.storage.corpus import Corpus, Place
from contextsvc.storage.corpus.files import Entry


class Plan:
    """Documents of the next generation, in the order of the base. New documents follow at the end.

    The base is the generation that an update starts from. The place of a document is its location: the number
    of the corpus that stores it, and the number of the document in that corpus. The plan holds id, content
    hash and place of each document, but no text. One thread may call `add` while another calls `set_places`.

    Attributes:
        num_added: Number of documents that the base does not have.
        num_changed: Number of documents that the base has with other content.
        num_unchanged: Number of documents that the base has with the same content.
        num_deleted: Number of documents that were deleted from the base.
    """

    def __init__(self) -> None:
        self.num_added = self.num_changed = self.num_unchanged = self.num_deleted = 0
        self._base: Corpus | None = None
        self._positions: dict[str, int] = {}
        self._hashes: list[bytes] = []
        self._places: list[Place | None] = []
        self._added: set[str] = set()
        self._finished: dict[bytes, Place] = {}

    @property
    def changes(self) -> bool:
        """Whether the plan differs from the base."""
        return self.num_added + self.num_changed + self.num_deleted > 0

    @property
    def places(self) -> list[Place]:
        """Place (corpus number, document number) of each document that was not deleted, in order.

        Raises:
            ShapeError: a document was added, but its place was never set (a defect of the caller's code).
        """
        if None in self._places:
            raise ShapeError("a document was planned and never written")
        return [place for place in self._places if place is not None and place[0] >= 0]

    def start_from(self, base: Corpus) -> None:
        """Start with all documents of the base. The base is corpus number 0."""
        self._base = base
        # Lines are read instead of entries, because even an update of one document reads the lines of all.
        for number, line in enumerate(map(base.entries.line, range(base.num_documents))):
            self._positions[line["doc_id"]] = number
            self._hashes.append(bytes.fromhex(line["content_hash"]))
            self._places.append((0, number))

    def offer_segment(self, number: int, corpus: Corpus) -> None:
        """Offer the documents of a finished segment for reuse by `add`.

        Args:
            number: Number of the segment's corpus.
            corpus: The corpus of the segment.
        """
        for doc, entry in enumerate(corpus.entries):
            self._finished[bytes.fromhex(entry.content_hash)] = (number, doc)

    def add(self, document: Document) -> bool:
        """Add a document, or replace the document with the same id. Call this once for each id.

        Returns:
            True if the base or an offered segment has this document with the same content. Then the stored
            document is reused. False if the caller must write the document and set its place.
        """
        content_hash = bytes.fromhex(document.content_hash)
        self._added.add(document.doc_id)
        position = self._positions.get(document.doc_id)
        if position is not None and self._hashes[position] == content_hash:
            self.num_unchanged += 1
            return True
        if position is None:
            self.num_added += 1
            self._positions[document.doc_id] = len(self._places)
            self._places.append(self._finished.get(content_hash))
            self._hashes.append(content_hash)
        else:
            self.num_changed += 1
            self._places[position] = self._finished.get(content_hash)
            self._hashes[position] = content_hash
        return content_hash in self._finished

    def holds(self, doc_id: str) -> bool:
        """Return whether the plan has a document with this id now."""
        return doc_id in self._positions

    def set_places(self, documents: Sequence[Document], number: int) -> None:
        """Set the places of documents that a segment stores.

        Args:
            documents: All documents of the segment, in the order in which it stores them.
            number: Number of the segment's corpus.
        """
        for doc, document in enumerate(documents):
            self._places[self._positions[document.doc_id]] = (number, doc)

    def delete(self, doc_id: str) -> bool:
        """Delete a document. Return False if no document has this id."""
        position = self._positions.pop(doc_id, None)
        if position is None:
            return False
        self._places[position] = (-1, 0)
        self.num_deleted += 1
        return True

    def prune(self, is_gone: Callable[[Entry], bool]) -> None:
        """Delete every document of the base that was not added and for which `is_gone` returns True."""
        for entry in self._unread():
            if is_gone(entry):
                self.delete(entry.doc_id)

    def _unread(self) -> Iterator[Entry]:
        if self._base is not None:
            yield from (entry for entry in self._base.entries if entry.doc_id not in self._added)
