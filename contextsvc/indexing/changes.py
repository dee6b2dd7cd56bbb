"""Records of a change of an index: the requested update, the progress of the build, and its result."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from contextsvc.records.documents import Document
from contextsvc.storage.corpus.aliases import Alias
from contextsvc.storage.corpus.files import Entry
from contextsvc.storage.generation import Manifest


@dataclass(slots=True, kw_only=True)
class Progress:
    """Progress of a build. The numbers grow while the build runs.

    Attributes:
        phase: "embedding" until all documents are read, then "merging", "writing the search indexes",
            "calibrating" and "publishing".
        num_documents: Number of documents read so far, reused ones included.
        num_chars: Number of characters in these documents.
        num_reused: Number of read documents whose chunks and vectors exist already. They are in the current
            generation (the published version of the index), or in a segment (a part of a build) that
            an earlier build completed before it was interrupted.
        num_reused_chars: Number of characters in the reused documents.
        num_sentences: Number of sentences in the documents that are not reused.
        num_vectors: Number of distinct sentences that were embedded.
        num_chunks: Number of chunks in the finished segments. At the end it is the number of chunks in the
            generation.
        num_tokens: Number of tokens in these chunks.
        encoder_seconds: Seconds spent in the embedder.
        started: Start of the build, by `time.perf_counter`.
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
        """Seconds since the start of the build."""
        return time.perf_counter() - self.started


@dataclass(frozen=True, slots=True)
class Update:
    """Changes to an index.

    Attributes:
        documents: Documents with distinct ids. Each is added, or replaces the document with the same id.
        delete: Ids of documents to delete.
        is_gone: Function that decides which other documents to delete. After the last of `documents` it is
            called with every document and alias of the index that is not among `documents`. If it returns
            True, the document or alias is deleted. None: nothing else is deleted.
        ignore_missing: Whether `delete` may contain ids that are not in the index. If not, they are an error.
        applied: Position of the last journal record among these changes. None: the position stays.
    """

    documents: Iterable[Document] = ()
    delete: Collection[str] = ()
    is_gone: Callable[[Entry | Alias], bool] | None = None
    ignore_missing: bool = False
    applied: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """Result of a build or an update.

    Attributes:
        manifest: Manifest of the generation (version of the index) that is current now.
        changed: Whether this build published the current generation. False if it was current before.
        progress: Final progress of the build.
        seconds: Seconds that the build took.
        num_added: Number of documents that are new in an update. A build counts all its documents.
        num_changed: Number of documents that the updated generation had with other content.
        num_unchanged: Number of documents that the updated generation had with the same content.
        num_deleted: Number of documents that were deleted by an update.
        lost: Ids of near-duplicates that are not indexed any more, because the document that represented them
            was deleted or changed. Read their source again to index them.
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
