"""Find copies among documents while the documents are read, before they are embedded.

A copy that is left out of an index is stored as an alias: a document that another document represents.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

from contextsvc.ports import NearDuplicateIndex
from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import digest
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.corpus.aliases import Alias

DEDUPE = "dedupe"
"""Name of a setting in the manifest of an index that leaves copies out.

The value is the least similarity of near-duplicates."""


class Deduplicator:
    """Finds documents that are copies of earlier documents, and leaves the copies out if `keep_one` is set.

    Of several copies, the first document is kept. Two documents are equal if every character of their texts
    is equal. They are near-duplicates if the near-duplicate index says so. The original of a copy is always a
    kept document. So a document is never called a copy only because it is similar to another copy.

    Args:
        least: Least similarity of near-duplicates, 0 to 1. `near_duplicates` was made with this value.
        near_duplicates: Finds near-duplicates. None: only documents with equal texts are copies.
        keep_one: Whether to leave copies out. If not, copies are only reported.

    Attributes:
        found: Aliases of the copies that were read so far, in order.
    """

    def __init__(self, least: float, near_duplicates: NearDuplicateIndex | None, keep_one: bool) -> None:
        self.found: list[Alias] = []
        self.keep_one, self._least, self._near_duplicates = keep_one, least, near_duplicates
        self._kept_by_text: dict[bytes, str] = {}
        self._kept: list[str] = []

    def read(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents one by one, without copies if `keep_one` is set."""
        for document in documents:
            alias = self._alias(document)
            if alias is not None:
                self.found.append(alias)
            if alias is None or not self.keep_one:
                yield document

    @property
    def aliases(self) -> list[Alias]:
        """Aliases (left-out duplicates) that the generation stores; complete when all documents are read."""
        return list(self.found) if self.keep_one else []

    @property
    def manifest_settings(self) -> dict[str, object]:
        """Settings that the manifest stores. They are complete when all documents are read."""
        return {DEDUPE: self._least, "num_aliases": len(self.aliases)} if self.keep_one else {}

    def _alias(self, document: Document) -> Alias | None:
        """Return the alias that a document becomes, or None if the document is kept."""
        if not document.text.strip():  # empty documents are not copies of each other
            return None
        key = _text_key(document)
        kept = self._kept_by_text.get(key)
        if kept is not None:
            return Alias.of(document, kept, 1.0, exact=True)
        match = self._near_duplicates.match(document.text) if self._near_duplicates else None
        if match is not None:
            number, similarity = match
            return Alias.of(document, self._kept[number], round(similarity, 4), exact=False)
        self._keep(key, document.doc_id)
        return None

    def _keep(self, key: bytes, doc_id: str) -> None:
        self._kept_by_text[key] = doc_id
        self._kept.append(doc_id)


class UpdateDeduplicator(Deduplicator):
    """Deduplication for an update of an index that leaves copies out.

    - A document of the index stays a document, even if its new text is a copy.
    - An alias stays an alias until the alias or its original changes.
    - An alias that loses its original becomes a document again. If the alias was read, the read document is
      used. Otherwise, if the texts were equal, the text of the original is used. Otherwise the near-duplicate
      is lost.

    Args:
        base: The generation that is updated.
        least: As for `Deduplicator`.
        near_duplicates: As for `Deduplicator`. This index must be empty.
        deleted: Ids of documents that the update deletes.
        prunes: Whether the update deletes more documents at the end, after all documents are read.

    Attributes:
        lost: Ids of near-duplicates that were lost with their original.
    """

    def __init__(
        self,
        base: Corpus,
        least: float,
        near_duplicates: NearDuplicateIndex | None,
        deleted: Collection[str],
        prunes: bool,
    ) -> None:
        super().__init__(least, near_duplicates, keep_one=True)
        self.lost: list[str] = []
        self._base, self._prunes = base, prunes
        self._hashes = {entry.doc_id: entry.content_hash for entry in base.entries}
        self._old_aliases = {alias.doc_id: alias for alias in base.aliases}
        self._num_old_aliases = len(self._old_aliases)
        self._changed_or_deleted = set(deleted)
        self._read: set[str] = set()
        self._read_aliases: dict[str, Document] = {}
        self._base_is_indexed = False

    @property
    def aliases(self) -> list[Alias]:
        """Aliases that the generation stores: first the old aliases that stay, then the new ones."""
        return [*self._old_aliases.values(), *self.found]

    @property
    def changes(self) -> bool:
        """Whether an alias was added, was deleted or became a document."""
        return bool(self.found) or len(self._old_aliases) != self._num_old_aliases

    def read(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents one by one, without copies."""
        for document in documents:
            old_hash, alias = self._hashes.get(document.doc_id), self._old_aliases.get(document.doc_id)
            self._read.add(document.doc_id)
            if old_hash is not None:
                if old_hash != document.content_hash:
                    self._changed_or_deleted.add(document.doc_id)
                yield document
            elif (
                alias
                and alias.content_hash == document.content_hash
                and alias.kept not in self._changed_or_deleted
            ):
                if not alias.exact and alias.kept not in self._read:
                    self._read_aliases[document.doc_id] = document  # its original may still change
            else:
                self._old_aliases.pop(document.doc_id, None)
                yield from self._read_new(document)

    def delete(self, doc_id: str) -> bool:
        """Delete an alias. Return False if no alias has this id."""
        return self._old_aliases.pop(doc_id, None) is not None

    def prune(self, is_gone: Callable[[Alias], bool]) -> None:
        """Delete every alias that was not read and for which `is_gone` returns True."""
        for alias in list(self._old_aliases.values()):
            if alias.doc_id not in self._read and is_gone(alias):
                self.delete(alias.doc_id)

    def orphans(self, holds: Callable[[str], bool]) -> Iterator[Document]:
        """Yield the documents that were aliases and have lost their original.

        Call this after all other documents were read and deleted.

        Args:
            holds: Returns whether the new generation has a document with an id.
        """
        among_orphans = Deduplicator(self._least, None, keep_one=True)
        yield from among_orphans.read(self._orphaned(holds))
        self.found += among_orphans.found

    def _orphaned(self, holds: Callable[[str], bool]) -> Iterator[Document]:
        numbers = {doc_id: number for number, doc_id in enumerate(self._hashes)}
        for alias in list(self._old_aliases.values()):
            if holds(alias.kept) and alias.kept not in self._changed_or_deleted:
                continue
            self.delete(alias.doc_id)
            if alias.doc_id in self._read_aliases:
                yield self._read_aliases[alias.doc_id]
            elif alias.exact:
                original = self._base.document(numbers[alias.kept])
                yield Document(
                    alias.doc_id,
                    original.text,
                    title=alias.title,
                    source=alias.source,
                    format=original.format,
                    metadata=alias.metadata,
                )
            else:
                self.lost.append(alias.doc_id)

    def _read_new(self, document: Document) -> Iterator[Document]:
        self._index_base()
        alias = self._alias(document)
        # The original must stay for certain: it is not changed, not deleted, and cannot be pruned later.
        uncertain = alias is not None and (
            alias.kept in self._changed_or_deleted
            or (self._prunes and alias.kept in self._hashes and alias.kept not in self._read)
        )
        if alias is None or uncertain:
            yield document
        else:
            self.found.append(alias)

    def _index_base(self) -> None:
        # This is done only when there is a document to compare, because it reads every text of the base.
        if self._base_is_indexed:
            return
        self._base_is_indexed = True
        for document in self._base.documents():
            key = _text_key(document)
            if key in self._kept_by_text:
                continue
            if not (self._near_duplicates and self._near_duplicates.match(document.text)):
                self._keep(key, document.doc_id)


def _text_key(document: Document) -> bytes:
    return bytes.fromhex(digest(document.text))
