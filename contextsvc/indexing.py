"""Documents -> a published generation: parse, split, embed each distinct sentence once, chunk, write."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from contextsvc.corpus import Corpus, CorpusWriter
from contextsvc.errors import SourceError
from contextsvc.generation import Manifest, stage
from contextsvc.ports import BlockParser, Embedder, SentenceSplitter, TokenCounter
from contextsvc.records import Chunk, Document, Float32Array, Format, Int64Array, Sentence, digest
from contextsvc.steps.chunking import chunk_bounds, pooled_vectors
from contextsvc.steps.sentences import cut_sentences

BATCH_CHARS = 2_000_000
"""Documents are worked on in batches of about so much text: enough to sort by length, little to hold."""


@dataclass(frozen=True, slots=True)
class IndexParts:
    """What an index is built with.

    Attributes:
        write_search: Writes the search structures of a corpus into its folder and tells what the
            manifest is to say of them.
    """

    parsers: Mapping[Format, BlockParser]
    splitter: SentenceSplitter
    counter: TokenCounter
    embedder: Embedder
    write_search: Callable[[Path, Corpus], Mapping[str, object]]
    min_tokens: int
    max_tokens: int


@dataclass(slots=True)
class Progress:
    """What a build has done so far; `report` is called with it after every batch.

    Attributes:
        num_tokens: Tokens of all chunks.
        num_vectors: Distinct sentences, which is how many were embedded.
        encoder_seconds: Time inside the embedder.
    """

    num_documents: int = 0
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
class Built:
    """The generation that is now current; `changed` is False when it already was."""

    manifest: Manifest
    changed: bool
    progress: Progress
    seconds: float


def build_index(
    root: Path,
    name: str,
    documents: Iterable[Document],
    parts: IndexParts,
    report: Callable[[Progress], None] = lambda _: None,
) -> Built:
    """Build an index and publish it as the current generation.

    Until the publish nothing is visible; on any error the former generation stays current.

    Args:
        root: Folder of the indexes.
        name: The index; made if it does not exist.
        documents: Read once, in order; ids unique.
        parts: What it is built with.
        report: Told of progress after every batch.

    Raises:
        SourceError: there is no document, or none has text.
    """
    progress = Progress()
    with stage(root, name) as staged:
        rows: dict[str, int] = {}
        with CorpusWriter(staged.folder, parts.embedder.dim) as writer:
            for batch in _batches(documents):
                _add_batch(batch, writer, rows, parts, progress)
                report(progress)
        if progress.num_chunks == 0:
            raise SourceError("found no text to index; expected at least one document with words in it")
        searched = parts.write_search(staged.folder, Corpus.open(staged.folder))
        staged.seal(_description(parts, progress, searched))
        published = staged.publish()
    return Built(published.manifest, published.changed, progress, progress.seconds)


def _description(parts: IndexParts, progress: Progress, searched: Mapping[str, object]) -> dict[str, object]:
    return {
        "embedder": parts.embedder.fingerprint,
        "dim": parts.embedder.dim,
        "num_documents": progress.num_documents,
        "num_chunks": progress.num_chunks,
        "num_sentences": progress.num_sentences,
        "num_vectors": progress.num_vectors,
        "settings": {
            "chunk_min_tokens": parts.min_tokens,
            "chunk_max_tokens": parts.max_tokens,
            "tokenizer": parts.counter.name,
            "num_tokens": progress.num_tokens,
            **searched,
        },
    }


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    num_chars = 0
    for document in documents:
        batch.append(document)
        num_chars += len(document.text)
        if num_chars >= BATCH_CHARS:
            yield batch
            batch, num_chars = [], 0
    if batch:
        yield batch


def _add_batch(
    batch: Sequence[Document],
    writer: CorpusWriter,
    rows: dict[str, int],
    parts: IndexParts,
    progress: Progress,
) -> None:
    cut = [(document, _sentences_of(document, parts)) for document in batch]
    fresh: dict[str, str] = {}
    for document, sentences in cut:
        for sentence in sentences:
            text = document.text[sentence.start : sentence.end]
            key = digest(text)
            if key not in rows:
                fresh.setdefault(key, text)
    started = time.perf_counter()
    vectors = parts.embedder.embed_passages(list(fresh.values()))
    progress.encoder_seconds += time.perf_counter() - started
    first = writer.add_vectors(vectors)
    rows.update((key, first + offset) for offset, key in enumerate(fresh))
    progress.num_vectors += len(fresh)
    for document, sentences in cut:
        numbers = np.array([rows[digest(document.text[s.start : s.end])] for s in sentences], dtype=np.int64)
        _add_document(document, sentences, numbers, writer, parts, progress)


def _sentences_of(document: Document, parts: IndexParts) -> list[Sentence]:
    def fits(texts: Sequence[str]) -> list[bool]:
        # A token is at least one byte, so that most texts need not be tokenised to know they fit.
        limit = min(parts.max_tokens, parts.embedder.max_tokens)
        verdicts = [len(text.encode("utf-8", "surrogatepass")) <= limit for text in texts]
        long = [number for number, fit in enumerate(verdicts) if not fit]
        counts = parts.counter.count([texts[number] for number in long])
        pieces = parts.embedder.count_tokens([texts[number] for number in long])
        for number, num_tokens, num_pieces in zip(long, counts, pieces, strict=True):
            verdicts[number] = num_tokens <= parts.max_tokens and num_pieces <= parts.embedder.max_tokens
        return verdicts

    blocks = parts.parsers[document.format].parse(document.text)
    return cut_sentences(document.text, blocks, parts.splitter.split, fits, parts.counter.count)


def _add_document(
    document: Document,
    sentences: Sequence[Sentence],
    numbers: Int64Array,
    writer: CorpusWriter,
    parts: IndexParts,
    progress: Progress,
) -> None:
    vectors: Float32Array = writer.vectors(numbers)
    counted: dict[tuple[int, int], int] = {}

    def count(first: int, end: int) -> int:
        text = document.text[sentences[first].start : sentences[end - 1].end]
        counted[first, end] = parts.counter.count([text])[0]
        return counted[first, end]

    bounds = chunk_bounds(sentences, vectors, parts.min_tokens, parts.max_tokens, count)
    content_hash = document.content_hash
    chunks = []
    for first, end in bounds:
        num_tokens = counted.get((first, end)) or count(first, end)
        start, stop, section = sentences[first].start, sentences[end - 1].end, sentences[first].section
        chunks.append(Chunk.cut(document, start, stop, num_tokens, section, content_hash))
    writer.add_document(document, sentences, numbers, chunks, bounds, pooled_vectors(vectors, bounds))
    progress.num_documents += 1
    progress.num_sentences += len(sentences)
    progress.num_chunks += len(chunks)
    progress.num_tokens += sum(chunk.num_tokens for chunk in chunks)
