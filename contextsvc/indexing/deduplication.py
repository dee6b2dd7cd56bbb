"""Documents that say the same as one read before: found while they are read, before anything is embedded."""

from collections.abc import Callable, Collection, Iterable, Iterator

from contextsvc.ports import NearDuplicateIndex
from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import digest
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.corpus.aliases import Alias

DEDUPE = "dedupe"
"""Setting of a generation: it keeps one of its copies; how alike near ones are."""


class Deduplicator:
    """Tells which documents are copies of others, and leaves them out if it is told to.

    The first one read is the one that is kept. Two are the same if their texts are equal, character for
    character, and near-duplicates if `likeness` says so. What stands for a copy is always a kept document,
    so that being alike is never handed on from one copy to the next.

    Args:
        least: How alike near-duplicates are, 0 to 1; what `likeness` was made with.
        likeness: Finds them; None: none are looked for.
        keep_one: Leave copies out. Else they are reported alone.

    Attributes:
        found: The copies read so far, in order.
    """

    def __init__(self, least: float, likeness: NearDuplicateIndex | None, keep_one: bool) -> None:
        self.found: list[Alias] = []
        self.keep_one, self._least, self._likeness = keep_one, least, likeness
        self._same: dict[bytes, str] = {}
        self._kept: list[str] = []

    def read(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, one in memory at a time, without copies if that is what is wanted."""
        for document in documents:
            alias = self._alias(document)
            if alias is not None:
                self.found.append(alias)
            if alias is None or not self.keep_one:
                yield document

    @property
    def aliases(self) -> list[Alias]:
        """What a generation keeps of the copies; to be asked when all was read."""
        return list(self.found) if self.keep_one else []

    @property
    def said(self) -> dict[str, object]:
        """What the manifest says of it."""
        return {DEDUPE: self._least, "num_aliases": len(self.aliases)} if self.keep_one else {}

    def _alias(self, document: Document) -> Alias | None:
        if not document.text.strip():  # nothing is said twice
            return None
        key = bytes.fromhex(digest(document.text))
        kept = self._same.get(key)
        if kept is not None:
            return Alias.of(document, kept, 1.0, exact=True)
        match = self._likeness.match(document.text) if self._likeness else None
        if match is not None:
            number, likeness = match
            return Alias.of(document, self._kept[number], round(likeness, 4), exact=False)
        self._keep(key, document.doc_id)
        return None

    def _keep(self, key: bytes, doc_id: str) -> None:
        self._same[key] = doc_id
        self._kept.append(doc_id)


class UpdateDeduplicator(Deduplicator):
    """The same for an update of an index that keeps one of its copies.

    A document that is there stays one, whatever it now says. A copy stays an alias as long as neither it nor
    what stands for it changes. One that loses what stood for it becomes a document again: from the source
    if it was read, from the text it shared if that was equal; a near-duplicate that was not read is lost.

    Args:
        base: The generation that is updated.
        least: As `Deduplicator`.
        likeness: As `Deduplicator`, empty.
        deleted: Documents that the update leaves out.
        prunes: Whether it leaves out further ones once all is read.

    Attributes:
        lost: Ids of near-duplicates that are gone with what stood for them.
        changes: Whether an alias came, went or became a document.
    """

    def __init__(
        self,
        base: Corpus,
        least: float,
        likeness: NearDuplicateIndex | None,
        deleted: Collection[str],
        prunes: bool,
    ) -> None:
        super().__init__(least, likeness, keep_one=True)
        self.lost: list[str] = []
        self._base, self._prunes = base, prunes
        self._hashes = {entry.doc_id: entry.content_hash for entry in base.entries}
        self._known = {alias.doc_id: alias for alias in base.aliases}
        self._num_known = len(self._known)
        self._gone = set(deleted)
        self._came: set[str] = set()
        self._held: dict[str, Document] = {}
        self._filled = False

    @property
    def aliases(self) -> list[Alias]:
        """Those that stay, then those that came."""
        return [*self._known.values(), *self.found]

    @property
    def changes(self) -> bool:
        """As the class says."""
        return bool(self.found) or len(self._known) != self._num_known

    def read(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents that are no copies."""
        for document in documents:
            before, alias = self._hashes.get(document.doc_id), self._known.get(document.doc_id)
            self._came.add(document.doc_id)
            if before is not None:
                if before != document.content_hash:
                    self._gone.add(document.doc_id)
                yield document
            elif alias and alias.content_hash == document.content_hash and alias.kept not in self._gone:
                if not alias.exact and alias.kept not in self._came:
                    self._held[document.doc_id] = document  # what stands for it may yet be found changed
            else:
                self._known.pop(document.doc_id, None)
                yield from self._fresh(document)

    def forget(self, doc_id: str) -> bool:
        """Leave an alias out; False when there is none of that id."""
        return self._known.pop(doc_id, None) is not None

    def forget_unseen(self, gone: Callable[[Alias], bool]) -> None:
        """Leave out every alias that did not come and of which `gone` says so."""
        for alias in list(self._known.values()):
            if alias.doc_id not in self._came and gone(alias):
                self.forget(alias.doc_id)

    def orphans(self, holds: Callable[[str], bool]) -> Iterator[Document]:
        """What becomes a document again; to be asked last.

        Args:
            holds: Whether the new generation has a document of that id.
        """
        left = Deduplicator(self._least, None, keep_one=True)
        yield from left.read(self._orphaned(holds))
        self.found += left.found

    def _orphaned(self, holds: Callable[[str], bool]) -> Iterator[Document]:
        numbers = {doc_id: number for number, doc_id in enumerate(self._hashes)}
        for alias in list(self._known.values()):
            if holds(alias.kept) and alias.kept not in self._gone:
                continue
            self.forget(alias.doc_id)
            if alias.doc_id in self._held:
                yield self._held[alias.doc_id]
            elif alias.exact:
                kept = self._base.document(numbers[alias.kept])
                yield Document(
                    alias.doc_id,
                    kept.text,
                    title=alias.title,
                    source=alias.source,
                    format=kept.format,
                    metadata=alias.metadata,
                )
            else:
                self.lost.append(alias.doc_id)

    def _fresh(self, document: Document) -> Iterator[Document]:
        self._fill()
        alias = self._alias(document)
        # What stands for it must be certain to stay: not changed, not deleted, not to be pruned.
        unsure = alias is not None and (
            alias.kept in self._gone
            or (self._prunes and alias.kept in self._hashes and alias.kept not in self._came)
        )
        if alias is None or unsure:
            yield document
        else:
            self.found.append(alias)

    def _fill(self) -> None:
        # Not before there is something to compare: it reads every text of the base.
        if self._filled:
            return
        self._filled = True
        for document in self._base.documents():
            key = bytes.fromhex(digest(document.text))
            if key not in self._same and not (self._likeness and self._likeness.match(document.text)):
                self._keep(key, document.doc_id)
