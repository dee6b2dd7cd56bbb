"""Records of a change: the update that is asked for, the progress of the build, and the result."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from contextsvc.records.documents import Document
from contextsvc.storage.corpus.aliases import Alias
from contextsvc.storage.corpus.files import Entry
from contextsvc.storage.generation import Manifest


@dataclass(slots=True, kw_only=True)
class Progress:
    """Progress of a build; it grows while the build runs.

    Attributes:
        phase: "embedding" until all documents are read, then "merging", "writing the searches", "publishing".
        num_documents: Documents read so far, reused ones included.
        num_chars: Characters of these documents.
        num_reused: Documents whose chunks and vectors exist already: in the current generation, or in a
            segment that an interrupted build finished.
        num_reused_chars: Characters of the reused documents.
        num_sentences: Sentences of the other documents.
        num_vectors: Distinct sentences that were embedded.
        num_chunks: Chunks of the finished segments; at the end, of the generation.
        num_tokens: Tokens of these chunks.
        encoder_seconds: Time inside the embedder.
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
        documents: Documents to add, or to replace the document of the same id with; ids unique.
        delete: Ids of documents to delete.
        is_gone: Called, after the last of `documents`, with every document and alias of the index that is not
            among them; those for which it returns True are deleted. None: none of them is.
        ignore_missing: An id in `delete` that the index does not have is no error.
        applied: Position of the last journal record among these changes; None: the position stays.
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
        manifest: Manifest of the generation that is current now.
        changed: Whether this build published it; False if it was current before.
        progress: Final progress of the build.
        seconds: Time that the build took.
        num_added: Documents that the current generation did not have.
        num_changed: Documents that it had with other content.
        num_unchanged: Documents that it had with the same content.
        num_deleted: Documents that were deleted from it.
        lost: Ids of near-duplicates whose kept document was deleted or changed, so that neither is indexed
            now; read their source again.
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
