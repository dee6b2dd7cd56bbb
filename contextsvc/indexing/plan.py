"""Which documents the next generation holds, in which order, and where each of them lies."""

from collections.abc import Callable, Iterator, Sequence

from contextsvc.errors import ShapeError
from contextsvc.records.documents import Document
from contextsvc.storage.corpus import Corpus, Place
from contextsvc.storage.corpus.files import Entry


class Plan:
    """Documents keep the order of the base; a changed one takes its former place, a new one the end.

    Of each document it holds id, content hash and place, of their texts nothing. One thread may ask
    `has` while another calls `put`.

    Attributes:
        num_added: Documents that the base does not hold.
        num_changed: Those it holds with another content.
        num_unchanged: Those it holds as they are.
        num_deleted: Those that are gone from it.
    """

    def __init__(self) -> None:
        self.num_added = self.num_changed = self.num_unchanged = self.num_deleted = 0
        self._base: Corpus | None = None
        self._positions: dict[str, int] = {}
        self._hashes: list[bytes] = []
        self._places: list[Place | None] = []
        self._seen: set[str] = set()
        self._finished: dict[bytes, Place] = {}

    @property
    def changes(self) -> bool:
        """Whether anything differs from the base."""
        return self.num_added + self.num_changed + self.num_deleted > 0

    @property
    def places(self) -> list[Place]:
        """Where the documents lie, in order.

        Raises:
            ShapeError: one that was asked for was never put (a defect of the caller's code).
        """
        if None in self._places:
            raise ShapeError("a document was planned and never written")
        return [place for place in self._places if place is not None and place[0] >= 0]

    def start_from(self, base: Corpus) -> None:
        """Keep all documents of a corpus, which is number 0, unless they are changed or deleted."""
        self._base = base
        # By line, not by entry: an update of one document reads the lines of all.
        for number, line in enumerate(map(base.entries.line, range(base.num_documents))):
            self._positions[line["doc_id"]] = number
            self._hashes.append(bytes.fromhex(line["content_hash"]))
            self._places.append((0, number))

    def add_finished(self, number: int, corpus: Corpus) -> None:
        """Documents that an interrupted build has finished, in corpus `number`."""
        for doc, entry in enumerate(corpus.entries):
            self._finished[bytes.fromhex(entry.content_hash)] = (number, doc)

    def has(self, document: Document) -> bool:
        """Whether a document is there already, as it is; else it must be `put`. Ask once for each id."""
        content_hash = bytes.fromhex(document.content_hash)
        self._seen.add(document.doc_id)
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
        """Whether the next generation has a document of that id, as far as is known by now."""
        return doc_id in self._positions

    def put(self, documents: Sequence[Document], number: int) -> None:
        """Documents that were written as corpus `number`, in this order."""
        for doc, document in enumerate(documents):
            self._places[self._positions[document.doc_id]] = (number, doc)

    def delete(self, doc_id: str) -> bool:
        """Leave a document out; False when there is none of that id."""
        position = self._positions.pop(doc_id, None)
        if position is None:
            return False
        self._places[position] = (-1, 0)
        self.num_deleted += 1
        return True

    def delete_unseen(self, gone: Callable[[Entry], bool]) -> None:
        """Leave out every document of the base that was not asked for and of which `gone` says so."""
        for entry in self._unseen():
            if gone(entry):
                self.delete(entry.doc_id)

    def _unseen(self) -> Iterator[Entry]:
        if self._base is not None:
            yield from (entry for entry in self._base.entries if entry.doc_id not in self._seen)
