"""What is to change in an index, how far it is, and what came of it."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from contextsvc.records.documents import Document
from contextsvc.storage.corpus.aliases import Alias
from contextsvc.storage.corpus.files import Entry
from contextsvc.storage.generation import Manifest


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a build has done so far; `report` is called with it after every batch.

    Attributes:
        phase: What is being done: "embedding" until all documents are read, then "merging", "writing the
            searches", "publishing".
        num_documents: Taken so far; those that were there already included.
        num_chars: Of their texts.
        num_reused: Documents that were there already: in the base, or in a part finished before.
        num_reused_chars: Of their texts.
        num_sentences: Of the other documents.
        num_vectors: Distinct sentences that were embedded.
        num_chunks: Of the finished parts; at the end, of all.
        num_tokens: Tokens of all these chunks.
        encoder_seconds: Time inside the embedder.
    """

    phase: str = "embedding"
    num_documents: int = 0
    num_chars: int = 0
    num_reused: int = 0
    num_reused_chars: int = 0
    num_sentences: int = 0
    num_vectors: int = 0
    num_chunks: int = 0
    num_tokens: int = 0
    encoder_seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since the build began."""
        return time.perf_counter() - self.started


@dataclass(frozen=True, slots=True)
class Update:
    """What is to change.

    Attributes:
        documents: To be added or, under an id that is there, to take its place; ids unique.
        delete: Ids to be left out; one that is not there is refused, unless `lenient`.
        gone: Asked, once `documents` has ended, of every document and alias of the index that did not
            come; what it says True of is left out.
        lenient: Deleting what is not there is no error.
        applied: How far into the journal this goes; None: as far as before.
    """

    documents: Iterable[Document] = ()
    delete: Collection[str] = ()
    gone: Callable[[Entry | Alias], bool] | None = None
    lenient: bool = False
    applied: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """The generation that is now current; `changed` is False when it already was.

    Attributes:
        lost: Ids of near-duplicates that went with the document that stood for them; to be read again.
    """

    manifest: Manifest
    changed: bool
    progress: Progress
    seconds: float
    num_added: int = 0
    num_changed: int = 0
    num_unchanged: int = 0
    num_deleted: int = 0
    lost: tuple[str, ...] = ()
